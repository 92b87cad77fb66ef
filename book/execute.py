"""Run the chapters: notebooks/NN_name.md (Markdown, no outputs) becomes book/chapters/NN_name.ipynb (executed).

    python book/execute.py                        run every chapter with the parameters of book/params.yml
    python book/execute.py --stale --jobs 2       only those of which something changed, two at a time
    python book/execute.py 03_replica_solver      one chapter
    python book/execute.py 03_replica_solver -p rho_ft=0.04 -o out.ipynb
                                                  one chapter with other parameters, into a file of its own
    python book/execute.py --check                run the committed chapters again and compare what they print

Exit code: 0 done, 1 a chapter failed or the run was ended, 2 the request was refused and nothing was written.
"""

from __future__ import annotations

import argparse
import datetime
import hashlib
import json
import os
import platform
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from importlib.metadata import PackageNotFoundError, version
from multiprocessing import active_children, parent_process
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

import jupytext
import nbformat
import papermill
import yaml
from ipykernel.kernelspec import RESOURCES, get_kernel_dict
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from nbclient.exceptions import DeadKernelError

import ptft
from ptft.book.parameters import Parameter, Unfit, read, shown
from ptft.book.parameters import check as check_ranges
from ptft.files import require_writable, write_whole

ROOT = Path(__file__).resolve().parents[1]
SOURCES = ROOT / "notebooks"
CHAPTERS = ROOT / "book" / "chapters"
PARAMETERS = ROOT / "book" / "params.yml"
SANITIZE = ROOT / "tests" / "nbval_sanitize.cfg"
STAMPS = ROOT / "_build" / "stamps"
RUNS = ROOT / "book" / "runs"  # of each executed chapter when, on what and how long it was run
RUN_WITH = ("numpy", "scipy", "matplotlib", "pandas", "torch")  # the packages that its numbers and figures come from

# Of the kernels: one thread each, since chapters run side by side, and figures without a date.
ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "PYTHONHASHSEED": "0",
    "PYTHONNOUSERSITE": "1",
    "PYTHONPATH": str(Path(ptft.__file__).parents[1]),  # the package of this process
    "SOURCE_DATE_EPOCH": "0",
    "MATPLOTLIBRC": os.devnull,  # read in place of a file of the reader's
}
# A comparison also asks whether a printed number depends on the kind of processor for which OpenBLAS computes, and in
# the first chapter, which is short, on the number of its threads.
OTHER_PROCESSOR = {"OPENBLAS_CORETYPE": "Haswell"}
TWO_THREADS = {"OMP_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "2", "MKL_NUM_THREADS": "2"}
DRAFT = "PTFT_DRAFT"  # as in ptft.figures.page_style, which loads matplotlib in the environment of the reader
# Threads that wait give way to the chapters beside them, and figures, which it doesn't compare, are drawn once.
COMPARING = OTHER_PROCESSOR | {"OPENBLAS_THREAD_TIMEOUT": "4", "OMP_WAIT_POLICY": "PASSIVE", DRAFT: "1"}
# What the reader has set for other programs, and what would change a chapter or hide that it changed.
FOREIGN = ("PYTHON", "IPYTHON", "JUPYTER", "MPLBACKEND", "PYTEST", "COLUMNS", "LINES", DRAFT)
SHOWN = "image/svg+xml"  # what a cell with a figure puts on the page


class Refused(ValueError):
    """A request that names something unknown or unfit; raised before anything runs or is written."""


class Failed(RuntimeError):
    """A chapter that did not run to its end without complaint."""


# ---------------------------------------------------------------------------------------------- what there is


def sources() -> dict[str, Path]:
    """The chapters' sources by stem, in the order of the book."""
    return {path.stem: path for path in sorted(SOURCES.glob("[0-9][0-9]_*.md"))}


def source(stem: str) -> nbformat.NotebookNode:
    """The source of a chapter as a notebook without outputs."""
    try:
        return jupytext.read(sources()[stem])
    except Exception as error:  # of YAML or of jupytext: a head or the options of a cell that cannot be read
        raise Refused(f"notebooks/{stem}.md cannot be read: {' '.join(str(error).split())}") from None


def output(stem: str) -> Path:
    """Where the executed chapter belongs."""
    return CHAPTERS / f"{stem}.ipynb"


def read_parameters(stem: str) -> dict[str, Parameter]:
    """What the cell tagged `parameters` of a chapter assigns: names, defaults and ranges."""
    cells = [cell for cell in source(stem).cells if "parameters" in cell.metadata.get("tags", [])]
    if len(cells) != 1:
        raise Refused(f"{stem} has {len(cells)} cells tagged `parameters`: it must have exactly one")
    try:
        return read(cells[0].source)
    except ValueError as error:
        raise Refused(f"{stem}, the parameters cell: {error}") from None


# ------------------------------------------------------------------------------------------------- parameters


class _Yaml(yaml.SafeLoader):  # type: ignore[misc]  # PyYAML has no types
    """YAML whose numbers are Python's, and in whose mappings a name stands once.

    YAML 1.1 would read 1e-3 as text, 010 as eight and 1:30 as ninety, and would keep the last of repeated names.
    """

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """The mapping; an error where a key repeats."""
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        if repeated := {str(key) for key in keys if keys.count(key) > 1}:
            raise yaml.constructor.ConstructorError(
                None, None, f"{', '.join(sorted(repeated))} is given twice", node.start_mark
            )
        mapping: dict[Any, Any] = super().construct_mapping(node, deep)
        return mapping

    def construct_number(self, node: yaml.ScalarNode) -> float:
        """A number as Python reads it."""
        text = self.construct_scalar(node).lower()
        return int(text, 0) if node.tag.endswith(":int") else float(text.replace(".inf", "inf").replace(".nan", "nan"))


_NUMBERS = {"tag:yaml.org,2002:int", "tag:yaml.org,2002:float"}
_Yaml.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag not in _NUMBERS]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
for _tag, _pattern in (
    ("tag:yaml.org,2002:int", r"[-+]?(0|[1-9](_?\d)*|0[xX][\da-fA-F]+|0[oO][0-7]+|0[bB][01]+)$"),
    ("tag:yaml.org,2002:float", r"[-+]?((\d+\.\d*|\.\d+)([eE][-+]?\d+)?|\d+[eE][-+]?\d+|\.(inf|Inf|INF|nan|NaN|NAN))$"),
):
    _Yaml.add_implicit_resolver(_tag, re.compile(_pattern), list("-+.0123456789"))
    _Yaml.add_constructor(_tag, _Yaml.construct_number)


def checked(given: dict[str, Any], known: dict[str, Parameter], stem: str) -> dict[str, Any]:
    """`given` with every value of the kind and in the range of the chapter; Refused names what the chapter knows."""
    menu = f"Parameters of {stem}:\n" + "\n".join(
        f"    {name} = {one.default!r}  {one.text}" for name, one in known.items()
    )
    if unknown := [name for name in given if name not in known]:
        raise Refused(f"unknown parameter {', '.join(map(repr, unknown))}. {menu}")
    try:
        values = check_ranges(known, given)
    except Unfit as unfit:
        raise Refused(f"{unfit}. {menu}") from None
    return {name: values[name] for name in given}


def book_parameters() -> dict[str, dict[str, Any]]:
    """The parameters of each chapter in book/params.yml, checked against the sources."""
    known = sources()
    try:
        listed = yaml.load(PARAMETERS.read_text(encoding="utf-8"), _Yaml)
    except Exception as error:  # a YAML constructor lets whatever its parts raise pass
        raise Refused(f"{PARAMETERS.name} is not YAML: {' '.join(str(error).split())}") from None
    listed = {} if listed is None else listed
    if not isinstance(listed, dict):
        raise Refused(f"{PARAMETERS.name} is not allowed: it must map chapters to parameters")
    if unknown := [str(stem) for stem in listed if stem not in known]:
        raise Refused(f"{PARAMETERS.name}: unknown chapter {', '.join(unknown)}. Chapters: {', '.join(known)}")
    found = {}
    for stem in known:
        given = {} if listed.get(stem) is None else listed[stem]
        if not isinstance(given, dict):
            raise Refused(f"{PARAMETERS.name}: {stem} = {shown(given)} is not allowed: it must map names to values")
        try:
            found[stem] = checked(given, read_parameters(stem), stem)
        except Refused as refusal:
            raise Refused(f"{PARAMETERS.name}: {refusal}" if given else str(refusal)) from None
    return found


def assignments(pairs: list[str]) -> dict[str, Any]:
    """The NAME=VALUE pairs of the command line, values read as YAML."""
    result: dict[str, Any] = {}
    for pair in pairs:
        name, equals, text = (part.strip() for part in pair.partition("="))
        if not equals:
            raise Refused(f"-p {pair!r} is not allowed: it must be NAME=VALUE")
        if name in result:
            raise Refused(f"-p {pair!r} is not allowed: {name} is given twice")
        try:
            node = yaml.compose(text, _Yaml)
            result[name] = yaml.load(text, _Yaml)
        except Exception:  # a YAML constructor lets whatever its parts raise pass
            raise Refused(f"-p {pair!r} is not allowed: {text!r} is not a YAML value") from None
        if node and (rest := text[node.end_mark.index :].strip()):
            raise Refused(f"-p {pair!r} is not allowed: YAML takes no notice of {rest!r}; quote the whole value")
    return result


# -------------------------------------------------------------------------------------------- running a chapter


def environment(profiles: str) -> dict[str, str]:
    """The environment of every kernel: the reader's, without what is meant for other programs.

    `profiles` is an empty folder, in which IPython finds no profile of the reader's.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
    return kept | ENVIRONMENT | {"IPYTHONDIR": profiles}


class Kernel(AsyncKernelManager):
    """The kernel of this interpreter, whatever kernels the reader has installed, in the environment of the book."""

    @property
    def kernel_spec(self) -> KernelSpec:
        """How it is started."""
        return KernelSpec(resource_dir=RESOURCES, **get_kernel_dict())

    async def start_kernel(self, **options: Any) -> None:  # type: ignore[override]  # it has both kinds
        """Start it, with a folder of its own for all that it writes about itself."""
        self._folder = tempfile.TemporaryDirectory()
        self.connection_file = str(Path(self._folder.name, "connection.json"))
        if os.name == "posix":  # a TCP port that is free may be taken before the kernel has it
            self.transport, self.ip = "ipc", str(Path(self._folder.name, "kernel"))
        await super().start_kernel(env=environment(self._folder.name), **options)


def execute(stem: str, parameters: dict[str, Any]) -> nbformat.NotebookNode:
    """Run one chapter from its source and return it, in a form that is the same byte for byte in every run.

    Raises Failed, with the traceback of the cell, where a cell raises, the kernel dies or something reaches stderr.
    """
    CHAPTERS.mkdir(parents=True, exist_ok=True)
    try:
        done = papermill.execute_notebook(
            source(stem),
            None,
            parameters=parameters,
            kernel_name="python3",
            cwd=CHAPTERS,
            progress_bar=False,
            kernel_manager_class=Kernel,
            extra_arguments=["--IPKernelApp.log_level=CRITICAL"],  # the kernel's own log, not the chapter's stderr
        )
    except papermill.PapermillExecutionError as error:
        raise Failed(f"{stem}, cell {error.cell_index}:\n" + "\n".join(error.traceback)) from None
    except (DeadKernelError, RuntimeError) as error:  # the latter where it does not even start
        raise Failed(f"{stem}: {error}") from None
    if wrong := complaint(done):
        raise Failed(f"{stem}: {wrong}")
    return normalised(done, stem, parameters)


def complaint(notebook: nbformat.NotebookNode) -> str:
    """What is wrong with the outputs of an executed chapter: text on stderr, or a figure that is not there once."""
    for cell in notebook.cells:
        outputs = cell.get("outputs", [])
        for out in outputs:
            if out.output_type == "stream" and out.name == "stderr":
                return f"a cell wrote to stderr:\n{cell.source}\n\n{out.text}"
        pictures = sum(SHOWN in out.get("data", {}) for out in outputs)
        if "figure" in cell.metadata.get("mystnb", {}) and pictures != 1:
            return f"a cell with a figure shows {pictures} pictures instead of one:\n{cell.source}"
    return ""


def normalised(notebook: nbformat.NotebookNode, stem: str, parameters: dict[str, Any]) -> nbformat.NotebookNode:
    """The executed notebook without what differs from run to run: times, random ids, the chunking of streams."""
    for i, cell in enumerate(notebook.cells):
        cell["id"] = f"{stem[:50]}-{i:03d}"
        for key in ("execution", "papermill"):
            cell.metadata.pop(key, None)
        tags = cell.metadata.get("tags", [])
        if "injected-parameters" in tags and "hide-input" not in tags:
            cell.metadata["tags"] = [*tags, "hide-input"]
        if cell.cell_type == "code":
            cell["outputs"] = _joined_streams(cell.outputs)
    notebook.metadata = nbformat.from_dict(
        {
            "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
            "language_info": {"name": "python", "file_extension": ".py", "pygments_lexer": "ipython3"},
            "ptft": {"source": f"notebooks/{stem}.md", "parameters": parameters, "version": ptft.__version__},
        }
    )
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    nbformat.validate(notebook)
    return notebook


def _joined_streams(outputs: list[Any]) -> list[Any]:
    joined: list[Any] = []
    for out in outputs:
        if joined and out.output_type == "stream" and joined[-1].get("name") == out.name:
            joined[-1]["text"] += out.text
        else:
            joined.append(out)
    return joined


def write(text: str, path: Path) -> None:
    """Write the file whole or not at all, in a folder that is made where it is missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, text.encode())


def record(stem: str, seconds: float) -> dict[str, Any]:
    """What the status page says of the run of a chapter that has just been written, which differs from run to run."""
    versions = {"python": platform.python_version(), "ptft": ptft.__version__}
    for name in RUN_WITH:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:  # of an extra without which some chapters run
            continue
    return {
        "chapter": hashlib.sha256(output(stem).read_bytes()).hexdigest(),
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "seconds": round(seconds),
        "versions": versions,
    }


# ------------------------------------------------------------------------------------------ what is out of date


def fingerprint(stem: str, parameters: dict[str, Any]) -> str:
    """A digest of all that the run of a chapter depends on."""
    code = sorted((ROOT / "ptft").rglob("*.py"))
    results = sorted(path for path in (ROOT / "book" / "results").rglob("*") if path.is_file())
    text = json.dumps([ptft.__version__, parameters], sort_keys=True)
    return _sealed(text, sources()[stem], Path(__file__), ROOT / "constraints.txt", *code, *results)


def digest(stem: str, parameters: dict[str, Any], *further: Path) -> str:
    """A digest of all that a chapter depends on and of the executed chapter itself (and of files named further)."""
    return _sealed(fingerprint(stem, parameters), output(stem), *further)


def _sealed(text: str, *files: Path) -> str:
    total = hashlib.sha256(text.encode())
    for path in files:
        content = path.read_bytes() if path.exists() else b"absent"
        total.update(f"\n{path.relative_to(ROOT)} {hashlib.sha256(content).hexdigest()}".encode())
    return total.hexdigest()


def _stamp(task: str, stem: str) -> dict[str, Any]:
    try:
        stamp: dict[str, Any] = json.loads((STAMPS / task / f"{stem}.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return stamp


def _put_stamp(task: str, stem: str, mark: str, seconds: float = 0.0) -> None:
    text = json.dumps({"digest": mark, "seconds": round(seconds, 1)})
    write(text + "\n", STAMPS / task / f"{stem}.json")


# -------------------------------------------------------------------------------------------------- the commands


def _run(stem: str, parameters: dict[str, Any]) -> None:
    """Run one chapter into the book, and note from what: an edit made meanwhile counts as a change."""
    start, inputs = time.monotonic(), fingerprint(stem, parameters)
    print(f"{stem}: running", flush=True)
    write(nbformat.writes(execute(stem, parameters)), output(stem))
    seconds = time.monotonic() - start
    write(json.dumps(record(stem, seconds), indent=1) + "\n", RUNS / f"{stem}.json")
    _put_stamp("run", stem, _sealed(inputs, output(stem)), seconds)
    print(f"{stem}: done in {seconds:.0f} s", flush=True)


def run_book(stems: list[str], jobs: int = 1, stale_only: bool = False) -> int:
    """Run chapters into book/chapters, `jobs` at a time, the longest first; the number that failed."""
    parameters = book_parameters()
    if stale_only:
        current = [stem for stem in stems if _stamp("run", stem).get("digest") == digest(stem, parameters[stem])]
        stems = [stem for stem in stems if stem not in current]
        if current:
            print(f"up to date: {', '.join(current)}", flush=True)
    stems = sorted(stems, key=lambda stem: -_stamp("run", stem).get("seconds", float("inf")))
    failures = 0
    with ProcessPoolExecutor(max_workers=max(1, min(jobs, len(stems))), initializer=_end_with_parent) as pool:
        running = {pool.submit(_run, stem, parameters[stem]): stem for stem in stems}
        try:
            for future in as_completed(running):
                stem = running[future]
                try:
                    future.result()
                except (Failed, OSError) as failure:
                    failures += 1
                    print(f"{failure}\n{stem}: FAILED, the previous output is kept", file=sys.stderr, flush=True)
        except KeyboardInterrupt:
            for child in active_children():
                child.kill()  # its kernel ends within a second of it; leaving `with` waits for what lives
            raise
    return failures


def _end_with_parent() -> None:
    """In a process of the pool: end when the process that started it is gone, however that came about."""
    parent = parent_process()
    assert parent is not None

    def watch() -> None:
        wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def run_aside(stem: str, changes: dict[str, Any], out: Path, force: bool) -> int:
    """Run one chapter with other parameters into a file outside the book; the number that failed."""
    values = checked(book_parameters()[stem] | changes, read_parameters(stem), stem)
    try:
        _require_free(out, force)
    except (OSError, RuntimeError, ValueError) as error:  # a name too long, links in a circle, a null character
        raise Refused(f"-o {str(out)!r} is not allowed: {error}") from None
    try:
        write(nbformat.writes(execute(stem, values)), out)
    except (Failed, OSError) as failure:
        print(failure, file=sys.stderr)
        return 1
    return 0


def _require_free(out: Path, force: bool) -> None:
    """Raise unless a chapter may be written there."""
    if out.suffix != ".ipynb":
        raise ValueError("it must end in .ipynb")
    folder = out.resolve().parent
    if CHAPTERS in (folder, *folder.parents):
        raise ValueError("book/chapters holds the chapters as the book shows them")
    if not folder.is_dir():
        raise ValueError(f"there is no directory {out.parent}")
    if out.exists() and not out.is_file():
        raise ValueError("it is a directory or a device")
    if out.exists() and not force:
        raise ValueError(f"{out} exists; give another name, or --force to overwrite it")
    require_writable(folder, "the folder")


def check(stems: list[str], jobs: int = 1, stale_only: bool = False) -> int:
    """Run executed chapters again under nbval, which compares everything but figures; the exit code of pytest.

    They run for another kind of processor, unless the reader has chosen one, and the book's first with two threads.
    """
    parameters = book_parameters()
    if absent := [stem for stem in stems if not output(stem).exists()]:
        raise Refused(f"not executed yet: {', '.join(absent)}. Run python book/execute.py first")
    for stem in stems:
        if wrong := complaint(nbformat.read(output(stem), as_version=4)):
            print(f"{stem}: {wrong}", file=sys.stderr)
            return 1
    marks = {stem: digest(stem, parameters[stem], SANITIZE) for stem in stems}
    if stale_only:
        marks = {stem: mark for stem, mark in marks.items() if _stamp("check", stem).get("digest") != mark}
    if not marks:
        print("nothing changed since the chapters were last checked", flush=True)
        return 0
    first = [stem for stem in marks if stem == next(iter(sources()))]
    others = [stem for stem in marks if stem not in first]
    groups = [([*others], jobs, {}), ([*first], 1, TWO_THREADS)]
    code = _compare([group for group in groups if group[0]])
    if code == 0:
        for stem, mark in marks.items():
            _put_stamp("check", stem, mark)
    return code


def _compare(groups: list[tuple[list[str], int, dict[str, str]]]) -> int:
    """Chapters under nbval, in groups side by side: their stems, how many at a time, and their environment's own part.

    The first group tells its progress; what the others say follows.
    """
    running: list[subprocess.Popen[str]] = []
    with tempfile.TemporaryDirectory() as home:
        try:
            for i, (stems, jobs, settings) in enumerate(groups):
                command = [
                    *(sys.executable, "-m", "pytest", "--nbval", "--nbval-current-env", "--nbval-cell-timeout", "900"),
                    *("--nbval-sanitize-with", str(SANITIZE), "-p", "no:cacheprovider"),
                    *("-n", str(jobs), "--dist", "loadfile", "--no-loadscope-reorder"),
                    *(str(output(stem)) for stem in stems),
                ]
                around = COMPARING | environment(f"{home}/{i}") | settings
                said = subprocess.PIPE if i else None
                running.append(
                    subprocess.Popen(command, cwd=ROOT, env=around, stdout=said, text=True, start_new_session=True)
                )
            for process in running:
                print(process.communicate()[0] or "", end="", flush=True)
        except KeyboardInterrupt:
            for process in running:
                os.killpg(process.pid, signal.SIGKILL)  # pytest and its workers; their kernels end soon after them
            raise
    return max(process.returncode for process in running)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("chapters", nargs="*", metavar="CHAPTER", help="stems such as 03_replica_solver; default: all")
    parser.add_argument("-p", dest="parameters", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("-o", dest="out", type=Path, metavar="OUT.ipynb", help="where a changed chapter goes")
    parser.add_argument("--force", action="store_true", help="overwrite an existing OUT.ipynb")
    parser.add_argument("--check", action="store_true", help="run again and compare instead of writing")
    parser.add_argument("--stale", action="store_true", help="leave out chapters of which nothing changed")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="chapters at a time; default 1")
    return parser


def main(argv: list[str] | None = None) -> int:
    """The command line; returns the exit code."""
    given = _parser().parse_args(argv)
    os.environ.pop("MPLBACKEND", None)  # of no use here, and matplotlib cannot be imported where it names no backend
    # Builds the font cache here: in a kernel its notice would count as a complaint of the chapter.
    import matplotlib.font_manager  # noqa: F401

    try:
        package = Path(ptft.__file__).resolve().parent
        if package != ROOT / "ptft" and (ROOT / "ptft" / "__init__.py").exists():
            raise Refused(f"Python finds ptft in {package.parent} instead of {ROOT}: run pip install -e . here")
        known = sources()
        if unknown := [stem for stem in given.chapters if stem not in known]:
            raise Refused(f"unknown chapter {', '.join(unknown)}. Chapters: {', '.join(known)}")
        stems = given.chapters or list(known)
        if given.jobs < 1:
            raise Refused(f"--jobs {given.jobs} is not allowed: it must be at least 1")
        if given.parameters and not given.out:
            raise Refused("-p needs -o OUT.ipynb: the book's own chapters keep the parameters of book/params.yml")
        if given.out and (len(given.chapters) != 1 or given.check or given.stale):
            raise Refused("-o needs exactly one chapter, and neither --check nor --stale")
        if given.out:
            return run_aside(stems[0], assignments(given.parameters), given.out, given.force)
        if given.check:
            return check(stems, given.jobs, given.stale)
        return 1 if run_book(stems, given.jobs, given.stale) else 0
    except Refused as refusal:
        print(f"execute.py: {refusal}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("execute.py: ended by a signal, and all its processes with it; what was done is kept", file=sys.stderr)
        return 1


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C
    sys.exit(main())
