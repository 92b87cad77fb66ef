"""Running chapters: what is refused, what is written, what is run again, and what a re-run notices."""

import functools
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import nbformat
import numpy as np
import pytest
from conftest import ROOT, family, left_of, load_runner

import ptft
from ptft.figures import page_style

HEADER = """---
jupytext:
  text_representation: {extension: .md, format_name: myst}
kernelspec: {name: python3, display_name: Python 3, language: python}
---

"""
CHAPTER = (
    HEADER
    + """# A chapter

```{code-cell} python3
:tags: [parameters, hide-input]
rho = 0.5  # (0, 10]  a number
n = 3  # [1, 10]  a whole number
alpha = [0.1, 1]  # 1 to 4 in [0, 1]
label = "text"  # text
noisy = False  # {True, False}
```

```{code-cell} python3
import sys
print(f"{n * rho:.2f}", label)
sys.stdout.flush()
print(sum(alpha))
```
"""
)
OTHER = (
    HEADER
    + """# Another

```{code-cell} python3
:tags: [parameters]
m = 2  # [1, 9]
```

```{code-cell} python3
:tags: [remove-cell]
from ptft.book import parameters

parameters.require(globals())
```

```{code-cell} python3
print(m)
```
"""
)

FIGURE = (
    HEADER
    + """# A figure

```{code-cell} python3
:tags: [parameters]
m = 2  # [1, 9]
```

```{code-cell} python3
import os
import shutil
import sys
import matplotlib.pyplot as plt
import ptft
from ptft import figures
figures.style()
kept = {name: os.environ[name] for name in sorted(os.environ) if name.startswith(("PYTHON", "JUPYTER"))}
print(sys.executable, ptft.__file__, sys.flags, kept, shutil.get_terminal_size(), "sitecustomize" in sys.modules)
```

```{code-cell} python3
---
mystnb: {figure: {name: fig-one, caption: "One."}, image: {alt: "One line"}}
---
fig, axes = figures.figure()
axes[0, 0].plot([0, 1], [0, m])
fig
plt.show()
```
"""
)
MATPLOTLIBRC = """text.usetex: True
font.family: serif
axes.facecolor: red
axes.prop_cycle: cycler("color", ["k"])
axes.xmargin: 0.3
axes.formatter.limits: -1, 1
axes.titlecolor: green
axes.unicode_minus: False
figure.dpi: 30
figure.subplot.left: 0.4
grid.linestyle: :
image.cmap: jet
legend.loc: center
lines.linestyle: --
lines.marker: x
path.simplify: False
savefig.bbox: tight
savefig.transparent: True
scatter.marker: s
svg.image_inline: False
xtick.direction: in
xtick.labelsize: 30
ytick.minor.visible: True
pdf.compression: 0
contour.linewidth: 9
errorbar.capsize: 9
figure.max_open_warning: 1
"""
PROFILE = """c = get_config()
c.InteractiveShell.ast_node_interactivity = "all"
c.InlineBackend.close_figures = False
c.InlineBackend.figure_formats = {"retina"}
c.InlineBackend.rc = {"lines.linewidth": 9}
c.InlineBackend.print_figure_kwargs = {"facecolor": "red"}
"""


@pytest.fixture
def hostile(tmp_path):
    """Settings of a reader who uses matplotlib, IPython, Jupyter and pytest for other things than this book."""
    home = tmp_path / "home"

    def put(path, text):
        (home / path).parent.mkdir(parents=True, exist_ok=True)
        (home / path).write_text(text)
        return str(home / path)

    spec = {"argv": ["false", "{connection_file}"], "display_name": "mine", "language": "python"}
    put("jupyter/kernels/python3/kernel.json", json.dumps(spec))
    put(".ipython/profile_default/ipython_config.py", PROFILE)
    put(".ipython/profile_default/startup/00.py", "print('started')")
    noise = "import sys; print('custom', file=sys.stderr)"
    put("site/sitecustomize.py", noise)
    return {
        "HOME": str(home),
        "MPLBACKEND": "no backend at all",
        "MATPLOTLIBRC": put("matplotlibrc", MATPLOTLIBRC),
        "IPYTHONDIR": str(home / ".ipython"),
        "JUPYTER_PATH": str(home / "jupyter"),
        "JUPYTER_RUNTIME_DIR": "/dev/null/none",
        "PYTHONSTARTUP": put("startup.py", noise + "; sys.exit(1)"),
        "PYTHONPATH": os.pathsep.join([str(Path(ptft.__file__).parents[1]), str(home / "site")]),
        "PYTHONOPTIMIZE": "2",
        "PYTHONWARNINGS": "always",
        "PYTEST_ADDOPTS": "-k nothing",
        "COLUMNS": "20",
        "OMP_NUM_THREADS": "7",
        "PTFT_DRAFT": "yes",
    }


@pytest.fixture
def book(tmp_path, monkeypatch):
    """A small book with two chapters and a runner of its own."""
    (tmp_path / "book" / "results").mkdir(parents=True)
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "tests").mkdir()
    (tmp_path / "ptft").mkdir()
    shutil.copy(ROOT / "book" / "execute.py", tmp_path / "book")
    shutil.copy(ROOT / "tests" / "nbval_sanitize.cfg", tmp_path / "tests")
    (tmp_path / "constraints.txt").write_text("a==1\n")
    (tmp_path / "ptft" / "module.py").write_text("x = 1\n")
    (tmp_path / "book" / "results" / "data.csv").write_text("1\n")
    (tmp_path / "book" / "params.yml").write_text("02_other: {m: 5}\n")
    (tmp_path / "notebooks" / "01_first.md").write_text(CHAPTER)
    (tmp_path / "notebooks" / "02_other.md").write_text(OTHER)
    runner = load_runner(tmp_path)
    for name, value in runner.ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    return runner


def command(book, *arguments, **settings) -> subprocess.CompletedProcess:
    script = book.ROOT / "book" / "execute.py"
    return subprocess.run(
        [sys.executable, script, *arguments],
        capture_output=True,
        text=True,
        cwd=book.ROOT,
        env={**os.environ, **settings},
    )


def files(root: Path) -> set[Path]:
    return {path for path in root.rglob("*") if "__pycache__" not in path.parts}


def shown(path: Path) -> list[str]:
    """What the cells of a notebook printed."""
    cells = nbformat.read(path, as_version=4).cells
    return [output.text for cell in cells for output in cell.get("outputs", []) if output.output_type == "stream"]


# -------------------------------------------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("03_none", ["03_none", "01_first", "02_other"]),
        (
            "01_first -p sigma=1 -o out.ipynb",
            ["'sigma'", "rho = 0.5", "n = 3  [1, 10]", "alpha = [0.1, 1]", "label = 'text'"],
        ),
        ("01_first -p rho=abc -o out.ipynb", ["rho = 'abc'", "a number", "rho = 0.5"]),
        ("01_first -p rho=true -o out.ipynb", ["rho = True", "a number"]),
        ("01_first -p rho= -o out.ipynb", ["rho = None", "a number"]),
        ("01_first -p rho=0 -o out.ipynb", ["rho = 0 ", "(0, 10]"]),
        ("01_first -p rho=.nan -o out.ipynb", ["rho = nan", "(0, 10]"]),
        ("01_first -p rho=.inf -o out.ipynb", ["rho = inf", "(0, 10]"]),
        ("01_first -p rho=1e999 -o out.ipynb", ["rho = inf", "(0, 10]"]),
        ("01_first -p rho=1 -p rho=2 -o out.ipynb", ["rho is given twice"]),
        ("01_first -p =1 -o out.ipynb", ["unknown parameter ''"]),
        ("01_first -p n=11 -o out.ipynb", ["n = 11 ", "[1, 10]"]),
        ("01_first -p n=2.5 -o out.ipynb", ["n = 2.5", "a whole number"]),
        ("01_first -p n=[2] -o out.ipynb", ["n = [2]", "a whole number"]),
        ("01_first -p alpha=0.1 -o out.ipynb", ["alpha = 0.1", "a list"]),
        ("01_first -p alpha=[0.1,x] -o out.ipynb", ["alpha = [0.1, 'x']", "each element"]),
        ("01_first -p alpha=[] -o out.ipynb", ["alpha = []", "1 to 4 in [0, 1]"]),
        ("01_first -p alpha=[0,0,0,0,0] -o out.ipynb", ["alpha = [0, 0, 0, 0, 0]", "1 to 4 in [0, 1]"]),
        ("01_first -p alpha=[0.5,2] -o out.ipynb", ["alpha = [0.5, 2]", "1 to 4 in [0, 1]"]),
        ("01_first -p alpha=[true] -o out.ipynb", ["alpha = [True]", "each element"]),
        ("01_first -p alpha='{a: 1}' -o out.ipynb", ["alpha = {'a': 1}", "a list"]),
        ("01_first -p label= -o out.ipynb", ["label = None", "text"]),
        ("01_first -p label=2001-99-99 -o out.ipynb", ["not a YAML value"]),
        ("01_first -p label=!!float -o out.ipynb", ["not a YAML value"]),
        ("01_first -p label=7 -o out.ipynb", ["label = 7", "text"]),
        ("01_first -p noisy=1 -o out.ipynb", ["noisy = 1", "true or false"]),
        ("01_first -p rho -o out.ipynb", ["NAME=VALUE"]),
        ("01_first -p n=010 -o out.ipynb", ["n = '010'", "a whole number"]),
        ("01_first -p n=1:30 -o out.ipynb", ["n = '1:30'", "a whole number"]),
        ("01_first -p rho=1:30.5 -o out.ipynb", ["rho = '1:30.5'", "a number"]),
        ("01_first -p 'label=all #1' -o out.ipynb", ["no notice of '#1'", "quote"]),
        ("01_first -p rho=1 -o ''", ["must end in .ipynb"]),
        ("01_first -p rho=1 -o there.ipynb/out.ipynb", ["no directory there.ipynb"]),
        ("01_first -p rho=1 -o book/chapters/none/out.ipynb", ["as the book shows them"]),
        ("01_first -p rho=1 -o book --force", ["must end in .ipynb"]),
        (f"01_first -p rho=1 -o {'a' * 300}.ipynb", ["File name too long"]),
        ("01_first -p rho=1 -o /proc/out.ipynb", ["cannot be written"]),
        ("01_first -p rho=[1 -o out.ipynb", ["not a YAML value"]),
        ("01_first -p rho=0.1", ["-p needs -o"]),
        ("01_first 02_other -p rho=0.1 -o out.ipynb", ["exactly one chapter"]),
        ("-p rho=0.1 -o out.ipynb", ["exactly one chapter"]),
        ("01_first -p rho=0.1 -o out.md", ["must end in .ipynb"]),
        ("01_first -p rho=0.1 -o none/out.ipynb", ["no directory none"]),
        ("01_first -p rho=0.1 -o book/chapters/01_first.ipynb --force", ["as the book shows them"]),
        ("01_first -p rho=0.1 -o there.ipynb", ["there.ipynb exists", "--force"]),
        ("--jobs 0", ["--jobs 0"]),
        ("--check", ["not executed yet: 01_first, 02_other"]),
    ],
)
def test_an_unfit_request_is_refused_and_writes_nothing(book, capsys, monkeypatch, arguments, said):
    monkeypatch.chdir(book.ROOT)
    Path("there.ipynb").write_text("kept")
    before = files(book.ROOT)
    assert book.main(shlex.split(arguments)) == 2
    message = capsys.readouterr().err
    assert all(words in message for words in said), message
    assert files(book.ROOT) == before and Path("there.ipynb").read_text() == "kept"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        *(("09_none: {}", "unknown chapter 09_none"), ("02_other: {k: 1}", "'k'"), ("02_other: {m: a}", "m = 'a'")),
        *(("02_other: {m: 10}", "its range is [1, 9]"), ("02_other: {m: 1, m: 2}", "m is given twice")),
        *(("02_other: [1]", "02_other = [1]"), ("- 02_other", "must map chapters"), ("a: [", "not YAML")),
        *(("{1: {}}", "unknown chapter 1"), ("02_other: {1: 2}", "unknown parameter 1")),
        *(
            ("02_other: {m: 010}", "m = '010'"),
            ("02_other: {m: 1:30}", "m = '1:30'"),
            ("02_other: {m: !!int 010}", "YAML"),
        ),
        *(("02_other: []", "02_other = []"), ("02_other: 0", "02_other = 0"), ("false", "must map chapters")),
    ],
)
def test_the_parameters_of_the_book_are_checked_too(book, capsys, text, said):
    book.PARAMETERS.write_text(text)
    before = files(book.ROOT)
    assert book.main([]) == 2
    assert said in capsys.readouterr().err
    assert files(book.ROOT) == before


PIECES = [
    *("1", "010", "1:30", "0x1F", "0b2", "1_0", "1e400", "-0", ".inf", ".nan", "9" * 5000, "0x" + "f" * 5000, "1.5.2"),
    *(
        "~",
        "yes",
        "a",
        "é",
        "[",
        "]",
        "{",
        "}",
        ": ",
        ":",
        ", ",
        " #",
        "&a ",
        "*a",
        "- ",
        "? ",
        "<<: ",
        "|",
        ">",
        "%",
        "@",
    ),
    *(
        "!!int ",
        "!!float ",
        "!!binary ",
        "!!set ",
        "!!python/object:os.system ",
        "!x ",
        "`",
        "'",
        '"',
        "\\",
        "\t",
        "\n",
    ),
    *("\0", "\ud800", "2001-01-01", "2001-99-99", "=", "---\n", "...\n", "&a [*a]", "[" * 600, "m: 5", "rho", "label"),
]


def pieces(rng):
    return "".join(rng.choice(PIECES, rng.integers(1, 4)))


def test_a_slip_in_a_request_is_accepted_or_refused_but_no_crash(book, capsys, monkeypatch):
    monkeypatch.setattr(book, "source", functools.cache(book.source))
    monkeypatch.setattr(book, "execute", lambda stem, values: nbformat.v4.new_notebook())
    monkeypatch.chdir(book.ROOT)
    sys.stderr.reconfigure(errors="backslashreplace")  # as outside of pytest
    Path("loop").symlink_to("loop")
    Path("directory.ipynb").mkdir()
    os.mkfifo("fifo.ipynb")
    Path("there.ipynb").write_text("kept")
    params = book.PARAMETERS.read_text()
    folders = [
        "",
        ".",
        "none",
        "loop",
        "a" * 300,
        "there.ipynb",
        "directory.ipynb",
        "book/chapters",
        "é\udcff",
        "\0",
        "~",
    ]
    names = ["out", "there", "directory", "fifo", "", ".", "a" * 300, "\0", "\udcff", " ", "-"]
    rng = np.random.default_rng(0)
    codes = []
    for _ in range(600):
        where, name = "out.ipynb", ""
        match rng.integers(4):
            case 0:
                name = f"{rng.choice(['rho', 'n', 'alpha', 'label', 'noisy'])}={pieces(rng)}"
            case 1:
                name = f"{pieces(rng)}={pieces(rng)}"
            case 2:
                where = os.path.join(
                    rng.choice(folders), rng.choice(names) + rng.choice(["", ".ipynb", ".IPYNB", ".md"])
                )
            case 3:
                mapping = params.rstrip("\n")
                start = int(rng.integers(len(mapping)))
                mapping = mapping[:start] + pieces(rng) + mapping[start + int(rng.integers(4)) :]
                book.PARAMETERS.write_text(mapping, encoding="utf-8", errors="surrogatepass")
        command = [
            "01_first",
            *([f"-p{name}"] if name else []),
            *([f"-o{where}"] if where else ["-o", ""]),
            *(["--force"] if where == "out.ipynb" else []),
        ]
        codes.append(book.main(command))
        said = capsys.readouterr().err
        assert codes[-1] in (0, 2) and bool(said) == bool(codes[-1]), command
        assert len(said.partition("Parameters of")[0].strip().splitlines()) == codes[-1] // 2, said
        book.PARAMETERS.write_text(params)
    assert codes.count(2) > 300 and codes.count(0) > 10
    assert Path("there.ipynb").read_text() == "kept" and not list(book.CHAPTERS.glob("*"))


@pytest.mark.parametrize("head", ["tags: [", "tags: {a: b"])
def test_a_source_that_cannot_be_read_is_named(book, capsys, head):
    (book.SOURCES / "02_other.md").write_text(OTHER.replace(":tags: [parameters]", f"---\n{head}\n---"))
    assert book.main(["02_other"]) == 2
    assert "notebooks/02_other.md cannot be read" in capsys.readouterr().err


@pytest.mark.parametrize("cell", ["x = [i for i in range(3)]", "import os", "x, y = 1, 2", "f(1)", "x = None"])
def test_a_parameter_must_be_a_literal(book, capsys, cell):
    (book.SOURCES / "02_other.md").write_text(OTHER.replace("m = 2  # [1, 9]", cell))
    assert book.main(["02_other"]) == 2
    assert cell in capsys.readouterr().err


def test_a_parameter_must_have_a_range(book, capsys):
    (book.SOURCES / "02_other.md").write_text(OTHER.replace("# [1, 9]", "# a number"))
    assert book.main(["02_other"]) == 2
    assert "02_other, the parameters cell: m: 'a number' is not a range" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("pair", "value"),
    [
        *(("rho=1", 1.0), ("rho=1e-3", 1e-3), ("rho=2.5E0", 2.5), ("n=7", 7), ("label=sparse", "sparse")),
        *(("alpha=[1, 2e-1]", [1.0, 0.2]), ("alpha=[0]", [0.0]), ("noisy=true", True), ("noisy = true", True)),
    ],
)
def test_a_value_of_the_right_kind_is_taken(book, pair, value):
    (found,) = book.checked(book.assignments([pair]), book.read_parameters("01_first"), "01_first").values()
    assert found == value and type(found) is type(value)


# -------------------------------------------------------------------------------------------------- what is written


def test_the_whole_book_runs_a_second_run_gives_the_same_bytes_and_a_third_runs_only_what_changed(book):
    done = command(book, "--jobs", "2")
    assert done.returncode == 0, done.stderr
    assert "01_first: running" in done.stdout and "02_other: done in" in done.stdout
    assert shown(book.output("01_first")) == ["1.50 text\n1.1\n"]
    assert shown(book.output("02_other")) == ["5\n"]
    other = nbformat.read(book.output("02_other"), as_version=4)
    assert other.metadata.ptft == {
        "source": "notebooks/02_other.md",
        "parameters": {"m": 5},
        "version": ptft.__version__,
    }
    injected = [cell for cell in other.cells if "injected-parameters" in cell.metadata.get("tags", [])]
    assert [cell.metadata.tags for cell in injected] == [["injected-parameters", "hide-input"]]
    first = {stem: book.output(stem).read_bytes() for stem in book.sources()}
    assert command(book).returncode == 0
    assert first == {stem: book.output(stem).read_bytes() for stem in book.sources()}
    assert command(book, "--stale").stdout.strip() == "up to date: 01_first, 02_other"
    (book.SOURCES / "02_other.md").write_text(OTHER.replace("# Another", "# Changed"))
    changed = command(book, "--stale").stdout
    assert "up to date: 01_first\n" in changed and "02_other: done" in changed


def test_a_chapter_runs_aside_with_other_parameters_and_the_book_keeps_its_own(book, tmp_path):
    assert command(book, "01_first").returncode == 0
    before = book.output("01_first").read_bytes()
    out = tmp_path / "out.ipynb"
    assert book.main(["01_first", "-p", "rho=2", "-p", "label=other", "-o", str(out)]) == 0
    assert shown(out) == ["6.00 other\n1.1\n"]
    assert nbformat.read(out, as_version=4).metadata.ptft.parameters == {"rho": 2.0, "label": "other"}
    assert book.main(["01_first", "-p", "n=4", "-o", str(out), "--force"]) == 0
    assert shown(out) == ["2.00 text\n1.1\n"]
    assert book.output("01_first").read_bytes() == before


def test_papermill_runs_an_executed_chapter_with_other_parameters(book, tmp_path):
    assert command(book, "02_other").returncode == 0
    papermill = [sys.executable, "-m", "papermill", str(book.output("02_other")), str(tmp_path / "out.ipynb")]
    done = subprocess.run([*papermill, "-p", "m", "8"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert shown(tmp_path / "out.ipynb") == ["8\n"]
    done = subprocess.run([*papermill, "-p", "m", "10"], capture_output=True, text=True)
    assert done.returncode == 1
    (error,) = (
        output
        for cell in nbformat.read(tmp_path / "out.ipynb", as_version=4).cells
        for output in cell.get("outputs", [])
        if output.output_type == "error"
    )
    assert error.traceback == ["m = 10 is not allowed: its range is [1, 9]"]
    assert shown(tmp_path / "out.ipynb") == [], "nothing of the chapter may have run"


def test_a_chapter_that_fails_is_reported_and_leaves_the_old_output(book):
    cells = {"02_other": "1 / 0", "03_more": "import warnings; warnings.warn('odd')"}
    for stem, cell in cells.items():
        (book.SOURCES / f"{stem}.md").write_text(OTHER.replace("print(m)", cell))
        book.write(nbformat.writes(nbformat.v4.new_notebook()), book.output(stem))
    before = {stem: book.output(stem).read_bytes() for stem in cells}
    done = command(book, "--jobs", "2")
    assert done.returncode == 1
    for stem, said in {"02_other": "ZeroDivisionError", "03_more": "wrote to stderr"}.items():
        assert said in done.stderr and f"{stem}: FAILED" in done.stderr
        assert book.output(stem).read_bytes() == before[stem]
    assert book.output("01_first").exists(), "the other chapter must still run"
    assert not list(book.ROOT.rglob("*.tmp"))


@pytest.mark.parametrize("ending", ["SIGTERM", pytest.param("SIGKILL", marks=pytest.mark.slow)])
def test_no_process_outlives_a_run_that_is_ended(book, ending):
    long = "open({mark!r}, 'w').close()\nfor _ in range(10**9):\n    pass"
    marks = []
    for stem, chapter, cell in (("01_first", CHAPTER, "import sys"), ("02_other", OTHER, "print(m)")):
        marks.append(book.ROOT / f"{stem}.started")
        (book.SOURCES / f"{stem}.md").write_text(chapter.replace(cell, long.format(mark=str(marks[-1]))))
    script = [sys.executable, book.ROOT / "book" / "execute.py", "--jobs", "2"]
    process = subprocess.Popen(script, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    while not all(mark.exists() for mark in marks):
        assert process.poll() is None
        time.sleep(0.05)
    processes = family(process.pid)
    assert len(processes) == 5, "two that run a chapter, and their kernels"
    process.send_signal(getattr(signal, ending))
    assert left_of(processes, seconds=10) == []
    said = process.communicate()[1]
    if ending != "SIGKILL":
        assert process.returncode == 1
        assert said == "execute.py: ended by a signal, and all its processes with it; what was done is kept\n"


def test_a_file_is_written_whole_or_not_at_all(book, tmp_path, monkeypatch):
    path = tmp_path / "file.txt"
    book.write("old", path)

    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(book.os, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        book.write("new", path)
    assert path.read_text() == "old" and not list(tmp_path.glob(".*.tmp"))


# ------------------------------------------------------------------------------------------- whose settings it runs in


@pytest.mark.slow
def test_no_setting_of_the_reader_changes_a_chapter(book, hostile, tmp_path):
    """As far as another program's run of the notebook goes, none changes its figure."""
    (book.SOURCES / "02_other.md").write_text(FIGURE)
    assert command(book, "02_other").returncode == 0
    chapter = tmp_path / "chapter.ipynb"
    book.output("02_other").rename(chapter)
    runs = [subprocess.Popen([sys.executable, book.__file__, "02_other"], env={**os.environ, **hostile})]
    settings = {name: hostile[name] for name in ("MATPLOTLIBRC", "IPYTHONDIR")}
    papermill = [sys.executable, "-m", "papermill", str(chapter), str(tmp_path / "out.ipynb")]
    runs.append(subprocess.Popen(papermill, env={**os.environ, **settings, "MPLBACKEND": "agg"}))
    assert [run.wait() for run in runs] == [0, 0]
    assert book.output("02_other").read_bytes() == chapter.read_bytes()
    pictures = []
    for path in (chapter, tmp_path / "out.ipynb"):
        (picture,) = (out.data[book.SHOWN] for out in nbformat.read(path, 4).cells[-1].outputs if "data" in out)
        pictures.append(picture)
    assert len(set(pictures)) == 1


@pytest.mark.parametrize("count", [0, 2])
def test_a_cell_with_a_figure_must_show_one(book, capsys, count):
    shown, instead = {0: ("plt.show()", "plt.close()"), 2: ("fig\n", "display(fig)\n")}[count]
    (book.SOURCES / "02_other.md").write_text(FIGURE.replace(shown, instead))
    assert book.main(["02_other"]) == 1
    assert f"shows {count} pictures instead of one" in capsys.readouterr().err
    assert not book.output("02_other").exists()


def test_a_committed_chapter_without_its_figure_is_an_error(book, capsys):
    (book.SOURCES / "02_other.md").write_text(FIGURE)
    notebook = book.jupytext.read(book.SOURCES / "02_other.md")
    book.write(nbformat.writes(notebook), book.output("02_other"))
    assert book.main(["--check", "02_other"]) == 1
    assert "02_other: a cell with a figure shows 0 pictures" in capsys.readouterr().err


def test_a_comparison_is_for_another_processor_and_of_the_first_chapter_with_two_threads(book, hostile, monkeypatch):
    for stem in book.sources():
        notebook = nbformat.v4.new_notebook()
        book.write(nbformat.writes(notebook), book.output(stem))
    called = []

    def start(command, env, **_):
        assert {name for name, value in hostile.items() if env.get(name) == value} == {"HOME"}
        called.append((command[-1], {name: env.get(name) for name in ("OPENBLAS_CORETYPE", "OPENBLAS_NUM_THREADS")}))
        return SimpleNamespace(communicate=lambda: ("", None), returncode=0)

    monkeypatch.setattr(book.subprocess, "Popen", start)
    monkeypatch.delenv("OPENBLAS_CORETYPE", raising=False)
    for name, value in hostile.items():
        monkeypatch.setenv(name, value)
    assert book.main(["--check"]) == 0
    assert called == [
        (str(book.output("02_other")), {"OPENBLAS_CORETYPE": "Haswell", "OPENBLAS_NUM_THREADS": "1"}),
        (str(book.output("01_first")), {"OPENBLAS_CORETYPE": "Haswell", "OPENBLAS_NUM_THREADS": "2"}),
    ]
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Nehalem")
    assert book.main(["--check", "02_other"]) == 0
    assert called[2:] == [(called[0][0], {"OPENBLAS_CORETYPE": "Nehalem", "OPENBLAS_NUM_THREADS": "1"})]


def test_a_book_whose_package_is_another_one_is_refused(book, capsys):
    (book.ROOT / "ptft" / "__init__.py").touch()
    assert book.main([]) == 2
    assert f"Python finds ptft in {Path(ptft.__file__).parents[1]} instead of {book.ROOT}" in capsys.readouterr().err


def test_a_kernel_that_does_not_start_is_reported(book, capsys, monkeypatch):
    spec = {"argv": ["false"], "display_name": "none", "language": "python"}
    monkeypatch.setattr(book, "get_kernel_dict", lambda: spec)
    assert book.main(["02_other"]) == 1
    assert "02_other: Kernel died before replying" in capsys.readouterr().err


# --------------------------------------------------------------------------------------- what is run and compared again


@pytest.mark.parametrize(
    "path",
    [
        "notebooks/01_first.md",
        "ptft/module.py",
        "constraints.txt",
        "book/results/data.csv",
        "book/chapters/01_first.ipynb",
    ],
)
def test_the_digest_covers_everything_a_chapter_depends_on(book, path):
    before = book.digest("01_first", {})
    target = book.ROOT / path
    target.parent.mkdir(exist_ok=True)
    target.write_text((target.read_text() if target.exists() else "") + "\n# changed\n")
    assert book.digest("01_first", {}) != before


def test_the_digest_covers_the_parameters_but_no_other_chapter(book):
    before = book.digest("01_first", {})
    assert book.digest("01_first", {"rho": 0.1}) != before
    (book.SOURCES / "02_other.md").write_text("changed")
    assert book.digest("01_first", {}) == before


def test_a_source_edited_while_its_chapter_runs_counts_as_changed(book, monkeypatch):
    def edit_meanwhile(stem, parameters):
        (book.SOURCES / "02_other.md").write_text(OTHER.replace("# Another", "# Changed"))
        return nbformat.v4.new_notebook()

    monkeypatch.setattr(book, "execute", edit_meanwhile)
    book._run("02_other", {})
    assert book._stamp("run", "02_other")["digest"] != book.digest("02_other", {})


@pytest.mark.slow
def test_a_rerun_notices_a_changed_number_but_not_a_changed_figure(book):
    imports = "```{code-cell}\nimport matplotlib.pyplot as plt\nfrom ptft import figures\n\nfigures.style()\n```\n\n"
    figure = FIGURE[FIGURE.rindex("```{code-cell}") :]
    (book.SOURCES / "02_other.md").write_text(OTHER + "\n" + imports + figure)
    assert command(book, "--jobs", "2").returncode == 0
    notebook = nbformat.read(book.output("02_other"), as_version=4)
    pictures = notebook.cells[-1].outputs[0].data
    assert len(pictures["application/pdf"]) > 1000, "the book itself is no draft"
    pictures[book.SHOWN] = pictures[book.SHOWN].replace("#0072b2", "#d55e00")
    nbformat.write(notebook, book.output("02_other"))
    text = book.output("01_first").read_text()
    book.output("01_first").write_text(text.replace("1.50 text", "1.51 text"))
    changed = command(book, "--check", "--stale", "--jobs", "2")
    assert changed.returncode == 1
    assert "1.51 text" in changed.stdout and "1 failed" in changed.stdout, changed.stdout
    assert "6 passed" in changed.stdout, "the chapter with another figure"
    assert command(book, "--check", "--stale", "02_other").returncode == 0
    assert "since the chapters were last checked" in command(book, "--check", "--stale", "02_other").stdout
    assert book.DRAFT == page_style.DRAFT


@pytest.mark.slow
def test_no_process_outlives_a_check_that_is_ended(book):
    mark, started = book.ROOT / "checked", book.ROOT / "started"
    wait = f"import os, time\nif os.path.exists({str(mark)!r}):\n    open({str(started)!r}, 'w').close()"
    wait += "\n    time.sleep(600)"
    (book.SOURCES / "02_other.md").write_text(OTHER.replace("print(m)", wait))
    assert command(book, "02_other").returncode == 0
    mark.touch()
    script = [sys.executable, book.ROOT / "book" / "execute.py", "--check", "02_other"]
    process = subprocess.Popen(script, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while not started.exists():
        assert process.poll() is None
        time.sleep(0.05)
    processes = family(process.pid)
    assert len(processes) == 4, "pytest, its worker and a kernel"
    process.send_signal(signal.SIGTERM)
    assert left_of(processes, seconds=10) == []
    assert "ended by a signal" in process.communicate()[1] and process.returncode == 1
