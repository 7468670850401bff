"""OUT.vedit.json: what a result was made from and how, beside it and independent of what its container can say."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
from collections.abc import Mapping, Sequence
from functools import cache
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vedit.checks.structured import parse_json
from vedit.errors import InputError, MediaError, VeditError
from vedit.media.reading.sequence import find_sequence
from vedit.media.writing.atomic import Stamp, stamp
from vedit.media.writing.label import SOURCE_TYPE

if TYPE_CHECKING:
    from vedit.media.contract.report import ContractReport
    from vedit.media.writing.output_spec import OutputSpec

FORMAT = 1
"""Of the file; a change of the meaning of a key raises it."""
PACKAGES = ("vedit", "av", "numpy", "torch", "diffusers", "transformers", "opencv-python-headless", "kornia")
_BLOCK = 2**20


def sidecar_path(output: Path) -> Path:
    """OUT.vedit.json, where OUT is the whole name of the output: two containers beside each other have two.

    A folder of pictures stands for their pattern, whose record lies in it.
    """
    named = as_written(output)
    return named.with_name(f"{named.name}.vedit.json")


def as_written(output: Path) -> Path:
    """A result by the name that it was written under: of a folder of pictures their pattern, any other as it is."""
    with contextlib.suppress(MediaError):
        if output.is_dir() and (pictures := find_sequence(output)) is not None:
            return pictures.path
    return output


def is_record(path: Path) -> bool:
    """Whether a file is a sidecar of the output that its name says."""
    return read_record(path) is not None


def read_record(path: Path) -> dict[str, Any] | None:
    """What a sidecar says; None where a file is no sidecar of the output that its name says."""
    try:
        told: dict[str, Any] = parse_json(path.read_text("utf-8"), path.name)
        return told if "format" in told and sidecar_path(path.with_name(str(told["output"]))) == path else None
    except (OSError, ValueError, TypeError, KeyError, InputError):
        return None


def describe(
    plan: OutputSpec,
    report: ContractReport,
    timings: Mapping[str, float] | None,
    *,
    notes: Sequence[str] = (),
    used: Mapping[str, object] | None = None,
    asked: Mapping[str, object] | None = None,
    frames_sha256: str | None = None,
    source_sha256: str | None = None,
) -> dict[str, object]:
    """Everything the sidecar holds.

    Args:
        plan: of the output.
        report: of the written file.
        timings: seconds by stage.
        notes: what the render was told beside what the plan says.
        used: what was used where it differs from what was asked.
        asked: all that has to be known to render it again; see `vedit.render.recorded_request`.
        frames_sha256: of the pictures as they went to the encoder, one after the other.
        source_sha256: of the source as it was when the render began, where that is known.

    Raises:
        VeditError: the source is another one than the frames were made from.
        OSError: a file cannot be read.
    """
    source = plan.source.path
    digest, size = source_hash(source)
    if source_sha256 is not None and digest != source_sha256:
        raise VeditError(
            f"{source.name} was changed while it was read", remedy="wait until it is whole, and run it again"
        )
    return {
        "format": FORMAT,
        "output": plan.path.name,
        "sound": plan.beside.name if plan.beside is not None else None,
        "label": SOURCE_TYPE if plan.options.label else None,
        "result": _result(plan.unnamed, sound=plan.unnamed_sound),
        "source": {"name": source.name, "sha256": digest, "bytes": size, "track": plan.source.stream_index},
        "frames": {"start": plan.frames.start, "stop": plan.frames.stop, "of": len(plan.index)},
        "size": [plan.encoding.width, plan.encoding.height],
        "rate": str(plan.index.rate) if plan.index.rate is not None else None,
        # Of the first frame, on the clock of the result and of the sound beside it.
        "start": str(plan.index.pts[plan.frames.start] * plan.index.time_base - plan.start),
        # Pictures in files of their own have no times: where they do not follow from the rate, they are here.
        "times": [str(pts * plan.index.time_base) for pts in plan.pts]
        if plan.pictures and not plan.index.rate
        else None,
        "timecode": plan.first_timecode,
        "timecode_in_file": plan.timecode,
        "streams": {"copied": list(plan.copied), "dropped": list(plan.dropped)},
        "encoding": {
            "codec": plan.encoding.name,
            "encoder": plan.encoding.codec,
            "pixel_format": plan.encoding.pixel_format,
            "options": plan.encoding.options,
            "color": {
                "primaries": plan.encoding.tags.primaries,
                "transfer": plan.encoding.tags.transfer,
                "matrix": plan.encoding.tags.matrix,
                "full_range": plan.encoding.tags.full_range,
            },
        },
        "data": plan.data,
        "recipe": plan.recipe,
        "used": dict(used or {}),
        "asked": dict(asked) if asked is not None else None,
        "frames_sha256": frames_sha256,
        "notes": list(dict.fromkeys([*plan.notes, *notes])),
        "not_kept": list(plan.lost),
        "contract": report.as_dict(),
        "seconds": {stage: round(value, 3) for stage, value in (timings or {}).items()},
        "versions": dict(versions()),
    }


def own_record(output: Path) -> dict[str, Any] | None:
    """The sidecar of a result that is still as it was written; None where there is none, or the result has changed.

    Reads the whole of the result.
    """
    path = sidecar_path(output)
    told = None if path.is_symlink() else read_record(path)
    if told is None:
        return None
    try:
        now = _result(output, sound=_sound(output, told))
    except (OSError, ValueError, MediaError):  # absent, no name of a file, or no sequence any more
        return None
    return told if told.get("result") == now else None


def own_files(output: Path) -> tuple[Stamp, ...]:
    """How the files of a result that has a sidecar stand now, the sidecar and the sound beside it included."""
    path = sidecar_path(output)
    told = read_record(path)
    if told is None:
        return ()
    try:
        sequence, sound = find_sequence(output), _sound(output, told)
    except (OSError, ValueError, MediaError):
        return ()
    files = [path, *(sequence.files if sequence is not None else (output,)), *([sound] if sound is not None else [])]
    return tuple(found for found in map(stamp, files) if found is not None)


def stage_sidecar(path: Path, content: Mapping[str, object]) -> Path:
    """Write a sidecar to the disk under a temporary name beside its own, and return that. Raises OSError."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        with temporary.open("x", encoding="utf-8") as file:
            json.dump(content, file, indent=2, ensure_ascii=False)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
    return temporary


def source_hash(path: Path) -> tuple[str, int]:
    """SHA-256 and bytes of a file, or of all files of an image sequence in order. Raises OSError."""
    sequence = find_sequence(path)
    digest, size = sha256(), 0
    for file in sequence.files if sequence is not None else (path,):
        with file.open("rb") as opened:
            while block := opened.read(_BLOCK):
                digest.update(block)
                size += len(block)
    return digest.hexdigest(), size


def _result(output: Path, *, sound: Path | None) -> dict[str, object]:
    """What tells a written result, its sound beside it included, from anything else of its name."""
    digest, size = source_hash(output)
    return {"sha256": digest, "bytes": size, "sound_sha256": source_hash(sound)[0] if sound is not None else None}


def _sound(output: Path, told: Mapping[str, Any]) -> Path | None:
    """The sound that a record names, beside the output wherever it says. Raises ValueError for no name of a file."""
    sound = told.get("sound")
    return as_written(output).with_name(Path(sound).name) if isinstance(sound, str) else None


@cache
def versions() -> tuple[tuple[str, str], ...]:
    """The installed packages that decide frames or files; those that are absent are left out."""
    found: list[tuple[str, str]] = []
    for package in PACKAGES:
        with contextlib.suppress(PackageNotFoundError):
            found.append((package, version(package)))
    return tuple(found)
