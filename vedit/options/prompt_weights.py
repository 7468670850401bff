r"""The words of a prompt with their weights, in the grammar that the web interfaces of Stable Diffusion share.

    a (red) house            "red" times 1.1
    a (red:1.4) house        "red" times 1.4
    a [red] house            "red" by 1.1
    a ((red) old:0.8) house  nested, they multiply
    a house \(of cards\)     the brackets themselves
    a house BREAK a garden   what is behind begins a chunk of the text encoder anew

A bracket that is never closed holds to the end. Words whose weights are all 1 are what they are without this.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from vedit.checks.rationals import shown
from vedit.errors import InputError

STEP = 1.1
"""What a pair of brackets without a number multiplies by, or divides by."""
LARGEST = 10.0
"""Of a weight that is written: far beyond what any text encoder's states stand."""
_OPENS = {")": "(", "]": "["}
_TOKEN = re.compile(
    r"\\(?P<kept>[\\()\[\]])"
    r"|(?P<opens>[(\[])"
    r"|:\s*(?P<number>[+-]?[\d.]+)\s*(?P<weighed>[)\]])"
    r"|(?P<closes>[)\]])"
    r"|.[^\\()\[\]:|]*",
    re.DOTALL,
)
_BREAK = re.compile(r"\s*\bBREAK\b\s*")
_IN_NUMBERS = re.compile(r"(?<!\\)\([^()]*:\s*[+-]?[\d.]+\s*\)")
_LORA = re.compile(r"<(?:lora|lyco|hypernet):[^<>]*>")


@dataclass(frozen=True, kw_only=True)
class Weighted:
    """A piece of a prompt's text, and what the states of its tokens are multiplied by."""

    text: str
    weight: float = 1.0


def weighted(text: str) -> tuple[tuple[Weighted, ...], ...]:
    """The pieces of a prompt in their order, in parts that BREAK divides; one empty piece where there is nothing.

    Raises:
        InputError: a weight is no number or too large, or the text has what a web interface takes for a command that
            vedit does not know: words that begin or end at a step, or alternate.
    """
    found = _pieces(text)
    parts: list[list[Weighted]] = [[]]
    for piece in found:
        first, *others = _BREAK.split(piece.text)
        parts[-1] += [Weighted(text=first, weight=piece.weight)] if first else []
        parts += [[Weighted(text=one, weight=piece.weight)] if one else [] for one in others]
    return tuple(tuple(part) for part in parts if part) or ((Weighted(text=""),),)


def says_weights(text: str) -> bool:
    """Whether a text gives words a weight in numbers; it may be one that `weighted` refuses."""
    return _IN_NUMBERS.search(text) is not None


def _pieces(text: str) -> list[Weighted]:
    """Neighbours of one weight joined."""
    refused = _LORA.search(text)
    if refused is not None:
        raise InputError(
            f"the prompt holds {shown(refused[0])}, which is no word",
            remedy="give the file itself beside the prompt (--lora FILE), and leave this out",
        )
    pieces: list[tuple[str, float]] = []
    opened: dict[str, list[int]] = {"(": [], "[": []}

    def weigh(start: int, factor: float) -> None:
        pieces[start:] = [(words, weight * factor) for words, weight in pieces[start:]]

    for match in _TOKEN.finditer(text):
        bracket = match["weighed"] or match["closes"]
        if match["opens"]:
            opened[match["opens"]].append(len(pieces))
        elif bracket and opened[_OPENS[bracket]]:
            weigh(opened[_OPENS[bracket]].pop(), _factor(match, bracket))
        elif match[0].startswith("|") and opened["["]:
            raise _command(text[match.start() - 1 : match.end()])
        else:
            pieces.append((match["kept"] or match[0], 1.0))
    for bracket, starts in opened.items():
        for start in starts:
            weigh(start, STEP if bracket == "(" else 1 / STEP)
    joined: list[Weighted] = []
    for words, weight in pieces:
        if joined and joined[-1].weight == weight:
            words = joined.pop().text + words
        joined.append(Weighted(text=words, weight=weight))
    return joined


def _factor(match: re.Match[str], bracket: str) -> float:
    """What a closed pair of brackets multiplies by."""
    if not match["number"]:
        return STEP if bracket == ")" else 1 / STEP
    if bracket == "]":
        raise _command(match[0])
    try:
        factor = float(match["number"])
    except ValueError:
        raise InputError(
            f"{shown(match['number'])} is no weight of words in a prompt", remedy="write for instance (red:1.2)"
        ) from None
    if abs(factor) > LARGEST:
        raise InputError(
            f"{shown(match['number'])} is no weight of words in a prompt",
            remedy=f"it lies between {-LARGEST:g} and {LARGEST:g}, and mostly between 0.5 and 1.5",
        )
    return factor


def _command(text: str) -> InputError:
    return InputError(
        f"the prompt has words that come or go while a picture is sampled ({shown(text)} in square brackets), "
        "which vedit does not do",
        remedy="weigh words with (red:1.2), let a prompt change over the clip with '0s: spring | 4s: winter', or "
        r"write the brackets as \[ and \]",
    )
