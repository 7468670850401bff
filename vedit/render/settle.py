"""What a render will do, settled before any model is loaded: range, shots, looks, sizes and output."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import cache, partial
from itertools import pairwise

from vedit.checks.rationals import shown
from vedit.errors import InputError
from vedit.media.reading.admitted import admit
from vedit.media.reading.index import ScannedIndex, ignore_frames
from vedit.media.reading.read import open_video
from vedit.media.reading.reader import VideoReader
from vedit.media.reading.still import check_still
from vedit.media.timecode import parse_moment, parse_range
from vedit.media.writing.containers import default_output
from vedit.media.writing.output_plan import check_output, plan_output
from vedit.media.writing.sidecar import source_hash
from vedit.media.writing.target import check_name
from vedit.models.brought import with_embedding_files
from vedit.models.check import checked, located
from vedit.models.loading import loading_of
from vedit.models.lora_file import with_lora_files
from vedit.models.recipes import by_recipe, recipe_notes
from vedit.models.ref import ModelRef
from vedit.options.controls import branch, settled
from vedit.options.request import RenderRequest, RestyleOptions
from vedit.options.travel import timed
from vedit.pipelines.pipeline import load_pipeline
from vedit.progress.callbacks import OnProgress, Progress, ignore_progress
from vedit.progress.spent import spent_on
from vedit.registry.preprocessors import needs_of
from vedit.render.estimate import outline_of
from vedit.render.fitting import fit_of
from vedit.render.foreseen import OnOutline, foreseen, ignore_outline
from vedit.render.job import Job
from vedit.render.notes import notes_of
from vedit.render.paintings import check_regenerated, with_painted
from vedit.render.parts import check_brought, check_few_steps, check_parts
from vedit.render.prompts import check_timing, check_words, made_looks
from vedit.shots.detect import ContentShotDetector, detect_shots
from vedit.shots.shot_bars import kept_bars, told_of_bars
from vedit.store.units import LONGEST_NAME, work_folder
from vedit.types import Clip, Fit, FrameIndex, FrameRange, Shot, VideoMetadata
from vedit.weights.store import local


def open_source(request: RenderRequest) -> VideoReader:
    """A reader of the request's source; use it as a context manager."""
    return open_video(
        request.source,
        rate=request.rate,
        track=request.track,
        allow_huge=request.allow_huge,
        interlaced=request.writing.interlaced,
    )


def admit_files(request: RenderRequest, *, reader: VideoReader | None = None) -> None:
    """See that the files of a request can be opened, each in a process of its own; see `vedit.media.reading.admitted`.

    Args:
        request: what is asked for.
        reader: of the source, where one is open already.

    Raises:
        MediaError: one cannot, or crashes a decoder.
    """
    if reader is None:
        admit(request.source, rate=request.rate, track=request.track, allow_huge=request.allow_huge)
    for path in dict.fromkeys(path for look in request.all_looks for path in look.files):
        admit(path, allow_huge=request.allow_huge)


def check_prompts(looks: Iterable[RestyleOptions]) -> None:
    """Raises InputError where nothing says what the picture shall become."""
    for look in looks:
        if any(not region.prompt.strip() for region in look.regions):
            raise InputError("a region has an empty prompt", remedy='write --region MASK="bronze statue"')
        if not look.says_prompts and not look.only_painted:
            raise InputError("the prompt is empty", remedy='describe the look, for instance --prompt "woodcut"')


@spent_on("plan")
def make_job(
    request: RenderRequest,
    model: ModelRef,
    *,
    reader: VideoReader | None = None,
    on_progress: OnProgress = ignore_progress,
    on_outline: OnOutline = ignore_outline,
) -> Job:
    """Look at the source and settle the render; nothing is written and no model is loaded.

    Args:
        request: what to render.
        model: that it asks for, as `vedit.models.resolve.model_of` finds it.
        reader: of the source, where one is open already: its index is not made again. It stays open.
        on_progress: told of the stage.
        on_outline: told what is known of the render's size, before each stage: of its frames what the header says,
            then of its shots that they may be one.

    Raises:
        InputError: the request cannot be carried out; the message says why and what to do.
    """
    check_prompts(request.all_looks)
    check_place(request)
    by_recipes = recipe_notes(request.drawn_looks, model)
    request = settle(request, model)
    device = pick_device(request.device)
    loading = loading_of(request, device).on_this_machine(bears_bfloat16=model.traits.bears_bfloat16)
    model.check_loading(loading)
    with ExitStack() as stack:
        reader = reader or stack.enter_context(open_source(request))
        metadata, is_scanned = reader.metadata, reader.is_scanned
        outline = partial(foreseen, request, model, metadata, device, is_scanned=is_scanned)
        on_outline(outline())
        scan = _scanned(request, reader, on_progress)
        output = plan_output(
            request.output or default_output(request.source, request.track),
            metadata,
            scan.index,
            frames=None if scan.is_whole else scan.frames,
            options=request.writing,
        )
        on_outline(outline(count=len(scan.index), frames=scan.frames))
        shots = _shots(request, reader, scan, on_progress)
        _check_looks(request, metadata, scan, shots)
        request, told_of_painted = with_painted(request, reader, scan.frames, shots)
        bars, anchor_bars = kept_bars(request, reader, shots)
    fit = _largest_fit(request, model, metadata)
    notes = (
        *scan.warnings,
        *output.notes,
        *_untouched(request.looks, shots),
        *told_of_painted,
        *told_of_bars(bars, shots),
        *notes_of(request, model, by_recipes, output, fit, metadata, device),
    )
    job = Job(
        request=request,
        model=model,
        metadata=metadata,
        index=scan.index,
        scanned=scan.scanned,
        frames=scan.frames,
        shots=shots,
        fit=fit,
        output=output,
        device=device,
        notes=notes,
        hash_source=cache(lambda: source_hash(metadata.path)[0]),
        bars=bars,
        anchor_bars=anchor_bars,
    )
    on_outline(outline_of(job, is_scanned=is_scanned))
    return job


@dataclass(frozen=True, kw_only=True)
class _Scan:
    """What the one pass over a clip has found."""

    index: FrameIndex
    scanned: ScannedIndex
    warnings: tuple[str, ...]
    """Of the reader."""
    frames: FrameRange
    """The part that is asked for."""
    detector: ContentShotDetector | None
    """One that has seen every frame; None: the shots are known, or looked for later."""

    @property
    def is_whole(self) -> bool:
        """The part is the whole clip."""
        return self.frames == FrameRange(start=0, stop=len(self.index))


def _scanned(request: RenderRequest, reader: VideoReader, on_progress: OnProgress) -> _Scan:
    """The times of all frames, for which a detector of shots may be shown them. Raises InputError of the range."""
    # Of a part it is not known yet where it begins.
    detector = ContentShotDetector() if request.shots is None and request.frames is None else None
    shown = indexed(reader, on_progress, None if detector is None else detector.push)
    index = reader.index()
    whole = FrameRange(start=0, stop=len(index))
    return _Scan(
        index=index,
        scanned=reader.scanned(),
        warnings=reader.warnings,
        frames=whole if request.frames is None else parse_range(request.frames, index, reader.metadata.timecode),
        detector=detector if shown else None,
    )


def _shots(request: RenderRequest, reader: VideoReader, scan: _Scan, on_progress: OnProgress) -> tuple[Shot, ...]:
    """The shots of the part: those that the request knows, else detected. Raises InputError where they do not fit."""
    if request.shots is not None:
        return _known_shots(request.shots, len(scan.index), scan.frames)
    return _detected(reader, scan.frames, on_progress, scan.detector)


def _check_looks(request: RenderRequest, metadata: VideoMetadata, scan: _Scan, shots: Sequence[Shot]) -> None:
    """Raises InputError where a look is for a shot that there is not, or its anchor or a moment of its prompts is none
    for it."""
    check_numbers((*(request.looks or ()), *request.locked), request.shots or shots)
    made = {shot.number for shot in shots} - request.locked
    for options in request.all_looks:
        used = request.looks is None or any(request.looks.get(number) == options for number in made)
        _check_anchor(options, scan.index, metadata, scan.frames if used else None)
        timed(options, lambda text: parse_moment(text, scan.index, metadata.timecode))


def _largest_fit(request: RenderRequest, model: ModelRef, metadata: VideoMetadata) -> Fit:
    """How the frames lie at the working size, of the looks the one with the largest."""
    size = (metadata.width, metadata.height)
    fits = [fit_of(size, options, model.traits) for options in request.all_looks or (request.options,)]
    return max(fits, key=lambda fit: fit.outer)


def _detected(
    reader: VideoReader, frames: FrameRange, on_progress: OnProgress, detector: ContentShotDetector | None
) -> tuple[Shot, ...]:
    """The shots of a part, by a detector that has seen every frame of it already, or read for them."""

    def tell(done: int) -> None:
        on_progress(Progress(stage="shots", done=done, total=len(frames)))

    tell(0)
    if detector is None:
        return detect_shots(reader, frames=frames, on_frames=tell)
    shots = detector.finish()
    tell(len(frames))
    return shots


def check_place(request: RenderRequest) -> None:
    """Raises InputError where the result cannot be written as it is named; the source is not decoded for it."""
    output = request.output or default_output(request.source)
    check_output(output, request.source, request.writing)
    check_name(work_folder(output) / "units" / LONGEST_NAME)


def settle(request: RenderRequest, model: ModelRef) -> RenderRequest:
    """The request with the recipes of its looks and the controls that will act; settled once more it is the same.

    Args:
        request: as a caller states it.
        model: that it asks for, as `vedit.models.resolve.model_of` finds it.

    Raises:
        InputError: the model is not on this machine, it is damaged or lacks a control that is asked for, the
            weights that a control's maps are made with are absent, or the model knows no word of a prompt.
    """
    for look in request.all_looks:
        check_parts(look)
        for spec in (*look.references, *look.keyframe):
            check_still(spec.path)
    if request.only_painted:
        # No model has made anything of it.
        return replace(request, writing=replace(request.writing, label=False))
    located(model)
    model.check_quantized(request.quantize)
    request = _each(_each(request, with_lora_files), with_embedding_files)
    if model.source.ip_adapter is not None and not any(look.references for look in request.all_looks):
        raise InputError("the IP-Adapter has no picture to read", remedy="name one with --reference, or leave it out")
    for look in request.drawn_looks:
        model.traits.check(look, model=model.name)
        load_pipeline(look.pipeline).check(look, model.traits)
        check_timing(look)
        check_few_steps(look, model)
        check_brought(look)
        model.check_look(look)

    def chosen(look: RestyleOptions) -> RestyleOptions:
        if look.only_painted:
            return look
        look = model.traits.settled(by_recipe(look, model))
        return settled(look, model.control_kinds, model=model.name)

    request = _each(request, chosen)
    check_regenerated(request.all_looks, model)
    used = [spec for look in made_looks(request) for spec in look.controls]
    checked(model, controls=[branch(spec.kind) for spec in used])
    for kind in dict.fromkeys(spec.kind for spec in used if spec.source is None):
        for name in needs_of(kind).weights:
            local(name)
    check_words(made_looks(request), model)
    return request


def _each(request: RenderRequest, change: Callable[[RestyleOptions], RestyleOptions]) -> RenderRequest:
    """The request with every look changed."""
    if request.looks is None:
        return replace(request, options=change(request.options))
    return replace(request, looks={number: change(look) for number, look in request.looks.items()})


def indexed(reader: VideoReader, on_progress: OnProgress, show: Callable[[Clip], None] | None = None) -> bool:
    """Find the times of all frames, for which a long clip is decoded for minutes.

    Args:
        reader: of the clip.
        on_progress: told of the stage.
        show: shown the frames on the way, see `VideoReader.scan_showing`.

    Returns:
        Whether all of them were shown, as `read` gives them.
    """
    declared = reader.metadata.declared_frames or 0

    def tell(done: int) -> None:
        on_progress(Progress(stage="index", done=done, total=max(declared, done + 1)))

    tell(0)
    reader.on_scanned = tell
    shown = show is not None and reader.scan_showing(show)
    count = len(reader.index())
    reader.on_scanned = ignore_frames
    on_progress(Progress(stage="index", done=count, total=count))
    return shown


def _check_anchor(options: RestyleOptions, index: FrameIndex, metadata: VideoMetadata, part: FrameRange | None) -> None:
    """Raises InputError where the anchor is no moment of the clip, or shows nothing of a look made in the part."""
    if options.anchor is None:
        return
    try:
        frame = parse_moment(options.anchor, index, metadata.timecode)
    except InputError as error:
        raise InputError(f"the anchor: {error.message}", remedy=error.remedy) from None
    if part is not None and not options.prompt.strip() and frame not in part:
        raise InputError(
            f"the anchor {options.anchor} is outside the part, where the regions have no masks",
            remedy="widen --range, or give a --prompt for the whole picture",
        )


def check_numbers(numbers: Sequence[int], shots: Sequence[Shot]) -> None:
    """Raises InputError where a shot is named that there is not."""
    there = [shot.number for shot in shots]
    absent = [number for number in numbers if number not in there]
    if absent:
        raise InputError(
            f"there is no shot {absent[0]}",
            remedy=f"the clip has shots {min(there)} to {max(there)}: see `vedit shots`",
        )


def _known_shots(shots: Sequence[Shot], count: int, frames: FrameRange) -> tuple[Shot, ...]:
    """The shots, cut to the part. Raises InputError where they do not cover the clip without gap or overlap."""
    gaps = any(a.frames.stop != b.frames.start for a, b in pairwise(shots))
    if not shots or gaps or shots[0].frames.start != 0 or shots[-1].frames.stop != count:
        raise InputError(
            f"the shots do not cover the clip's {count} frames without gap or overlap",
            remedy="detect them again: the clip may have changed",
        )
    cut = (
        replace(
            shot,
            frames=FrameRange(
                start=min(max(shot.frames.start, frames.start), frames.stop),
                stop=max(min(shot.frames.stop, frames.stop), frames.start),
            ),
        )
        for shot in shots
    )
    return tuple(shot for shot in cut if len(shot.frames))


def _untouched(looks: Mapping[int, RestyleOptions] | None, shots: Sequence[Shot]) -> tuple[str, ...]:
    count = 0 if looks is None else sum(shot.number not in looks for shot in shots)
    return (f"{count} of {len(shots)} shots have no look and pass through",) if count else ()


def pick_device(name: str) -> str:
    """`auto` -> the best device there is; any other name is checked.

    Raises:
        InputError: the device is not there.
    """
    import torch

    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        return next(device for device in ("cuda", "mps", "cpu") if there[device])
    kind = name.split(":")[0]
    if not there.get(kind, False):
        raise InputError(
            f"there is no device {shown(name)} on this machine",
            remedy=f"use --device {' or '.join(d for d in there if there[d])}, or leave it out",
        )
    return name
