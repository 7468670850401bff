"""The map of the code: which packages there are, and which build on which, drawn from the imports.

$ python examples/architecture.py -o docs/architecture.svg
docs/architecture.svg: 26 rooms in 9 rows
"""

from __future__ import annotations

import argparse
import ast
import html
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VALUES = (
    *("errors", "checks", "control_spec", "types", "ranges", "protocols", "geometry", "thumbnail", "memory"),
    "threads",
)
"""Packages and files that nearly all others build on: drawn as one, and their arrows left out."""
LEFT_OUT = ("__init__", "__main__", "testing", "nle_hosts")
"""What nothing is built on and that builds on nothing of the render, or on everything for tests alone."""
WIDTH, HEIGHT, GAP_X, GAP_Y, MARGIN = 118, 40, 26, 46, 24

Graph = dict[str, set[str]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, default=ROOT / "docs" / "architecture.svg")
    args = parser.parse_args()
    graph = imports()
    rows = rows_of(graph)
    args.output.write_text(drawing(graph), "utf-8")
    print(f"{args.output}: {len(graph)} rooms in {len(rows)} rows")


def imports() -> Graph:
    """Each room, and those that its files import from."""
    graph: Graph = {}
    for room, path in _files():
        own = graph.setdefault(room, set())
        own |= {target for target in _rooms_in(path) if target not in (room, *LEFT_OUT, "values")}
    return {room: targets & graph.keys() for room, targets in graph.items() if room not in (*LEFT_OUT, "values")}


def _files() -> Iterator[tuple[str, Path]]:
    for folder in ("vedit", "pipelines", "preprocessors"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            parts = path.relative_to(ROOT / folder).with_suffix("").parts
            if folder == "vedit" and parts[0] in ("pipelines", "preprocessors"):
                continue  # links to the two folders beside it
            yield _room(parts[0] if folder == "vedit" else folder), path


def _room(name: str) -> str:
    return "values" if name in VALUES else name


def _rooms_in(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("vedit"):
            parts = node.module.split(".")
            yield from [_room(parts[1])] if len(parts) > 1 else [_room(alias.name) for alias in node.names]


def rows_of(graph: Mapping[str, set[str]]) -> list[list[str]]:
    """The rooms by how many steps down the longest way leads, the lowest first; neighbours near what they build on."""
    depth: dict[str, int] = {}

    def deep(room: str) -> int:
        if room not in depth:
            depth[room] = 1 + max((deep(target) for target in sorted(graph[room])), default=-1)
        return depth[room]

    rows: list[list[str]] = [[] for _ in range(1 + max(deep(room) for room in sorted(graph)))]
    for room in sorted(graph):
        rows[depth[room]].append(room)
    place: dict[str, float] = {}
    for row in rows:
        row.sort(key=lambda room: (_mean([place[target] for target in graph[room]]), room))
        place |= {room: (number + 0.5) / len(row) for number, room in enumerate(row)}
    return rows


def _mean(values: Iterable[float]) -> float:
    found = list(values)
    return sum(found) / len(found) if found else 0.5


def reduced(graph: Mapping[str, set[str]]) -> Graph:
    """The arrows that no longer way stands for (transitive reduction; Aho, Garey & Ullman 1972)."""

    def reach(room: str, seen: set[str]) -> set[str]:
        for target in graph[room] - seen:
            seen.add(target)
            reach(target, seen)
        return seen

    return {
        room: {target for target in targets if not any(target in reach(other, set()) for other in targets - {target})}
        for room, targets in graph.items()
    }


def drawing(graph: Mapping[str, set[str]]) -> str:
    """The map as SVG: what builds on nothing at the bottom, an arrow from each room to those that it needs first."""
    rows = rows_of(graph)
    across = max(map(len, rows)) * (WIDTH + GAP_X) - GAP_X + 2 * MARGIN
    down = len(rows) * (HEIGHT + GAP_Y) + HEIGHT + 2 * MARGIN
    place: dict[str, tuple[float, float]] = {}
    for number, row in enumerate(rows):
        left = (across - len(row) * (WIDTH + GAP_X) + GAP_X) / 2
        for column, room in enumerate(row):
            place[room] = (left + column * (WIDTH + GAP_X), MARGIN + (len(rows) - 1 - number) * (HEIGHT + GAP_Y))
    arrows = [(room, target) for room, targets in sorted(reduced(graph).items()) for target in sorted(targets)]
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {across:g} {down:g}" font-family="sans-serif">',
        '<rect width="100%" height="100%" fill="#fff"/>',
        *(_arrow(place[room], place[target]) for room, target in arrows),
        *(_box(*place[room], WIDTH, room, "#eef4fb") for room in sorted(place)),
        _box(MARGIN, down - MARGIN - HEIGHT, across - 2 * MARGIN, ", ".join(VALUES), "#f3f3f3"),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _arrow(start: tuple[float, float], end: tuple[float, float]) -> str:
    x, y = start[0] + WIDTH / 2, start[1] + HEIGHT
    to_x, to_y = end[0] + WIDTH / 2, end[1]
    bend = (to_y - y) / 2
    curve = f"M{x:g} {y:g}C{x:g} {y + bend:g} {to_x:g} {to_y - bend:g} {to_x:g} {to_y - 5:g}"
    head = f"M{to_x - 4:g} {to_y - 7:g}L{to_x:g} {to_y:g}L{to_x + 4:g} {to_y - 7:g}z"
    return f'<path d="{curve}" fill="none" stroke="#8aa0b8"/><path d="{head}" fill="#8aa0b8"/>'


def _box(x: float, y: float, width: float, text: str, fill: str) -> str:
    return (
        f'<g><rect x="{x:g}" y="{y:g}" width="{width:g}" height="{HEIGHT}" rx="6" fill="{fill}" stroke="#51708f"/>'
        f'<text x="{x + width / 2:g}" y="{y + HEIGHT / 2 + 5:g}" text-anchor="middle" font-size="15">'
        f"{html.escape(text)}</text></g>"
    )


if __name__ == "__main__":
    main()
