"""What a render has finished, kept on disk in units so that a killed one goes on: `OUT.vedit/`.

A unit is the latents of one window of one shot, the costly part of a render, beside those of the source that they were
made of, which finishing needs too and older units lack. Its name is a hash of everything that decides them (source,
frames, settings, weights), so a unit that is there is right, changed settings redo exactly what they touch, and no
state but the files themselves has to be believed: each describes itself (`vedit.store.unit_files`), and what another
process puts there counts. Decoding, finishing and encoding follow from the units and are done anew. One process renders
an output; beside the units it keeps what it found out on the way, in `manifest.json`.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, cast

from filelock import FileLock, Timeout

from vedit.checks.rationals import whole
from vedit.checks.structured import parse_json
from vedit.errors import FULL, InputError
from vedit.media.writing.commit import JOURNAL
from vedit.media.writing.unfinished import remove_dead
from vedit.store.adopted import adopt
from vedit.store.shared_units import SharedUnits, Sizes
from vedit.store.unit_files import UnitFile, read_unit, unit_files, units_folder, write_whole
from vedit.types import FrameRange

if TYPE_CHECKING:
    from vedit.types import Latents

FORMAT = 2
"""Raised where units of an older vedit must not be used any more."""
LONGEST_NAME = "0" * 52
"""As long as any name of a file in the folder of units or of finished frames."""
RUN = "run.json"
"""In the folder: what `vedit.render.run_folder` has prepared, which units others make."""
BESIDE = "beside.json"
"""In the folder: how the comparison video was written that a killed render had finished."""


def work_folder(output: Path) -> Path:
    """Where the units of a render are kept: beside the result, since it is moved there by renaming."""
    return output.with_name(f"{output.name}.vedit")


def unit_key(facts: Mapping[str, object]) -> str:
    """The name of a unit: SHA-256 of what decides it, as canonical JSON."""
    return hashlib.sha256(json.dumps({"format": FORMAT, **facts}, sort_keys=True).encode()).hexdigest()


@dataclass
class _Manifest:
    sampled_in: dict[str, tuple[Sizes, Sizes]] = field(default_factory=dict[str, "tuple[Sizes, Sizes]"])
    """First frame of a shot -> (sizes asked for, sizes used): the second are smaller where memory ran out."""
    precision: str | None = None
    """What the networks compute in, where what suits the device has overflowed."""
    tiled: bool = False
    """The autoencoder had to decode in tiles, which shows in the pixels: a render that goes on does so too."""


class UnitStore(SharedUnits):
    """The work folder of one render, held by one process; use it as a context manager.

    Leaving the block without `done` keeps the units there are; a folder without any is removed.

    Args:
        output: the file that is rendered.
        fresh: forget what an earlier run has kept.

    Raises:
        InputError: another process renders this output, or the folder is not ours.
        OSError: the disk refuses.
    """

    def __init__(self, output: Path, *, fresh: bool = False) -> None:
        super().__init__(work_folder(output))
        self._output = output
        self._fresh = fresh
        self._lock = FileLock(self.path / "lock", timeout=0)
        self._manifest = _Manifest()
        self._units: dict[str, UnitFile] = {}
        """By name, the oldest first."""
        self._keep = True

    def __enter__(self) -> Self:
        if self.path.is_symlink() or (self.path.exists() and not self.path.is_dir()):
            raise InputError(f"{self.path} is in the way", remedy="move it, or name another output")
        if self.path.is_dir() and not is_ours(self.path):
            raise InputError(
                f"{self.path} exists and is not a work folder of vedit", remedy="move it, or name another output"
            )
        self._check_units()
        self.path.mkdir(exist_ok=True)
        try:
            self._lock.acquire()
        except Timeout:
            raise InputError(
                f"another vedit is rendering {self._output}", remedy="wait for it, or name another output with -o"
            ) from None
        try:
            self._check_units()
            if self._fresh:
                shutil.rmtree(self._folder, ignore_errors=True)
            self._folder.mkdir(exist_ok=True)
            self._clear_partials()
            if not self._fresh:
                told = self._read()
                self._manifest = _manifest_of(told)
                adopt(self._folder, told)
            self._units = {unit.key: unit for unit in unit_files(self._folder)}
            self._write()
        except BaseException:
            self._release(remove=not (self._units or self._holds_more))
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._release(remove=not (self._keep and (self._units or self._holds_more)))

    @property
    def kept(self) -> int:
        """Units on disk."""
        return len(self._units)

    def unit(self, key: str) -> Latents | None:
        """As `SharedUnits` has it; one that is not what was written is forgotten."""
        unit = self._units.get(key)
        found = None if unit is None else read_unit(unit)
        if found is None:
            self._units.pop(key, None)
        return found

    def has(self, key: str) -> bool:
        """Whether a unit was there when the folder was opened, or was put there; `get` still checks it."""
        return key in self._units

    def sizes(self, shot: int, asked: Sizes) -> Sizes:
        """The window and batch that frames of the shot at `shot` are sampled in: `asked`, or what memory left of them
        before."""
        before = self._manifest.sampled_in.get(str(shot))
        return before[1] if before is not None and before[0] == asked else asked

    def set_sizes(self, shot: int, *, asked: Sizes, used: Sizes) -> None:
        """Record window and batch before the first unit that is sampled with them."""
        if self._manifest.sampled_in.get(str(shot)) != (asked, used):
            self._manifest.sampled_in[str(shot)] = (asked, used)
            self._write()

    @property
    def computed_on(self) -> Mapping[str, object] | None:
        """What the newest unit was computed on; None where there is none."""
        return next((unit.computed_on for unit in reversed(self._units.values())), None)

    @property
    def precision(self) -> str | None:
        """What the networks have to compute in, as an earlier part of this render found out."""
        return self._manifest.precision

    def set_precision(self, precision: str) -> None:
        """Record what the networks compute in from here on."""
        self._manifest.precision = precision
        self._write()

    @property
    def tiled(self) -> bool:
        """Whether an earlier part of this render had to decode in tiles."""
        return self._manifest.tiled

    def set_tiled(self) -> None:
        """Record that frames are decoded in tiles from here on."""
        if not self._manifest.tiled:
            self._manifest.tiled = True
            self._write()

    def forget_run(self) -> None:
        """Nobody is to make units for this folder any more."""
        (self.path / RUN).unlink(missing_ok=True)

    def done(self, *, keep: frozenset[str] = frozenset(), rendered: FrameRange | None = None) -> None:
        """The result has its name: forget every unit but `keep`.

        Args:
            keep: names of units.
            rendered: the part of the clip; units with frames outside it stay too. None is the whole clip.
        """

        def outside(unit: UnitFile) -> bool:
            return rendered is not None and not rendered.start <= unit.frames[0] <= unit.frames[1] <= rendered.stop

        for key in [key for key, unit in self._units.items() if key not in keep and not outside(unit)]:
            self._units.pop(key).path.unlink(missing_ok=True)
        self.forget_run()
        self._keep = bool(self._units) or self._holds_more
        if self._keep:
            self._write()
            for name in (BESIDE, JOURNAL):  # else they go with the folder
                (self.path / name).unlink(missing_ok=True)

    def _added(self, unit: UnitFile) -> None:
        self._units.pop(unit.key, None)  # the newest is the last
        self._units[unit.key] = unit

    @property
    def _holds_more(self) -> bool:
        """Whether something is kept beside the units: what is known of finished shots (`vedit.store.frames`), or what
        others are to make."""
        kept = self.path / "frames"
        return any(kept.glob("*.mkv")) or any(kept.glob("last.json")) or (self.path / RUN).is_file()

    @property
    def _folder(self) -> Path:
        """Of the units."""
        return units_folder(self.path)

    def _check_units(self) -> None:
        """Nothing is removed or written through a link that someone put there."""
        if self._folder.is_symlink() or (self._folder.exists() and not self._folder.is_dir()):
            raise InputError(f"{self._folder} is in the way", remedy="move it, or name another output")

    def _read(self) -> dict[str, Any]:
        """The manifest; nothing where it is absent, damaged or of another format."""
        try:
            told: object = parse_json((self.path / "manifest.json").read_text("utf-8"), "manifest.json")
        except (OSError, ValueError, InputError):
            return {}
        found = cast("dict[str, Any]", told) if isinstance(told, dict) else {}
        return found if found.get("format") == FORMAT else {}

    def _write(self) -> None:
        told = {
            "format": FORMAT,
            "output": self._output.name,
            "precision": self._manifest.precision,
            "sampled in": self._manifest.sampled_in,
            "tiled": self._manifest.tiled,
        }
        write_whole(self.path / "manifest.json", json.dumps(told, indent=1).encode())

    def _clear_partials(self) -> None:
        """Remove what killed runs were in the middle of writing; in the units' folder others may be at work."""
        for path in [*self.path.glob("*.part*"), *self.path.glob(".*.part*")]:
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
        for path in self._folder.glob("*.part*"):
            remove_dead(path)

    def _release(self, *, remove: bool) -> None:
        # Removed while the lock is held, so that no other process can have begun to use the folder.
        if remove:
            _clear(self.path)
        self._lock.release()
        if remove:
            shutil.rmtree(self.path, ignore_errors=True)  # a lock file that a system would not delete while it was open


def _manifest_of(told: Mapping[str, Any]) -> _Manifest:
    """What an earlier run found out; what a user wrote there and cannot be meant is not believed."""
    try:
        sampled_in = {str(shot): (_sizes(pair[0]), _sizes(pair[1])) for shot, pair in told["sampled in"].items()}
    except (ValueError, KeyError, TypeError, AttributeError, IndexError):
        sampled_in = {}
    return _Manifest(
        sampled_in=sampled_in,
        precision=FULL if told.get("precision") == FULL else None,
        tiled=told.get("tiled") is True,
    )


def _clear(folder: Path) -> None:
    """Remove what is in a work folder, the journal last: while it is there, the next run knows that all is done."""
    for path in sorted(folder.iterdir(), key=lambda path: (path.name == JOURNAL, path.name == "lock")):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            with contextlib.suppress(OSError):
                path.unlink()


def _sizes(told: Sequence[object]) -> Sizes:
    window, batch = told
    return whole(window), whole(batch)


def is_ours(path: Path) -> bool:
    """Whether a folder is one of these, and no other that has the name."""
    names = {entry.name for entry in path.iterdir()}
    return not names or bool(names & {"manifest.json", "lock", JOURNAL})
