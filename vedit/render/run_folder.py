"""`OUT.vedit/run.json`: a render that is prepared, so that any process that sees the folder can make a part of it.

It names the request, with the shots that were found, the source by its hash, the machine that it was prepared for, and
every unit by number. Files are named from the folder, so that it moves together with them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from vedit import __version__
from vedit.checks.structured import parse_json
from vedit.errors import InputError, VeditError
from vedit.options.request import RenderRequest
from vedit.render.recorded_request import as_asked, as_recorded
from vedit.store.unit_files import write_whole
from vedit.store.units import RUN, work_folder

FORMAT = 1
"""Raised where runs of an older vedit cannot be made any more."""
_ANEW = "prepare it anew with --prepare-only"


@dataclass(frozen=True, kw_only=True)
class RunUnit:
    """A part of a run that one process makes."""

    shot: int
    """Its number, from 1."""
    frames: tuple[int, int]
    """The first, and the one behind the last."""
    key: str
    """See `vedit.store.units.unit_key`."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """A prepared render."""

    request: RenderRequest
    """Settled, with its shots and its output."""
    source_sha256: str
    computed_on: Mapping[str, object]
    """What its units are computed on, see `vedit.store.computed_on`; nothing where none is sampled."""
    units: tuple[RunUnit, ...]

    @property
    def output(self) -> Path:
        """The result."""
        assert self.request.output is not None
        return self.request.output

    @property
    def folder(self) -> Path:
        """OUT.vedit."""
        return work_folder(self.output)


def write_run(run: Run) -> None:
    """Write the run into its folder, which is there. Raises VeditError where the disk refuses."""
    request, folder = run.request, run.folder
    told = {
        "format": FORMAT,
        "vedit": __version__,
        "output": run.output.name,
        "request": as_recorded(request, folder),
        # How a result is put in its place is no part of a record.
        "run": {
            "overwrite": request.writing.overwrite,
            "keep_work": request.keep_work,
            "keep_frames": request.keep_frames,
        },
        "source sha256": run.source_sha256,
        "computed on": dict(run.computed_on),
        "units": [[unit.shot, *unit.frames, unit.key] for unit in run.units],
    }
    write_whole(folder / RUN, (json.dumps(told, indent=1) + "\n").encode())


def read_run(folder: Path) -> Run:
    """The run of a folder; its run.json, or the result, may be named too.

    Raises:
        InputError: there is none, or it is of another version or damaged.
    """
    folder = folder.parent if folder.name == RUN else folder
    if not (folder / RUN).is_file() and (work_folder(folder) / RUN).is_file():
        folder = work_folder(folder)
    folder = folder.absolute()
    path = folder / RUN
    try:
        told: dict[str, Any] = parse_json(path.read_text("utf-8"), path.name)
    except FileNotFoundError:
        raise InputError(
            f"{folder} holds no prepared run",
            remedy="prepare one: vedit restyle INPUT ... --prepare-only; a finished one is gone",
        ) from None
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read: {error}", remedy=_ANEW) from None
    try:
        if told["format"] != FORMAT:
            raise InputError(f"{path} is of vedit {told.get('vedit')}, and this is {__version__}", remedy=_ANEW)
        return _run_of(folder, told)
    except VeditError:
        raise
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"{path} cannot be read as a run ({error})", remedy=_ANEW) from None


def _run_of(folder: Path, told: Mapping[str, Any]) -> Run:
    request, said = as_asked(told["request"], folder), cast("Mapping[str, Any]", told["run"])
    switches = {name: bool(said[name]) for name in ("keep_work", "keep_frames")}
    writing = replace(request.writing, overwrite=bool(said["overwrite"]))
    # The folder's name is that of the result, whatever the file says.
    output = folder.with_name(folder.name.removesuffix(".vedit"))
    units = (
        RunUnit(shot=int(shot), frames=(int(first), int(behind)), key=str(key))
        for shot, first, behind, key in told["units"]
    )
    return Run(
        request=replace(request, output=output, writing=writing, **switches),
        source_sha256=str(told["source sha256"]),
        computed_on=dict(told["computed on"]),
        units=tuple(units),
    )
