"""What the files about the project say of each other: requirements, pins, versions, citation."""

import ast
import importlib.metadata as metadata
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib

import pytest
import yaml
from conftest import ROOT
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from ptft.experiments import EXPERIMENTS
from ptft.sweeps import NAMES

README = (ROOT / "README.md").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PIN = re.compile(r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)==(?P<version>[A-Za-z0-9.+!]+)")


def direct_requirements():
    """Every package that pyproject.toml asks for, in the core or in an extra."""
    lists = [PROJECT["dependencies"], *PROJECT["optional-dependencies"].values()]
    found = [Requirement(text) for requirements in lists for text in requirements]
    return [requirement for requirement in found if requirement.name != PROJECT["name"]]


def extras_within(name):
    """An extra and those that it brings along."""
    reached, pending = set(), {name}
    while pending:
        reached |= pending
        inner = [Requirement(text) for extra in pending for text in PROJECT["optional-dependencies"][extra]]
        pending = {name for item in inner if item.name == PROJECT["name"] for name in item.extras} - reached
    return reached


def requirements_of(*extras):
    """The names of the packages that these extras ask for by themselves, as they are imported."""
    asked = [Requirement(text).name for extra in extras for text in PROJECT["optional-dependencies"][extra]]
    imported = {"pillow": "PIL", "scikit-learn": "sklearn", "pyyaml": "yaml", "pytest-xdist": "xdist"}
    return {imported.get(name, name.replace("-", "_")) for name in asked if name != PROJECT["name"]}


def constraint_lines():
    """The lines of constraints.txt without comments."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def pins():
    matches = [PIN.fullmatch(line) for line in constraint_lines()]
    return {canonicalize_name(match["name"]): Version(match["version"]) for match in matches if match}


def test_constraints_hold_names_and_versions_only():
    assert [line for line in constraint_lines() if not PIN.fullmatch(line)] == []
    assert len(pins()) == len(constraint_lines()), "a package is pinned twice"


@pytest.mark.parametrize("requirement", direct_requirements(), ids=str)
def test_every_direct_requirement_is_pinned_within_its_bounds(requirement):
    pinned = pins()[canonicalize_name(requirement.name)]
    assert requirement.specifier.contains(pinned, prereleases=True), f"{requirement} is pinned at {pinned}"


def test_the_conda_environment_asks_for_what_pyproject_asks_for():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    *conda, pip = environment["dependencies"]
    assert environment["channels"] == ["conda-forge"]
    assert conda == [f"python{PROJECT['requires-python']}", "pip"]
    assert pip == {"pip": ["-c constraints.txt", "-e .[dev]"]}
    # `dev` must reach every extra, or the two files would ask for different packages; only `make bench` installs a
    # second convex solver, and only `make lab` JupyterLab
    assert extras_within("dev") == set(PROJECT["optional-dependencies"]) - {"bench", "lab"}


def test_the_citation_and_the_changelog_know_the_version():
    version = PROJECT["version"]
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert str(citation["version"]) == version
    assert citation["license"] == PROJECT["license"]
    assert f"\n## {version}\n" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_the_front_page_cites_as_the_citation_file_does():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    block = re.search(r"```bibtex\n(.*?)```", (ROOT / "book" / "intro.md").read_text(encoding="utf-8"), re.S)
    assert block is not None
    fields = dict(re.findall(r"(\w+)\s*= \{+(.*?)\}+,", block[1]))
    assert fields["title"] == citation["title"]
    assert fields["author"] == citation["authors"][0]["name"]
    assert fields["version"] == str(citation["version"])


def test_latex_has_the_macros_of_the_pages():
    sys.path.insert(0, str(ROOT / "book" / "_ext"))
    from offline_pages import latex_macros

    config = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
    macros = config["sphinx"]["config"]["mathjax3_config"]["tex"]["macros"]
    lines = latex_macros(macros).splitlines()
    assert len(lines) == len(macros) > 10
    assert r"\newcommand{\EE}{\mathbb{E}}" in lines
    assert r"\newcommand{\norm}[1]{\lVert #1 \rVert}" in lines


def test_make_alone_lists_every_target():
    make = shutil.which("make")
    if make is None:
        pytest.skip("make is not installed")
    phony = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M)
    assert phony is not None
    done = subprocess.run([make, "--no-print-directory"], capture_output=True, text=True, cwd=ROOT, check=True)
    listed = [line.split()[1] for line in done.stdout.splitlines() if line.startswith("make ")]
    assert sorted(listed) == sorted(phony[1].split())


def test_importing_the_package_needs_only_its_core_requirements():
    allowed = {Requirement(text).name for text in PROJECT["dependencies"]}
    beyond = sorted({requirement.name.replace("-", "_") for requirement in direct_requirements()} - allowed)
    names = [*beyond, "sklearn", "IPython", "yaml", "scipy.stats", "scipy.signal"]  # SciPy's take longer than the rest
    code = f"import sys, ptft; print([name for name in {names!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.strip() == "[]"


RENDERING = """
import importlib, re, sys
from pathlib import Path
from sphinx.ext.autodoc.mock import mock

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {absent}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Absent())
sys.path.insert(0, "book/_ext")
for extension in Path("book/_ext").glob("*.py"):
    importlib.import_module(extension.stem)
with mock({mocked}):
    for page in Path("book/api").glob("*.md"):
        for module in re.findall(r"automodule:: (\\S+)", page.read_text(encoding="utf-8")):
            importlib.import_module(module)
            print(module)
"""


def test_rendering_needs_neither_what_running_needs_nor_what_tests_need():
    """Nothing that the extensions and the modules of the reference import is missing from the extra `pages`."""
    absent = requirements_of(*set(PROJECT["optional-dependencies"]) - extras_within("pages"))
    assert {"torch", "torchvision", "papermill", "pytest", "hypothesis", "mypy"} <= absent
    config = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))["sphinx"]["config"]
    # these come with jupyter-book and with matplotlib, too
    code = RENDERING.format(absent=sorted(absent - {"ipykernel", "yaml", "PIL"}), mocked=config["autodoc_mock_imports"])
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert {"ptft.vision.training", "ptft.modular.networks"} <= set(done.stdout.split())


def test_the_makefile_knows_what_extras_bring_along():
    """A target must not install what another has just brought, while a third already runs it."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    within = {name: set(found.split()) for name, found in re.findall(r"^WITHIN_(\w+) *:= (.*)$", makefile, re.M)}
    steps = set(re.findall(r"\$\(VENV\)/\.(\w+)", makefile))
    assert {step: within.get(step, set()) for step in steps} == {
        step: extras_within(step) & steps - {step} for step in steps
    }


def test_the_readme_example_runs():
    blocks = re.findall(r"```python\n(.*?)```", README, re.S)
    assert blocks
    for block in blocks:
        done = subprocess.run([sys.executable, "-c", block], capture_output=True, text=True, cwd=ROOT)
        assert done.returncode == 0, done.stderr
        assert done.stdout.strip()


def test_the_readme_names_only_what_exists():
    table = [path for line in README.splitlines() if line.startswith("| `") for path in re.findall(r"`([^`]+)`", line)]
    pictures = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", README)
    assert table and pictures
    assert [path for path in [*table, *pictures] if not (ROOT / path).exists()] == []


def test_the_pages_ask_for_the_python_that_the_package_needs():
    needed = f"Python {PROJECT['requires-python'].removeprefix('>=')} or newer"
    for path in ("README.md", "book/intro.md", "Makefile"):
        assert needed in (ROOT / path).read_text(encoding="utf-8"), path


def installed_with(extra):
    """Bytes of each package here that an extra brings along, with the core and all that they ask for."""
    asked = [text for one in extras_within(extra) for text in PROJECT["optional-dependencies"][one]]
    pending = [one for one in map(Requirement, [*PROJECT["dependencies"], *asked]) if one.name != PROJECT["name"]]
    sizes, reached = {}, set()
    while pending:
        requirement = pending.pop()
        for inner in {(canonicalize_name(requirement.name), name) for name in ("", *requirement.extras)} - reached:
            reached.add(inner)
            found = metadata.distribution(inner[0])
            paths = [found.locate_file(file) for file in found.files or ()]
            sizes[inner[0]] = sum(path.stat().st_size for path in paths if path.is_file())
            every = map(Requirement, found.requires or ())
            pending += [one for one in every if one.marker is None or one.marker.evaluate({"extra": inner[1]})]
    return sizes


def test_the_readme_says_how_much_is_installed():
    """To a tenth: which wheels there are, and what is compiled, is not the same everywhere."""
    if sys.platform != "linux" or "triton" not in {one.name for one in metadata.distributions()}:
        pytest.skip("the README speaks of Linux with the accelerators' libraries")
    sizes, read = installed_with("book"), sum(installed_with("pages").values())
    accelerators = sum(size for name, size in sizes.items() if name.startswith(("nvidia-", "cuda-", "triton")))
    said = re.search(
        r"installs (\S+) GB, without PyTorch, .*\nTo run takes another (\S+) GB .* bring (\S+) GB for accel", README
    )
    assert said is not None
    expected = read, sum(sizes.values()) - read, accelerators
    assert [float(one) for one in said.groups()] == pytest.approx([one / 1e9 for one in expected], rel=0.1)


def test_the_readme_knows_the_chapters_of_the_sweeps():
    (section,) = re.findall(r"## A sweep\n(.*?)\n## ", README, re.S)
    parts = re.split(r"python -m ptft\.sweeps ([a-z-]+)", section)[1:]
    sweeps = dict(zip(parts[::2], parts[1::2], strict=True))
    assert sorted(sweeps) == sorted(NAMES)
    chapters = {
        name: re.findall(r"\d+", " ".join(re.findall(r"chapters? ([\d and]+)", text))) for name, text in sweeps.items()
    }
    assert len(chapters["vision"]) == 2 and sum(map(len, chapters.values())) > 6
    for name, numbers in chapters.items():
        for number in numbers:
            (path,) = (ROOT / "notebooks").glob(f"{int(number):02d}_*.md")
            used = rf"ptft\.sweeps(\.| import | ){name.replace('-', '[-_]')}\b"
            assert re.search(used, path.read_text(encoding="utf-8")), (name, path.name)
    assert f"(`{EXPERIMENTS[0]}` to `{EXPERIMENTS[-3]}`, `{EXPERIMENTS[-2]}` or `{EXPERIMENTS[-1]}`)" in section


def test_the_readme_and_the_front_page_show_ranges_that_parameters_have():
    sources = " ".join(path.read_text(encoding="utf-8") for path in (ROOT / "notebooks").glob("*.md"))
    (shown,) = re.findall(r"its range \(such as (.*?), see ", README)
    intro = (ROOT / "book" / "intro.md").read_text(encoding="utf-8")
    ranges = re.findall(r"`(.+?)`", shown) + re.findall(r"its comment begins: `(.+?)`", intro)
    assert len(ranges) == 3 and [one for one in ranges if f"# {one}" not in sources] == []


def unguarded(source, core):
    """What a module imports from beyond the core without naming the extra that brings it."""
    found = []

    def visit(node, guarded):
        match node:
            case ast.With(items=[ast.withitem(context_expr=ast.Call(func=ast.Name(id="needs_extra")))]):
                guarded = True
            case ast.If(test=ast.Name(id="TYPE_CHECKING")) | ast.Try():
                guarded = True
            case ast.Import(names=names) if not guarded:
                found.extend(name.name for name in names if name.name.split(".")[0] not in core)
            case ast.ImportFrom(module=module) if not guarded and module.split(".")[0] not in core:
                found.append(module)
        for child in ast.iter_child_nodes(node):
            visit(child, guarded)

    visit(ast.parse(source), False)
    return found


def test_what_an_extra_brings_is_imported_with_its_name():
    core = {Requirement(text).name for text in PROJECT["dependencies"]} | sys.stdlib_module_names | {"ptft", "cycler"}
    modules = [path for path in sorted((ROOT / "ptft").rglob("*.py")) if path.parent.name not in ("vision", "modular")]
    modules += [ROOT / "ptft" / name / "__init__.py" for name in ("vision", "modular")]  # imported before their modules
    assert {path.name: found for path in modules if (found := unguarded(path.read_text(encoding="utf-8"), core))} == {}
    assert unguarded("import os, pandas\ndef f():\n    from torch import nn", core) == ["pandas", "torch"]
    named = re.findall(r"needs_extra\(\"(\w+)\"", " ".join(path.read_text(encoding="utf-8") for path in modules))
    assert set(named) <= set(PROJECT["optional-dependencies"])


WITHOUT_EXTRAS = """
import importlib, pkgutil, sys

class Nothing:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {beyond}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Nothing())
import ptft
from ptft.book import computed_text

def attempt(call):
    try:
        call()
    except ImportError as error:
        print(error)

for module in pkgutil.walk_packages(ptft.__path__, "ptft.", onerror=lambda name: None):
    if not module.name.endswith("__main__"):
        attempt(lambda: importlib.import_module(module.name))
attempt(ptft.replica_curve(0.5, ptft.SpikeSlab(0.1, 0.1, 0.5), ptft.Initialization(0.1)).to_frame)
attempt(lambda: computed_text.state(a="b"))
attempt(lambda: computed_text.paragraph(True, "a"))
"""


def test_without_extras_whatever_fails_names_its_extra():
    core = {Requirement(text).name for text in PROJECT["dependencies"]}
    beyond = {requirement.name.replace("-", "_") for requirement in direct_requirements()} - core
    code = WITHOUT_EXTRAS.format(beyond=sorted({*beyond, "sklearn", "IPython", "yaml", "myst_nb", "matplotlib_inline"}))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) > 10 and not [
        line for line in lines if not re.fullmatch(r".* needs \w+: pip install 'ptft\[\w+\]'", line)
    ]
    assert {line.split()[0] for line in lines} >= {"to_frame", "state", "paragraph"}


def test_a_clone_that_is_not_installed_can_be_imported(tmp_path):
    shutil.copytree(ROOT / "ptft", tmp_path / "ptft", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    code = (
        "import importlib.metadata as metadata, sys\n"
        "def absent(name):\n    raise metadata.PackageNotFoundError(name)\n"
        f"metadata.version = absent; sys.path.insert(0, {str(tmp_path)!r})\n"
        "import ptft; print(ptft.__version__, ptft.__file__)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=True)
    assert done.stdout.split() == [PROJECT["version"], str(tmp_path / "ptft" / "__init__.py")]


def test_the_source_distribution_has_what_its_tests_need(tmp_path):
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    if listed.returncode:
        pytest.skip("this is no git repository")
    for name in listed.stdout.splitlines():  # the files that matter by what is in them, and the names of all others
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        if name in ("pyproject.toml", "MANIFEST.in", "README.md", "LICENSE"):
            shutil.copy(ROOT / name, tmp_path / name)
        else:
            (tmp_path / name).touch()
    expected = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    code = "from setuptools import build_meta; print(build_meta.build_sdist('dist'))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=True)
    with tarfile.open(tmp_path / "dist" / done.stdout.splitlines()[-1]) as archive:
        packed = {name.partition("/")[2] for name in archive.getnames()}
    assert "tests/conftest.py" in packed and {name for name in expected - packed if not name.startswith(".")} == set()
