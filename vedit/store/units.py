"""What a render has finished, kept on disk in units so that a killed one goes on: `OUT.vedit/`.

A unit is the latents of one window of one shot, the costly part of a render, beside those of the source that they were
made of, which finishing needs too and older units lack. Its name is a hash of everything that
decides them (source, frames, settings, weights), so a unit that is there is right, changed settings redo exactly what
they touch, and no state but the files themselves has to be believed. Decoding, finishing and encoding follow from the
units and are done anew.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, cast

from filelock import FileLock, Timeout
from safetensors import SafetensorError

from vedit.checks.rationals import whole
from vedit.checks.structured import parse_json
from vedit.errors import FULL, InputError
from vedit.media.writing.commit import JOURNAL
from vedit.media.writing.unfinished import not_written
from vedit.types import FrameRange, Latents

if TYPE_CHECKING:
    import torch

FORMAT = 2
"""Raised where units of an older vedit must not be used any more."""
LONGEST_NAME = "0" * 52
"""As long as any name of a file in the folder of units or of finished frames."""
BESIDE = "beside.json"
"""In the folder: how the comparison video was written that a killed render had finished."""
KEPT = "what is finished is kept and the same command goes on"
_TENSOR, _SOURCE = "latents", "source"


Sizes = tuple[int, int]
"""Frames sampled together, and frames of one network call: `window` and `batch`."""


def work_folder(output: Path) -> Path:
    """Where the units of a render are kept: beside the result, since it is moved there by renaming."""
    return output.with_name(f"{output.name}.vedit")


def unit_key(facts: Mapping[str, object]) -> str:
    """The name of a unit: SHA-256 of what decides it, as canonical JSON."""
    return hashlib.sha256(json.dumps({"format": FORMAT, **facts}, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, kw_only=True)
class _Unit:
    file: str
    sha256: str
    frames: tuple[int, int]


@dataclass
class _Manifest:
    units: dict[str, _Unit] = field(default_factory=dict[str, _Unit])
    sampled_in: dict[str, tuple[Sizes, Sizes]] = field(default_factory=dict[str, "tuple[Sizes, Sizes]"])
    """First frame of a shot -> (sizes asked for, sizes used): the second are smaller where memory ran out."""
    computed_on: dict[str, object] | None = None
    """What made the newest unit; see `vedit.store.computed_on`."""
    precision: str | None = None
    """What the networks compute in, where what suits the device has overflowed."""
    tiled: bool = False
    """The autoencoder had to decode in tiles, which shows in the pixels: a render that goes on does so too."""


class UnitStore:
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
        self.path = work_folder(output)
        self._output = output
        self._fresh = fresh
        self._lock = FileLock(self.path / "lock", timeout=0)
        self._manifest = _Manifest()
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
                shutil.rmtree(self._units, ignore_errors=True)
            else:
                self._manifest = self._read()
            self._units.mkdir(exist_ok=True)
            self._clear_partials()
            self._write()
        except BaseException:
            self._release(remove=not (self._manifest.units or self._holds_frames))
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._release(remove=not (self._keep and (self._manifest.units or self._holds_frames)))

    @property
    def kept(self) -> int:
        """Units on disk."""
        return len(self._manifest.units)

    def get(self, key: str) -> torch.Tensor | None:
        """The latents of a unit; None where it is absent or its file is not what was written."""
        unit = self.unit(key)
        return None if unit is None else unit.data

    def unit(self, key: str) -> Latents | None:
        """`get`, with the source's latents where the unit holds them."""
        from safetensors.torch import load

        unit = self._manifest.units.get(key)
        if unit is None:
            return None
        # The manifest is a file a user can edit: only names in the folder are opened.
        path = self._units / Path(unit.file).name
        try:
            data = path.read_bytes()
            if hashlib.sha256(data).hexdigest() == unit.sha256:
                tensors = load(data)
                return Latents(data=tensors[_TENSOR], source=tensors.get(_SOURCE))
        except (OSError, SafetensorError, KeyError):
            pass  # damaged like any other: made again
        del self._manifest.units[key]
        return None

    def has(self, key: str) -> bool:
        """Whether a unit is listed; `get` still checks it."""
        return key in self._manifest.units

    def put(
        self,
        key: str,
        latents: torch.Tensor,
        *,
        frames: tuple[int, int],
        computed_on: Mapping[str, object],
        source: torch.Tensor | None = None,
    ) -> None:
        """Keep the latents of a unit, to the last bit, and what they were computed on. Its bytes are on the disk when
        this returns.

        Args:
            key: the unit's name.
            latents: (T, C, h, w).
            frames: the first, and the one behind the last.
            computed_on: see `vedit.store.computed_on`.
            source: the source's latents, of the same frames.
        """
        from safetensors.torch import save

        told = {"computed on": json.dumps(dict(computed_on), sort_keys=True)}
        tensors = {_TENSOR: latents} if source is None else {_TENSOR: latents, _SOURCE: source}
        # Copies: outside a mask both are one and the same, which the format does not take.
        data = save({name: held.contiguous().cpu().clone() for name, held in tensors.items()}, metadata=told)
        name = f"{frames[0]:07d}-{key[:16]}.safetensors"
        write_whole(self._units / name, data)
        self._manifest.units[key] = _Unit(file=name, sha256=hashlib.sha256(data).hexdigest(), frames=frames)
        self._manifest.computed_on = dict(computed_on)
        self._write()

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
        return self._manifest.computed_on if self._manifest.units else None

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

    def done(self, *, keep: frozenset[str] = frozenset(), rendered: FrameRange | None = None) -> None:
        """The result has its name: forget every unit but `keep`.

        Args:
            keep: names of units.
            rendered: the part of the clip; units with frames outside it stay too. None is the whole clip.
        """

        def outside(unit: _Unit) -> bool:
            return rendered is not None and not rendered.start <= unit.frames[0] <= unit.frames[1] <= rendered.stop

        for key in [key for key, unit in self._manifest.units.items() if key not in keep and not outside(unit)]:
            (self._units / Path(self._manifest.units.pop(key).file).name).unlink(missing_ok=True)
        self._keep = bool(self._manifest.units) or self._holds_frames
        if self._keep:
            self._write()
            for name in (BESIDE, JOURNAL):  # else they go with the folder
                (self.path / name).unlink(missing_ok=True)

    @property
    def _holds_frames(self) -> bool:
        """Whether what is known of finished shots is kept beside the units; see `vedit.store.frames`."""
        kept = self.path / "frames"
        return any(kept.glob("*.mkv")) or any(kept.glob("last.json"))

    @property
    def _units(self) -> Path:
        return self.path / "units"

    def _check_units(self) -> None:
        """Nothing is removed or written through a link that someone put there."""
        if self._units.is_symlink() or (self._units.exists() and not self._units.is_dir()):
            raise InputError(f"{self._units} is in the way", remedy="move it, or name another output")

    def _read(self) -> _Manifest:
        try:
            told: dict[str, Any] = parse_json((self.path / "manifest.json").read_text("utf-8"), "manifest.json")
            if told["format"] != FORMAT:
                return _Manifest()
            units = {
                str(key): _Unit(
                    file=str(item["file"]),
                    sha256=str(item["sha256"]),
                    frames=(whole(item["frames"][0]), whole(item["frames"][1])),
                )
                for key, item in told["units"].items()
            }
            sampled_in = {str(shot): (_sizes(pair[0]), _sizes(pair[1])) for shot, pair in told["sampled in"].items()}
            computed: object = told.get("computed on")
        except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError, InputError):
            return _Manifest()  # absent or damaged: nothing in it is believed
        return _Manifest(
            units=units,
            sampled_in=sampled_in,
            computed_on=cast("dict[str, object]", computed) if isinstance(computed, dict) else None,
            precision=FULL if told.get("precision") == FULL else None,
            tiled=told.get("tiled") is True,
        )

    def _write(self) -> None:
        told = {
            "format": FORMAT,
            "output": self._output.name,
            "computed on": self._manifest.computed_on,
            "precision": self._manifest.precision,
            "sampled in": self._manifest.sampled_in,
            "tiled": self._manifest.tiled,
            "units": {
                key: {"file": unit.file, "sha256": unit.sha256, "frames": unit.frames}
                for key, unit in self._manifest.units.items()
            },
        }
        write_whole(self.path / "manifest.json", json.dumps(told, indent=1).encode())

    def _clear_partials(self) -> None:
        """Remove what a killed run was in the middle of writing, and units that no manifest names."""
        named = {Path(unit.file).name for unit in self._manifest.units.values()}
        for path in [*self.path.glob("*.part*"), *self.path.glob(".*.part*"), *self._units.iterdir()]:
            if path.parent != self._units or path.name not in named:
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path, ignore_errors=True)
                else:
                    path.unlink(missing_ok=True)

    def _release(self, *, remove: bool) -> None:
        # Removed while the lock is held, so that no other process can have begun to use the folder.
        if remove:
            _clear(self.path)
        self._lock.release()
        if remove:
            shutil.rmtree(self.path, ignore_errors=True)  # a lock file that a system would not delete while it was open


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


def write_whole(path: Path, data: bytes) -> None:
    """Write a file so that it is there whole or not at all, also after a power cut."""
    partial = path.with_name(f"{path.name}.part")
    try:
        partial.unlink(missing_ok=True)
        with partial.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise not_written(path, error, kept=KEPT) from error
