"""What the stages of renders have taken on this machine, kept for what is expected of later ones.

Of each stage it is kept how many times as long it took as `vedit.render.costs` says, apart for each model and each
codec, in `costs.json` in the folder for caches. Nothing in there is ever needed: what is absent or damaged is not used,
and is written anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from vedit.options.loras import masks_of
from vedit.render.costs import START_SECONDS
from vedit.render.parts import plugged_parts
from vedit.store import kept_table
from vedit.store.cache_folder import cache_root
from vedit.store.computed_on import machine_key

if TYPE_CHECKING:
    from vedit.progress.course import Taken
    from vedit.render.costs import Outline

FILE = kept_table.COSTS
FORMAT = 1
"""Raised where what is shipped in `vedit.render.costs` has changed, so that what was measured is of other figures."""
RUNS = 5
"""Of each stage so many are kept, the newest, and their median counts: a run beside others misleads for a while."""
ENTRIES = 200
"""Of stages by model and codec, the newest."""
LEAST_SECONDS = 0.5
"""What took less, and was expected to, says nothing."""
FARTHEST = 100.0
"""How many times as long or as short as expected a stage may take to be believed."""
_NETWORKS = ("invert", "sample", "finish")
_TABLE = "runs"
_BY_RATES = "by rates "
"""Before the names of models whose time is told by what the machine computes in a second
(`vedit.render.machine_rates`): how far off that was says nothing of another model."""
_LOADED = "loaded with "
"""Before the names of models that are loaded or compute in another way than usual, and after what was said of that."""
_ALONE = (_BY_RATES, _LOADED)
"""What neither stands in for other models nor is stood in for by them."""


def paces_of(outline: Outline) -> dict[str, float]:
    """How many times as long as `vedit.render.costs` says each stage takes here: as it did with the same model or
    codec, else as with others. Stages that have never run here are left out."""
    runs = _read()
    found: dict[str, float] = {}
    for stage, what in _subjects(outline).items():
        machine = machine_key("cpu" if stage == "start" else outline.device)
        prefix = f"{machine} {stage} "
        alike = runs.get(prefix + what) or _of_others(runs, prefix, what)
        if alike:
            found[stage] = median(alike)
    return found


def keep(outline: Outline, taken: Mapping[str, Taken], paces: Mapping[str, float]) -> None:
    """Keep what a render's stages have taken. Not to be able to is no error.

    Args:
        outline: of the render.
        taken: by stage; those that say too little are left out.
        paces: what was expected rested on, from `paces_of`.
    """
    subjects = _subjects(outline)
    looks = [look.options for look in outline.looks]
    if any(one.mask is not None or one.regions or masks_of(one.loras) or plugged_parts(one) for one in looks):
        # Masks take time of their own, and save some where nothing changes; a plug-in's part is as slow as it is.
        subjects = {stage: what for stage, what in subjects.items() if stage not in _NETWORKS}
    machine = machine_key(outline.device)
    new = {
        f"{machine} {stage} {subjects[stage]}": one.seconds / one.expected * paces.get(stage, 1.0)
        for stage, one in taken.items()
        if stage in subjects and one.expected > 0 and max(one.seconds, one.expected) >= LEAST_SECONDS
    }
    _add({key: pace for key, pace in new.items() if _believed(pace)})


def keep_start(seconds: float) -> None:
    """Keep what the libraries' import has taken, on the way to whatever device."""
    pace = seconds / START_SECONDS
    if _believed(pace):
        _add({f"{machine_key('cpu')} start ": pace})


def costs_file() -> Path:
    """Where it is kept."""
    return cache_root() / FILE


def _of_others(runs: Mapping[str, list[float]], prefix: str, what: str) -> list[float]:
    """What a stage took with other models or codecs, where that says something of this one."""
    if what.startswith(_ALONE):
        return []
    found = {key.removeprefix(prefix): paces for key, paces in runs.items() if key.startswith(prefix)}
    return [pace for other, paces in found.items() if not other.startswith(_ALONE) for pace in paces]


def _subjects(outline: Outline) -> dict[str, str]:
    """Stage -> what it goes by beside the machine."""
    by_rates = any(look.taken is not None for look in outline.looks)
    said = ", ".join(f"{name} {value}" for name, value in outline.loading.said().items())
    model = f"{_LOADED}{said}: {outline.model}" if said else outline.model
    return {
        "start": "",
        **dict.fromkeys(("index", "shots"), outline.source_codec),
        "load": model,
        **dict.fromkeys(_NETWORKS, f"{_BY_RATES}{model}" if by_rates else model),
        **dict.fromkeys(("write", "verify"), outline.codec),
    }


def _read() -> dict[str, list[float]]:
    """The paces of each entry that is whole, the oldest entry first."""
    told = kept_table.read_table(costs_file(), _TABLE, version=FORMAT)
    return {key: paces[-RUNS:] for key, paces in told.items() if isinstance(paces, list) and all(map(_believed, paces))}


def _believed(pace: object) -> bool:
    return isinstance(pace, int | float) and 1 / FARTHEST <= pace <= FARTHEST


def _add(new: Mapping[str, float]) -> None:
    runs = _read()
    paces = {key: [*runs.get(key, []), round(pace, 4)][-RUNS:] for key, pace in new.items()}
    kept_table.keep(costs_file(), _TABLE, paces, version=FORMAT, newest=ENTRIES)
