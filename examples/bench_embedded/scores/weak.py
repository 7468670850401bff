"""Which looks stay weak, by the bench's own bars, and the marks of it in a model's looks.json."""

from typing import Any

TEXTURE, COLOUR = 0.6, 0.4
"""The bars of the bench: a look below has what it is made of."""
OF_TEXTURE = ("medium", "material")


def weak_looks(figures: str) -> dict[str, str]:
    """Name of each weak look -> what it looks like instead, of the bench's figures in markdown."""
    colour, texture = _results(figures, "Colour"), _results(figures, "Texture")
    reasons = {name: _reason(kind, figure, texture[name][1]) for name, (kind, figure) in colour.items()}
    return {name: reason for name, reason in reasons.items() if reason}


def marked(document: dict[str, Any], weak: dict[str, str]) -> dict[str, Any]:
    """What looks.json says, with these looks marked and no others."""
    looks: list[dict[str, Any]] = []
    for look in document.get("looks", []):
        plain = {key: value for key, value in look.items() if key not in ("weak", "reason")}
        mark = {"weak": True, "reason": weak[look["name"]]} if look["name"] in weak else {}
        looks.append({key: plain.pop(key) for key in ("name", "kind") if key in plain} | mark | plain)
    return document | ({"looks": looks} if looks else {})


def _results(figures: str, title: str) -> dict[str, tuple[str, float]]:
    """Look -> (kind, result) of one part's table."""
    lines = iter(figures.splitlines())
    next(line for line in lines if line.lstrip("# ") == title and line.startswith("#"))
    next(line for line in lines if line.startswith("| ---"))
    found: dict[str, tuple[str, float]] = {}
    for line in lines:
        if not line.startswith("|"):
            break
        name, kind, result, *_ = (cell.strip() for cell in line.strip("|").split("|"))
        found[name] = (kind, float(result))
    return found


def _reason(kind: str, colour: float, texture: float) -> str:
    """What a weak look takes of its target, in words; empty of a look that is not weak."""
    colours = "the colours" if colour < COLOUR else "part of the colours" if colour < 1 else ""
    if kind not in OF_TEXTURE:
        return "" if colour < COLOUR else f"takes {colours}" if colours else "does not take the colours"
    if texture < TEXTURE:
        return ""
    # From 1 on a result is farther from its target than the photograph is.
    strokes = "part of the texture" if texture < 1 else ""
    if colours and strokes:
        return f"takes {colours} and {strokes}"
    if colours or strokes:
        return f"takes {colours or strokes}, not the {'texture' if colours else 'colours'}"
    return "takes neither colours nor texture"
