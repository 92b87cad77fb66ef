"""The map of the package is complete, imports keep to it, and every name has one meaning."""

import ast
import importlib
import inspect
import pkgutil
import re
from collections import Counter

import pytest
from conftest import ROOT, modules, public

import ptft

ROOM = re.compile(r"^ {8}(\w+)/? +(\S.*)$", re.M)
GROUP = re.compile(r"^ {4}(\w.*)$", re.M)


def the_map() -> dict[str, int]:
    """Each room of the package's docstring with the number of its group."""
    rooms, group = {}, -1
    for line in (ptft.__doc__ or "").splitlines():
        if GROUP.match(line):
            group += 1
        elif room := ROOM.match(line):
            assert room[1] not in rooms
            rooms[room[1]] = group
    return rooms


def block() -> str:
    """The lines of the map."""
    lines = (ptft.__doc__ or "").splitlines()
    inside = [line for line in lines if line.startswith("    ")]
    return "\n".join(line[4:] for line in inside)


def test_the_map_names_every_room_and_no_other():
    assert sorted(the_map()) == sorted(module.name for module in pkgutil.iter_modules(ptft.__path__))


def test_the_readme_shows_the_same_map():
    assert f"```text\n{block()}\n```" in (ROOT / "README.md").read_text(encoding="utf-8")


def imported_rooms(source: str) -> set[str]:
    """The rooms of ptft from which code imports, at its top or inside a function."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.module == "ptft":
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("ptft."):
            found.add((node.module or "").split(".")[1])
        elif isinstance(node, ast.Import):
            found |= {alias.name.split(".")[1] for alias in node.names if alias.name.startswith("ptft.")}
    return found


@pytest.mark.parametrize("name", [name for name in modules() if name != "ptft"])
def test_imports_go_up_the_map(name):
    rooms, own = the_map(), name.split(".")[1]
    imported = imported_rooms(inspect.getsource(importlib.import_module(name))) & set(rooms)
    assert {room for room in imported if rooms[room] > rooms[own]} == set()


def test_an_import_from_below_is_seen():
    source = (
        "from ptft.sweeps.table import digest\ndef f():\n    import ptft.book.claims\n    from ptft import figures\n"
    )
    assert imported_rooms(source) == {"sweeps", "book", "figures"}


@pytest.mark.parametrize("room", ["vision", "infinite_width"])
def test_networks_know_nothing_of_sweeps(room):
    inside = [name for name in modules() if name.startswith(f"ptft.{room}")]
    assert inside and not any(
        {"sweeps", "book"} & imported_rooms(inspect.getsource(importlib.import_module(name))) for name in inside
    )


def test_notebooks_are_known_to_the_book_alone():
    words = re.compile(r"\b(nbformat|papermill|jupytext|myst_nb)\b")
    knowing = [name for name in modules() if words.search(inspect.getsource(importlib.import_module(name)))]
    assert knowing and all(name.startswith("ptft.book") for name in knowing)


def test_no_module_has_the_name_of_a_function_or_class_beside_it():
    """So that `import ptft.x` never gives a function."""
    for package in ["ptft", *(name for name in modules() if hasattr(importlib.import_module(name), "__path__"))]:
        inside = importlib.import_module(package)
        for _, name, _ in pkgutil.iter_modules(inside.__path__):
            found = importlib.import_module(f"{package}.{name}") if name != "__main__" else None
            assert found is None or getattr(inside, name) is found, f"{package}.{name} is hidden"
            assert name not in public(f"{package}.{name}") if found else True, f"{package}.{name} defines its own name"


def test_one_class_has_one_name():
    classes = Counter(name for module in modules() for name, thing in public(module).items() if inspect.isclass(thing))
    assert [name for name, count in classes.items() if count > 1] == []
