"""Control maps of a clip, written or measured in one call."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

from vedit.checks.arguments import checked
from vedit.control_maps import report
from vedit.control_maps.export import WrittenControls, write_controls
from vedit.control_maps.export_paths import Format
from vedit.errors import SettingError
from vedit.media.output import Interlaced, PresetName
from vedit.options.masks import MaskSpec, parse_mask_spec
from vedit.options.source import SourceOptions
from vedit.progress.callbacks import OnProgress, ignore_progress

SMALLEST = 16
"""Pixels of the shorter side at which maps are computed."""


@checked
def controls(
    source: Path | str,
    kinds: Sequence[str] | str,
    output: Path | str,
    *,
    file_format: Format | None = None,
    sheet: Path | str | None = None,
    frames: str | None = None,
    side: int | None = None,
    preset: PresetName = "archive",
    overwrite: bool = False,
    rate: Fraction | int | None = None,
    track: int | None = None,
    allow_huge: bool = False,
    interlaced: Interlaced = "deinterlace",
    on_progress: OnProgress = ignore_progress,
) -> WrittenControls:
    """Write control maps of a clip with its timing: one video, image sequence or run of data files for each kind.

    Every shot is one stream: depth has one range over it, flow never crosses a cut. The maps can be edited and given
    back as the source of a control. Maps that are there, made of the same clip with the same settings, are kept.

    Args:
        source: the clip.
        kinds: which maps, for instance ["softedge", "flow"] or "softedge,flow".
        output: a folder (NAME.KIND.mp4 in it, and a contact sheet), a video, or numbered files ("depth_%04d.png"); of
            several kinds each takes the place of {kind} in the name, or joins it.
        file_format: "video", "png", "exr" (floats), "png16" or "flo" (flow); None goes by the ending, and is video for
            a folder.
        sheet: a PNG with frames of the clip and their maps; None writes one into a folder, else none.
        frames: START..END in seconds, timecode or "#36..#96"; None is the whole clip.
        side: 16 or more: pixels of the shorter side at which maps are computed; None is each kind's own, else the
            clip's.
        preset: of videos: "web", "edit" or "archive".
        overwrite: replace files that are there.
        rate: frames per second of an image sequence, above 0 up to 1000; None is 25.
        track: number of the video stream, from 0, as `vedit probe` lists them; None is the film.
        allow_huge: read sources beyond the limits on frame size and length.
        interlaced: "deinterlace" or "weave": what is done with the fields of an interlaced source.
        on_progress: told as frames are written.

    Raises:
        InputError: a kind is unknown, or a file cannot be read or written.
        ModelError: weights are absent.
        ContractError: a written file breaks the timing contract; none was kept.
    """
    if side is not None and side < SMALLEST:
        raise SettingError(f"side is {side}", remedy=f"give {SMALLEST} pixels or more")
    return write_controls(
        Path(source),
        _named(kinds),
        output,
        wanted=file_format,
        frames=frames,
        overwrite=overwrite,
        short_side=side,
        sheet=None if sheet is None else Path(sheet),
        preset=preset,
        reading=SourceOptions(
            rate=None if rate is None else Fraction(rate), track=track, allow_huge=allow_huge, interlaced=interlaced
        ),
        on_progress=on_progress,
    )


@checked
def check_controls(
    source: Path | str,
    kinds: Sequence[str] | str = report.DEFAULT_KINDS,
    *,
    mask: MaskSpec | Path | str | None = None,
    frames: str | None = None,
    rate: Fraction | int | None = None,
    track: int | None = None,
    allow_huge: bool = False,
    interlaced: Interlaced = "deinterlace",
    on_progress: OnProgress = ignore_progress,
) -> report.CheckReport:
    """Measure what a clip offers to controls, shot by shot, and say where one would hurt; nothing is written.

    Args:
        source: the clip.
        kinds: which controls; those whose weights are absent are left out, and listed.
        mask: what would be used, to be measured too: a specification, or one mask in a word.
        frames: START..END in seconds, timecode or "#36..#96"; None is the whole clip.
        rate: frames per second of an image sequence, above 0 up to 1000; None is 25.
        track: number of the video stream, from 0, as `vedit probe` lists them; None is the film.
        allow_huge: read sources beyond the limits on frame size and length.
        interlaced: "deinterlace" or "weave": what is done with the fields of an interlaced source.
        on_progress: told as shots are done.

    Raises:
        InputError: a kind is unknown, the clip cannot be read, or the mask does not fit it.
    """
    return report.check_controls(
        Path(source),
        _named(kinds),
        frames=frames,
        mask=parse_mask_spec(str(mask)) if isinstance(mask, Path | str) else mask,
        reading=SourceOptions(
            rate=None if rate is None else Fraction(rate), track=track, allow_huge=allow_huge, interlaced=interlaced
        ),
        on_progress=on_progress,
    )


def _named(kinds: Sequence[str] | str) -> tuple[str, ...]:
    """The kinds, each once. Raises SettingError where there is none."""
    words = kinds.split(",") if isinstance(kinds, str) else kinds
    names = tuple(dict.fromkeys(word.strip() for word in words if word.strip()))
    if not names:
        raise SettingError("no kind of map is named", remedy='name one, for instance "softedge,tile"')
    return names
