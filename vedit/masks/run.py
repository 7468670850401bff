"""The mask of a clip, measured, previewed and exported in one call."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

from vedit.checks.arguments import checked
from vedit.errors import SettingError
from vedit.masks.export import MatteReport, write_mattes
from vedit.media.output import CodecName, Interlaced, PresetName
from vedit.media.reading.sequence import is_still
from vedit.options.masks import MaskSpec, parse_mask_spec
from vedit.options.output_names import in_folder, is_folder
from vedit.options.source import SourceOptions
from vedit.progress.callbacks import OnProgress, ignore_progress


@checked
def mask(
    source: Path | str,
    mask: MaskSpec | Path | str,
    output: Path | str | None = None,
    *,
    alpha: bool = False,
    preview: Path | str | None = None,
    frames: str | None = None,
    codec: CodecName | None = None,
    preset: PresetName = "edit",
    overwrite: bool = False,
    rate: Fraction | int | None = None,
    track: int | None = None,
    allow_huge: bool = False,
    interlaced: Interlaced = "deinterlace",
    on_progress: OnProgress = ignore_progress,
) -> MatteReport:
    """Make the mask of a clip as `restyle` would, measure it, and write it for an editor with the clip's timing.

    Args:
        source: the clip.
        mask: a specification, or one mask in a word as `--region` has it: FILE[@TIME], "box:25%,10%,50%,80%",
            "subject:the dog".
        output: the matte in grey: a video, pictures ("matte_%04d.png"), or a folder that is there for NAME.matte.EXT
            in it; None writes none.
        alpha: write the clip itself with the mask as its alpha channel instead: .mov (ProRes 4444) or pictures.
        preview: a PNG with frames of every shot, the mask tinted.
        frames: START..END in seconds, timecode or "#36..#96"; None is the whole clip.
        codec: of the matte; None is the container's usual one.
        preset: "web" is small, "edit" visually lossless, "archive" lossless where the codec can be.
        overwrite: replace files that are there; what was made alike is kept or replaced without it.
        rate: frames per second of an image sequence, above 0 up to 1000; None is 25.
        track: number of the video stream, from 0, as `vedit probe` lists them; None is the film.
        allow_huge: read sources beyond the limits on frame size and length.
        interlaced: "deinterlace" or "weave": what is done with the fields of an interlaced source.
        on_progress: told as mattes are made.

    Raises:
        InputError: the mask or a file cannot be read or written, or the output holds no alpha.
        ModelError: the mask needs weights that are absent.
        ContractError: the written file breaks the timing contract; it was removed.
    """
    clip = Path(source)
    spec = mask if isinstance(mask, MaskSpec) else parse_mask_spec(str(mask))
    if not spec:
        raise SettingError("the mask is empty", remedy="give it a file, a box, a point or a subject")
    if alpha and output is None:
        raise SettingError("alpha has no file to go to", remedy="name one with output, for instance OUT.mov")
    counted = None if rate is None else Fraction(rate)
    target = None if output is None else Path(output)
    if output is not None and is_folder(output):
        held = codec or ("prores" if alpha and not is_still(clip) else None)
        target = in_folder(output, clip, "matte", track=track, codec=held)
    return write_mattes(
        clip,
        spec,
        target,
        alpha=alpha,
        preview=None if preview is None else Path(preview),
        frames=frames,
        overwrite=overwrite,
        codec=codec,
        preset=preset,
        reading=SourceOptions(rate=counted, track=track, allow_huge=allow_huge, interlaced=interlaced),
        on_progress=on_progress,
    )
