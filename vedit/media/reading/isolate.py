"""A file checked in a process of its own, so that bytes which crash or choke FFmpeg end in one line.

The child opens the file, decodes its first frames and writes what it found as JSON; it has a time limit and, where the
system can set one, a limit of address space. `python -m vedit.media.reading.isolate` is that child.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

from vedit.errors import InputError, MediaError, SettingError
from vedit.types import ColorTags, StreamInfo, VideoMetadata

SECONDS = 20.0
ADDRESS_SPACE = 4 * 2**30
"""Bytes: some frames of the largest size that is decoded without `allow_huge`."""
_AGAIN = "copy or export it again"


@dataclasses.dataclass(frozen=True, kw_only=True)
class FileReport:
    """What a child found in a file."""

    metadata: VideoMetadata
    frames: int
    """Frames that were decoded and converted, of those asked for."""
    damaged: int
    """Packets among them that could not be decoded."""


def check_file(
    path: Path | str,
    *,
    frames: int = 0,
    rate: Fraction | None = None,
    track: int | None = None,
    allow_huge: bool = False,
    seconds: float = SECONDS,
) -> FileReport:
    """`probe` in a process of its own; call it before a file of unknown origin is opened in this one.

    Args:
        path: of the file or image sequence.
        frames: decode this many of the first frames too, and convert them to RGB.
        rate: frames per second of an image sequence.
        track: number of the video stream; None is the film.
        allow_huge: as `probe`; lifts the limit of address space too.
        seconds: that the check may take.

    Raises:
        SettingError: a rate or a number of a track that cannot be.
        MediaError: as `probe`; and where the file crashes the decoder, or takes too much time or memory.
    """
    # The child finds what this process does, and nothing in the folder it happens to run in.
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(str(Path(entry).absolute()) for entry in sys.path if entry),
        "OPENBLAS_NUM_THREADS": "1",
    }
    try:
        words = [sys.executable, "-P", "-m", "vedit.media.reading.isolate", f"--frames={frames}"]
        words += [f"--rate={rate.numerator}/{rate.denominator}"] if rate is not None else []
        words += [f"--track={track}"] if track is not None else []
        words += ["--allow-huge"] if allow_huge else []
        child = subprocess.run(
            [*words, "--", os.fspath(path)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=seconds,
            env=environment,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise MediaError(f"{path}: opening it takes more than {seconds:g} s", remedy=_AGAIN) from None
    except (OSError, ValueError) as error:
        raise MediaError(f"{path} could not be checked: {error}", remedy="check the path") from error
    if child.returncode < 0:
        with contextlib.suppress(ValueError):
            name = signal.Signals(-child.returncode).name
            raise MediaError(f"{path}: reading it crashes the decoder ({name})", remedy=_AGAIN)
    try:
        told: dict[str, Any] = json.loads(child.stdout)
    except ValueError:
        last = child.stderr.decode(errors="replace").strip().splitlines()[-1:] or [f"exit code {child.returncode}"]
        raise MediaError(f"{path} could not be checked: {last[0]}", remedy=_AGAIN) from None
    if "error" in told:
        raise (SettingError if told.get("setting") else MediaError)(str(told["error"]), remedy=str(told["remedy"]))
    return FileReport(
        metadata=metadata_from_json(told["metadata"]), frames=int(told["frames"]), damaged=int(told["damaged"])
    )


def metadata_to_json(metadata: VideoMetadata) -> dict[str, object]:
    """The fields as JSON has them; fractions as "24000/1001"."""
    return cast("dict[str, object]", _plain(dataclasses.asdict(metadata)))


def metadata_from_json(told: Mapping[str, Any]) -> VideoMetadata:
    """What `metadata_to_json` wrote."""
    values = dict(told)
    for name in ("sample_aspect_ratio", "time_base", "average_rate", "duration"):
        values[name] = None if values[name] is None else Fraction(values[name])
    values["path"] = Path(values["path"])
    values["container"] = tuple(values["container"])
    values["color"] = ColorTags(**values["color"])
    streams: list[dict[str, Any]] = [dict(stream) for stream in values["streams"]]
    for stream in streams:
        stream["time_base"] = Fraction(stream["time_base"])
        stream["size"] = None if stream["size"] is None else tuple(stream["size"])
    values["streams"] = tuple(StreamInfo(**stream) for stream in streams)
    return VideoMetadata(**values)


def _plain(value: object) -> object:
    if isinstance(value, Fraction):
        return f"{value.numerator}/{value.denominator}"
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in cast("dict[object, object]", value).items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in cast("Sequence[object]", value)]
    return value


def _limit(address_space: int | None) -> None:
    """No core dumps, and no more memory than told, where the system can say so."""
    try:
        import resource
    except ImportError:
        return
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if address_space is not None:
        with contextlib.suppress(OSError, ValueError):
            _, hard = resource.getrlimit(resource.RLIMIT_AS)
            most = address_space if hard == resource.RLIM_INFINITY else min(address_space, hard)
            resource.setrlimit(resource.RLIMIT_AS, (most, hard))


def _inspect(path: str, frames: int, rate: Fraction | None, track: int | None, allow_huge: bool) -> dict[str, object]:
    from vedit.media.color.convert import ToRgb
    from vedit.media.reading.decode import Decoder
    from vedit.media.reading.index import check_same_size
    from vedit.media.reading.probe import probe

    metadata = probe(path, rate=rate, track=track, allow_huge=allow_huge)
    count = damaged = 0
    if frames > 0:
        to_rgb = ToRgb(metadata.color, metadata.coded_height, metadata.bit_depth, metadata.has_alpha)
        decoder = Decoder(metadata.path, metadata.stream_index, threads=False, rate=metadata.average_rate)
        try:
            for frame in decoder:
                check_same_size(frame, count, metadata)
                to_rgb(frame)
                count += 1
                if count == frames:
                    break
            damaged = decoder.errors
        finally:
            decoder.close()
    return {"metadata": metadata_to_json(metadata), "frames": count, "damaged": damaged}


def _child(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="vedit.media.reading.isolate")
    parser.add_argument("--frames", type=int, default=0)
    parser.add_argument("--rate", type=Fraction)
    parser.add_argument("--track", type=int)
    parser.add_argument("--allow-huge", action="store_true")
    parser.add_argument("path")
    told = parser.parse_args(arguments)
    _limit(None if told.allow_huge else ADDRESS_SPACE)
    try:
        found = _inspect(told.path, told.frames, told.rate, told.track, told.allow_huge)
    except InputError as error:
        found = {"error": error.message, "remedy": error.remedy, "setting": isinstance(error, SettingError)}
    except MemoryError:
        found = {"error": f"{told.path} takes too much memory to open", "remedy": _AGAIN}
    except Exception as error:  # hostile bytes find errors that nobody thought of; the parent says them in one line
        reason = " ".join(str(error).split()) or type(error).__name__
        found = {"error": f"{told.path} cannot be read ({reason})", "remedy": _AGAIN}
    sys.stdout.write(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(_child())
