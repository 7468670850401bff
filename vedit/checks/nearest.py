"""The nearest of known names to one that is not known: the one home of every "did you mean"."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import SequenceMatcher

ALIKE = 0.6
"""How much of two names is the same, of 1, from where on one may be meant for the other."""
VERY_ALIKE = 0.8
"""The same among short words that differ in a letter by rights: h265 is not h264."""


def nearest(name: str, known: Iterable[str], *, cutoff: float = ALIKE) -> str | None:
    """The known name that is most like another, letters' case left aside; None where none is alike.

    Args:
        name: as it was typed.
        known: as they are written; of several that are equally near, the first is taken.
        cutoff: how much is the same at least, of 1; with 0 there is a nearest one among any.
    """
    best, most = None, cutoff
    matcher = SequenceMatcher(autojunk=False)
    matcher.set_seq2(name.casefold())
    for one in known:
        matcher.set_seq1(one.casefold())
        # Bounds from above, which spare the dear comparison for most.
        if matcher.real_quick_ratio() < most or matcher.quick_ratio() < most:
            continue
        ratio = matcher.ratio()
        if ratio > most or (best is None and ratio == most):
            best, most = one, ratio
    return best


def did_you_mean(name: str, known: Iterable[str], *, cutoff: float = ALIKE) -> str:
    """The question that a message asks of an unknown name, `did you mean 'night'?`; empty where none is alike."""
    near = nearest(name, known, cutoff=cutoff)
    return "" if near is None else f"did you mean {near!r}?"


def suggest(name: str, known: Iterable[str], *, before: str = "known: ", cutoff: float = ALIKE) -> str:
    """The remedy for an unknown name: the nearest known one where there is one, and all of them."""
    names = list(known)
    told = f"{before}{', '.join(names) or 'none'}"
    near = did_you_mean(name, names, cutoff=cutoff)
    return f"{near} {told}" if near else told
