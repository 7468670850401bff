"""A host script as one file: the modules of this package that it imports are written into it.

So an editing system needs no path to vedit's own modules, and its menu shows one script.
"""

from __future__ import annotations

import ast
from pathlib import Path

PACKAGE = "vedit.nle_hosts"


def single_file(name: str) -> str:
    """The source of `vedit.nle_hosts.NAME`, with what it needs of this package and one set of imports."""
    plain: set[str] = set()
    chosen: dict[str, set[str]] = {}
    needed = _needed(name, [])
    for node in (node for inner in needed for node in _tree(inner).body):
        if isinstance(node, ast.Import):
            plain.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not _is_inner(node):
            chosen.setdefault(node.module or "", set()).update(alias.name for alias in node.names)
    chosen.pop("__future__", None)
    imports = [f"import {module}" for module in sorted(plain)]
    imports += [f"from {module} import {', '.join(sorted(names))}" for module, names in sorted(chosen.items())]
    head = [ast.get_docstring(_tree(name), clean=False) or "", "from __future__ import annotations", "\n".join(imports)]
    return "\n\n".join((f'"""{head[0]}"""', *head[1:], *(f"{_code(inner)}\n" for inner in needed))).rstrip("\n") + "\n"


def _needed(name: str, done: list[str]) -> list[str]:
    """Modules in the order in which they are defined: what a module imports stands before it."""
    for node in _tree(name).body:
        if isinstance(node, ast.ImportFrom) and _is_inner(node) and node.module:
            inner = node.module.removeprefix(f"{PACKAGE}.")
            if inner not in done:
                _needed(inner, done)
    done.append(name)
    return done


def _code(name: str) -> str:
    """A module's source without its docstring and imports."""
    drop: set[int] = set()
    for number, node in enumerate(_tree(name).body):
        if isinstance(node, ast.Import | ast.ImportFrom) or (number == 0 and isinstance(node, ast.Expr)):
            drop.update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    lines = enumerate(_text(name).splitlines(keepends=True), start=1)
    return "".join(line for number, line in lines if number not in drop).strip("\n")


def _is_inner(node: ast.ImportFrom) -> bool:
    return (node.module or "").startswith(f"{PACKAGE}.")


def _tree(name: str) -> ast.Module:
    return ast.parse(_text(name))


def _text(name: str) -> str:
    return Path(__file__).with_name(f"{name}.py").read_text("utf-8")
