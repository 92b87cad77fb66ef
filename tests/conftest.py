"""What the tests of the book share: the repository, its table of contents, its runner and its rendered pages."""

import importlib.util
import inspect
import os
import pkgutil
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import psutil
import pytest
import yaml

import ptft

ROOT = Path(__file__).resolve().parents[1]
HTML = ROOT / "_build" / "html"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def load_runner(root: Path = ROOT) -> ModuleType:
    """book/execute.py of the repository at `root`, imported by its path."""
    name = f"execute_{abs(hash(root))}"
    spec = importlib.util.spec_from_file_location(name, root / "book" / "execute.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def listed_pages() -> list[str]:
    """The pages in _toc.yml, in order, such as book/intro."""
    contents = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    return [contents["root"], *(chapter["file"] for part in contents["parts"] for chapter in part["chapters"])]


def listed_chapters() -> list[str]:
    """Stems of the executed chapters among them."""
    return [Path(page).name for page in listed_pages() if page.startswith("book/chapters/")]


def modules() -> list[str]:
    """All modules of the package that can be imported without running something."""
    return [m.name for m in pkgutil.walk_packages(ptft.__path__, "ptft.") if not m.name.endswith("__main__")]


def public(module: str) -> dict[str, Any]:
    """The functions and classes that a module defines and does not hide, by name."""
    found = vars(importlib.import_module(module)).items()
    return {
        name: thing
        for name, thing in found
        if (inspect.isfunction(thing) or inspect.isclass(thing))
        and not name.startswith("_")
        and thing.__module__ == module
    }


def family(pid: int) -> list[psutil.Process]:
    """A process and all that it has started."""
    process = psutil.Process(pid)
    return [process, *process.children(recursive=True)]


def left_of(processes: list[psutil.Process], seconds: float) -> list[psutil.Process]:
    """The processes that still run after at most some seconds, and are killed then."""
    deadline = time.monotonic() + seconds
    while left := [p for p in processes if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]:
        if time.monotonic() > deadline:
            for process in left:
                process.kill()
            break
        time.sleep(0.05)
    return left


@pytest.fixture(scope="session")
def html() -> Path:
    """The rendered book; tests that need it are skipped where it has not been built."""
    if not (HTML / "index.html").exists():
        pytest.skip("the book is not rendered: run `make html` (`make test` does)")
    return HTML


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """An installed Chromium, without a window or a network; tests that need it are skipped where there is none."""
    executable = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if executable is None:
        pytest.skip(f"no browser: install one of {', '.join(BROWSERS)} (Debian: apt-get install chromium)")
    api = pytest.importorskip("playwright.sync_api")
    sandbox = [] if os.geteuid() else ["--no-sandbox"]  # Chromium refuses to run as root with it
    with api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=executable, args=["--host-resolver-rules=MAP * ~NOTFOUND", *sandbox]
        )
        yield chromium
        chromium.close()
