"""`vedit.evaluate` and `vedit.compare`: results measured against the clip that they were made from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path

from vedit.checks.arguments import checked
from vedit.errors import InputError, SettingError
from vedit.evaluation.kept import check_record
from vedit.evaluation.kept import keep as keep_report
from vedit.evaluation.measured import Asked, measure
from vedit.evaluation.motion import Estimator
from vedit.evaluation.report import Report
from vedit.media.output import Interlaced
from vedit.options.masks import MaskSpec, parse_mask_spec
from vedit.options.source import SourceOptions
from vedit.progress.callbacks import OnProgress, ignore_progress

SIDE, QUICK_SIDE = 512, 256
"""Pixels of the shorter side at which frames are measured."""


@checked
def evaluate(
    source: Path | str,
    result: Path | str,
    *,
    mask: MaskSpec | Path | str | None = None,
    prompt: str | None = None,
    require: Sequence[str] = (),
    metrics: Sequence[str] | None = None,
    quick: bool = False,
    short_side: int | None = None,
    flow: Estimator = "dis",
    keep: bool = False,
    frames: str | None = None,
    rate: Fraction | int | None = None,
    track: int | None = None,
    allow_huge: bool = False,
    interlaced: Interlaced = "deinterlace",
    on_progress: OnProgress = ignore_progress,
) -> Report:
    """Measure a result against its source: timing and sound, motion, steadiness, structure, and how far it changed.

    What the record beside the result says (the part, the shots, the windows, the prompt, the mask, the model) is used
    where nothing else is said. Memory does not grow with the length of the clip.

    Args:
        source: the clip.
        result: what was made of it, frame by frame.
        mask: where the picture may change; a specification, or one mask in a word as `--region` has it; None is what
            the record says.
        prompt: what the result was to look like; None is what the record says.
        require: bounds on figures: "warp_error<1.3x" (times the source's own value), "camera_path<0.5", "contract".
        metrics: names of those to measure; None is all that can be.
        quick: the cheap ones only, at a smaller size and without floors.
        short_side: 64 to 4096: pixels of the shorter side at which frames are measured; None is 512, with quick 256.
        flow: "dis", "farneback" or "raft": the estimator of motion; vedit steadies along dis, so that another is a
            second opinion.
        keep: write the report into the record beside the result too, under "evaluation".
        frames: START..END, the part of the source that the result shows; None is what the record says, else all of it.
        rate: frames per second of an image sequence, above 0 up to 1000; None is 25.
        track: number of the video stream, from 0, as `vedit probe` lists them; None is the film.
        allow_huge: read clips beyond the limits on frame size and length.
        interlaced: "deinterlace" or "weave": what is done with the fields of an interlaced source.
        on_progress: told as frames are measured.

    Raises:
        InputError: a file cannot be read, the result is of another length or cut, or a requirement or metric is none.
    """
    if keep:
        check_record(Path(result))
    asked = _asked(
        mask=mask,
        prompt=prompt,
        require=require,
        metrics=metrics,
        quick=quick,
        short_side=short_side,
        flow=flow,
        reading=SourceOptions(
            frames=frames, rate=_rate(rate), track=track, allow_huge=allow_huge, interlaced=interlaced
        ),
    )
    (report,) = measure(Path(source), {Path(result).name: Path(result)}, asked, on_progress=on_progress)
    if keep:
        keep_report(report)
    return report


@checked
def compare(
    source: Path | str,
    results: Mapping[str, Path | str] | Sequence[Path | str],
    *,
    mask: MaskSpec | Path | str | None = None,
    prompt: str | None = None,
    require: Sequence[str] = (),
    metrics: Sequence[str] | None = None,
    quick: bool = False,
    short_side: int | None = None,
    flow: Estimator = "dis",
    frames: str | None = None,
    rate: Fraction | int | None = None,
    track: int | None = None,
    allow_huge: bool = False,
    interlaced: Interlaced = "deinterlace",
    on_progress: OnProgress = ignore_progress,
) -> tuple[Report, ...]:
    """Measure several results of one clip side by side, those of other tools too.

    Frames go together by time since each one's first; what differs in length, size, rate or sound is noted in each
    report rather than refused.

    Args:
        source: the clip.
        results: by label; or files, which are labelled by their names.
        mask: see `evaluate`; it holds for all of them.
        prompt: see `evaluate`.
        require: see `evaluate`; each result has to hold to all of it.
        metrics: see `evaluate`.
        quick: see `evaluate`.
        short_side: see `evaluate`.
        flow: see `evaluate`.
        frames: START..END, the part of the source that all of them show; None is all of it.
        rate: see `evaluate`.
        track: see `evaluate`.
        allow_huge: see `evaluate`.
        interlaced: see `evaluate`.
        on_progress: told as frames are measured.

    Returns:
        A report for each result, in order.

    Raises:
        InputError: a file cannot be read, shows nothing of the clip, or two have one label.
    """
    asked = _asked(
        mask=mask,
        prompt=prompt,
        require=require,
        metrics=metrics,
        quick=quick,
        short_side=short_side,
        flow=flow,
        reading=SourceOptions(
            frames=frames, rate=_rate(rate), track=track, allow_huge=allow_huge, interlaced=interlaced
        ),
    )
    return measure(Path(source), _labelled(results), asked, by_time=True, on_progress=on_progress)


def _asked(
    *,
    mask: MaskSpec | Path | str | None,
    prompt: str | None,
    require: Sequence[str],
    metrics: Sequence[str] | None,
    quick: bool,
    short_side: int | None,
    flow: Estimator,
    reading: SourceOptions,
) -> Asked:
    spec = mask if isinstance(mask, MaskSpec) or mask is None else parse_mask_spec(str(mask))
    side = short_side or (QUICK_SIDE if quick else SIDE)
    if not 64 <= side <= 4096:
        raise SettingError(f"the measuring size is {side}", remedy="give 64 to 4096 pixels of the shorter side")
    return Asked(
        mask=spec or None,
        prompt=prompt,
        require=tuple(require),
        metrics=None if metrics is None else tuple(metrics),
        quick=quick,
        short_side=side,
        flow=flow,
        reading=reading,
    )


def _rate(rate: Fraction | int | None) -> Fraction | None:
    return None if rate is None else Fraction(rate)


def _labelled(results: Mapping[str, Path | str] | Sequence[Path | str]) -> dict[str, Path]:
    if isinstance(results, Mapping):
        found = {label: Path(path) for label, path in results.items()}
    else:
        paths = [Path(path) for path in results]
        names = [path.name for path in paths]
        labels = [path.name if names.count(path.name) == 1 else str(path) for path in paths]
        found = dict(zip(labels, paths, strict=True))
        if len(found) != len(paths):
            raise InputError("two results have one name", remedy="give each a label of its own")
    if not found:
        raise SettingError("there is no result to compare", remedy="name at least one")
    return found
