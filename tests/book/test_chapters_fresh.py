"""The executed chapters are those of their sources, run to the end with the parameters of book/params.yml."""

import copy

import jupytext
import nbformat
import pytest
from conftest import listed_chapters, load_runner
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

import ptft

execute = load_runner()


def disagreements(source, executed, parameters, version):
    """In which respects `executed` is not the outcome of running `source`; empty where it is."""
    found = []

    def body(notebook):
        cells = [cell for cell in notebook.cells if "injected-parameters" not in cell.metadata.get("tags", [])]
        return [(cell.cell_type, cell.source.rstrip(), cell.metadata.get("tags", [])) for cell in cells]

    if body(source) != body(executed):
        found.append("its cells are not those of the source")
    record = executed.metadata.get("ptft", {})
    if record.get("parameters") != parameters:
        found.append(f"it was run with {record.get('parameters')}, book/params.yml says {parameters}")
    if record.get("version") != version:
        found.append(f"it was run with ptft {record.get('version')}, this is {version}")
    code = [cell for cell in executed.cells if cell.cell_type == "code"]
    if [cell.execution_count for cell in code] != list(range(1, len(code) + 1)):
        found.append("not every cell was executed, once and in order")
    for output in (output for cell in code for output in cell.outputs):
        if output.output_type == "error":
            found.append(f"a cell raised {output.ename}")
    return found + list(filter(None, [execute.complaint(executed)]))


@pytest.mark.parametrize("stem", listed_chapters())
def test_an_executed_chapter_is_the_outcome_of_its_source(stem):
    source = jupytext.read(execute.sources()[stem])
    executed = nbformat.read(execute.output(stem), as_version=4)
    found = disagreements(source, executed, execute.book_parameters()[stem], ptft.__version__)
    assert not found, f"{stem} is stale, run `make book`: {found}"


def test_the_table_of_contents_lists_every_source_and_every_executed_chapter():
    executed = sorted(path.stem for path in execute.CHAPTERS.glob("*.ipynb"))
    assert listed_chapters() == list(execute.sources()) == executed


@pytest.mark.parametrize("stem", listed_chapters())
def test_a_source_has_parameters_and_no_outputs(stem):
    source = jupytext.read(execute.sources()[stem])
    assert execute.read_parameters(stem), "the parameters cell must name at least one parameter"
    assert not any(cell.get("outputs") for cell in source.cells)


@pytest.fixture
def run():
    """A source and its executed counterpart."""
    cells = [new_markdown_cell("# Title"), new_code_cell("a = 1", metadata={"tags": ["parameters"]})]
    source = new_notebook(cells=[*cells, new_code_cell("print(a)")])
    executed = copy.deepcopy(source)
    for count, cell in enumerate(executed.cells[1:], start=1):
        cell.execution_count = count
    executed.cells[-1].outputs = [new_output("stream", name="stdout", text="1\n")]
    executed.metadata["ptft"] = {"parameters": {}, "version": "0"}
    return source, executed


def test_a_faithful_chapter_is_accepted(run):
    assert disagreements(*run, {}, "0") == []


def _edit_source(source, executed):
    source.cells[-1].source = "print(a + 1)"


def _edit_text(source, executed):
    source.cells[0].source = "# Another title"


def _add_cell(source, executed):
    source.cells.append(new_markdown_cell("More."))


def _skip_cell(source, executed):
    executed.cells[-1].execution_count = None


def _run_out_of_order(source, executed):
    executed.cells[1].execution_count, executed.cells[2].execution_count = 2, 1


def _raise(source, executed):
    executed.cells[-1].outputs = [new_output("error", ename="ValueError", evalue="", traceback=[])]


def _complain(source, executed):
    executed.cells[-1].outputs.append(new_output("stream", name="stderr", text="warning"))


def _lose_a_figure(source, executed):
    executed.cells[-1].metadata["mystnb"] = {"figure": {"name": "fig-lost"}}


def _show_a_figure_twice(source, executed):
    picture = new_output("display_data", {"image/svg+xml": "<svg/>"})
    executed.cells[-1].metadata["mystnb"] = {"figure": {"name": "fig-twice"}}
    executed.cells[-1].outputs = [picture, picture]


def _other_parameters(source, executed):
    executed.metadata["ptft"]["parameters"] = {"a": 2}


def _other_version(source, executed):
    executed.metadata["ptft"]["version"] = "1"


@pytest.mark.parametrize(
    "tamper",
    [
        *(_edit_source, _edit_text, _add_cell, _skip_cell, _run_out_of_order),
        *(_raise, _complain, _lose_a_figure, _show_a_figure_twice, _other_parameters, _other_version),
    ],
)
def test_a_tampered_chapter_is_reported(run, tamper):
    tamper(*run)
    assert len(disagreements(*run, {}, "0")) == 1
