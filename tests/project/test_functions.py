"""The size of functions: how many lines of code one has, and how many parameters."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import pytest

from tests.project.test_structure import FILES, parse

LINES, PARAMETERS = 60, 12

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, kw_only=True)
class Size:
    """Lines of code without the docstring, and parameters without `self`."""

    lines: int
    parameters: int


def sizes(module: str, tree: ast.Module) -> Iterator[tuple[str, Size]]:
    """Every function of a module by its dotted name, within classes and functions too.

    Where the parameters are the settings themselves, neither they nor the lines of the signature count: of a click
    command, of what `vedit` exports, and of a function that lends its signature to those.
    """
    exported = {name for name, home in homes().items() if home == module}
    exporting = (node for node in tree.body if isinstance(node, Function) and node.name in exported)
    public_here = exported | {lent for node in exporting for lent in lent_by(node)}

    def within(node: ast.AST, name: str, *, public: bool) -> Iterator[tuple[str, Size]]:
        for child in ast.iter_child_nodes(node):
            if not isinstance(child, ast.ClassDef | Function):
                yield from within(child, name, public=public)
                continue
            is_public = child.name in public_here if node is tree else public and not _is_private(child.name)
            if isinstance(child, Function):
                yield f"{name}.{child.name}", size_of(child, takes_settings=is_public or is_command(child))
            yield from within(child, f"{name}.{child.name}", public=is_public and isinstance(child, ast.ClassDef))

    yield from within(tree, module, public=False)


def size_of(node: Function, *, takes_settings: bool) -> Size:
    """The size of one function; `takes_settings`: without its signature."""
    first, last = node.body[0], node.end_lineno or node.lineno
    lines = last - (first.lineno if takes_settings else node.lineno) + 1
    if ast.get_docstring(node, clean=False) is not None:
        lines -= (first.end_lineno or first.lineno) - first.lineno + 1
    named = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
    own = [one for one in named if one.arg not in ("self", "cls")]
    rest = [one for one in (node.args.vararg, node.args.kwarg) if one is not None]
    return Size(lines=lines, parameters=0 if takes_settings else len(own) + len(rest))


def _is_private(name: str) -> bool:
    return name.startswith("_") and name != "__init__"


def is_command(node: Function) -> bool:
    """Whether a decorator makes a click command of a function."""
    called = (one.func for one in node.decorator_list if isinstance(one, ast.Call))
    return any((one.attr if isinstance(one, ast.Attribute) else getattr(one, "id", "")) == "command" for one in called)


def lent_by(node: Function) -> Iterator[str]:
    """The functions that a function's decorators take."""
    for one in node.decorator_list:
        if isinstance(one, ast.Call):
            yield from (given.id for given in one.args if isinstance(given, ast.Name))


@cache
def homes() -> dict[str, str]:
    """What `vedit` exports -> its module."""
    module, path = next((module, path) for module, path in FILES if module == "vedit")
    table = next(
        node.value
        for node in parse(path).body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id == "_HOMES"
    )
    found: dict[str, str] = ast.literal_eval(table)
    assert all(home.startswith(f"{module}.") for home in found.values())
    return found


@cache
def all_sizes() -> tuple[tuple[str, Size], ...]:
    """Of every function of the package, overloads too."""
    return tuple(found for module, path in FILES for found in sizes(module, parse(path)))


def test_functions_are_short() -> None:
    longer = {name: size.lines for name, size in all_sizes() if size.lines > LINES}
    assert not longer, f"more than {LINES} lines: {longer}"


def test_functions_take_few_parameters() -> None:
    wider = {name: size.parameters for name, size in all_sizes() if size.parameters > PARAMETERS}
    assert not wider, f"more than {PARAMETERS} parameters: {wider}; what travels together is a value"


SAMPLE = '''
def plain(a, b, /, *rest, c=1, **more):
    """One.

    Two.
    """

    def inner(x):
        return x

    return inner(a)

class Thing:
    def method(self, a):
        return a

class Exported:
    def __init__(self, a, b):
        self.a = a

    def _own(self, a):
        return a

@click.command("x")
@click.option("--a")
def command(
    a,
    b,
):
    return a

@checked
def exported(
    a,
):
    """Of `vedit`."""
    return a

@with_settings(lender)
def lending(call):
    return call

def lender(
    a,
    b,
):
    return a
'''


def test_the_measure_sees(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(homes(), "exported", "sample")
    monkeypatch.setitem(homes(), "Exported", "sample")
    monkeypatch.setitem(homes(), "lending", "sample")
    found = {name: (size.lines, size.parameters) for name, size in sizes("sample", ast.parse(SAMPLE))}
    assert found == {
        "sample.plain": (6, 5),
        "sample.plain.inner": (2, 1),
        "sample.Thing.method": (2, 1),
        "sample.Exported.__init__": (1, 0),
        "sample.Exported._own": (2, 1),
        "sample.command": (1, 0),
        "sample.exported": (1, 0),
        "sample.lending": (1, 0),
        "sample.lender": (1, 0),
    }
