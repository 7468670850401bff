"""One render with everything known about its source and output, and what its frames are steered by."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from vedit.masks import MatteSource
from vedit.media.reading.index import ScannedIndex
from vedit.media.reading.reader import VideoReader
from vedit.media.timecode import parse_moment
from vedit.media.writing.output_spec import OutputSpec
from vedit.models.loading import Loading, loading_of
from vedit.models.ref import ModelRef
from vedit.options.loras import masks_of
from vedit.options.request import RenderRequest, RestyleOptions
from vedit.options.travel import timed
from vedit.render.conditioning import Anchor, ConditioningSpec
from vedit.render.fitting import fit_of
from vedit.types import Bars, Fit, FrameIndex, FrameRange, Shot, VideoMetadata

_READ_BYTES = 96 * 2**20
"""Float frames at full size that are held together."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """A request with everything known about its source and output."""

    request: RenderRequest
    model: ModelRef
    """That the request asks for."""
    metadata: VideoMetadata
    index: FrameIndex
    scanned: ScannedIndex
    """What a further reader of the source needs not to find again."""
    frames: FrameRange
    shots: tuple[Shot, ...]
    """Of `frames`, without gap or overlap."""
    fit: Fit
    output: OutputSpec
    device: str
    notes: tuple[str, ...]
    hash_source: Callable[[], str]
    numbers: frozenset[int] | None = None
    """Of the shots that `request.options` are for; None is all."""
    bars: Mapping[int, Bars] = field(default_factory=dict[int, Bars])
    """Shot number -> its black bars, of the shots that have some and keep them."""
    anchor_bars: Mapping[int, Bars] = field(default_factory=dict[int, Bars])
    """The same by the frame of an anchor that lies in none of the shots."""

    @property
    def loading(self) -> Loading:
        """How its model is loaded and computes."""
        traits = self.model.traits
        return loading_of(self.request, self.device).on_this_machine(bears_bfloat16=traits.bears_bfloat16)

    @property
    def source_sha256(self) -> str:
        """Of the source file, or of all files of an image sequence; computed once."""
        return self.hash_source()

    @property
    def source_key(self) -> str:
        """What tells the edited pictures from any others: the file, and which of its tracks."""
        return f"{self.source_sha256}#{self.metadata.stream_index}"

    @property
    def frames_at_once(self) -> int:
        """How many full-size frames are read and finished together."""
        return frames_at_once(self.metadata.width * self.metadata.height)

    @property
    def own_shots(self) -> tuple[Shot, ...]:
        """The shots that `request.options` are for."""
        return tuple(shot for shot in self.shots if self.numbers is None or shot.number in self.numbers)

    @property
    def painted(self) -> dict[int, Path]:
        """Frame -> what is painted for it, in the shots that `request.options` are for."""
        found = ((spec.frame, spec.path) for spec in self.request.options.keyframe)
        own = [shot.frames for shot in self.own_shots]
        return {frame: path for frame, path in found if frame is not None and any(frame in each for each in own)}

    @property
    def changed_shots(self) -> tuple[Shot, ...]:
        """Those of them that come out otherwise, unless nothing is regenerated: where no model draws, the painted."""
        if not self.request.options.only_painted:
            return self.own_shots
        return tuple(shot for shot in self.own_shots if any(frame in shot.frames for frame in self.painted))

    @property
    def anchor(self) -> Anchor | None:
        """Where the look of `request.options` is taken from. Raises InputError where that is outside the clip."""
        moment = self.request.options.anchor
        if moment is None:
            return None
        frame = parse_moment(moment, self.index, self.metadata.timecode)
        # Shots of the part first: what is made of them is made in any case.
        known = (shot.frames for shot in (*self.shots, *(self.request.shots or ())))
        alone = FrameRange(start=frame, stop=frame + 1)
        return Anchor(frame=frame, shot=next((frames for frames in known if frame in frames), alone))

    @property
    def timed_options(self) -> RestyleOptions:
        """`request.options` with the moments of prompts that change over the clip as frames of it."""
        return timed(self.request.options, lambda text: parse_moment(text, self.index, self.metadata.timecode))

    def anchor_of(self, shot: Shot) -> Anchor | None:
        """What a shot is sampled together with; None: its own first frame, which needs no more than itself."""
        anchor = self.anchor
        return None if anchor is None or anchor.frame == shot.frames.start else anchor

    def bars_at(self, frame: int) -> Bars:
        """The black bars that stay as they are in a frame, of the shots or of the anchor."""
        if self.request.options.bars == "paint":
            return Bars()
        shot = next((shot.number for shot in self.shots if frame in shot.frames), None)
        return self.anchor_bars.get(frame, Bars()) if shot is None else self.bars.get(shot, Bars())

    def looks(self) -> tuple[Job, ...]:
        """The job as one of a single look each, in the order of their first shots; their `own_shots` are disjoint."""
        chosen = self.request.looks
        if chosen is None:
            return (self,)
        grouped: dict[RestyleOptions, list[int]] = {}
        for shot in self.shots:
            if shot.number in chosen and shot.number not in self.request.locked:
                grouped.setdefault(chosen[shot.number], []).append(shot.number)
        return tuple(
            replace(
                self,
                request=replace(self.request, options=options, looks=None),
                fit=fit_of((self.metadata.width, self.metadata.height), options, self.model.traits),
                numbers=frozenset(numbers),
            )
            for options, numbers in grouped.items()
        )


def frames_at_once(pixels: int) -> int:
    """How many frames of so many pixels are read and finished together."""
    return max(1, _READ_BYTES // (pixels * 12))


def reopen_source(job: Job) -> VideoReader:
    """A further reader of the job's source, which needs no scan of its own; use it as a context manager."""
    request = job.request
    return VideoReader(
        job.metadata, scanned=job.scanned, allow_huge=request.allow_huge, interlaced=request.writing.interlaced
    )


def conditioning_of(job: Job) -> ConditioningSpec:
    """Everything beside the prompt that steers the frames of a job of one look, for
    `vedit.render.conditioning.ConditioningSource`."""
    options = job.request.options
    return ConditioningSpec(
        source=MatteSource(
            metadata=job.metadata,
            index=job.index,
            shots=job.shots,
            frames=job.frames,
            reopen=lambda: reopen_source(job),
            allow_huge=job.request.allow_huge,
        ),
        fit=job.fit,
        bars_at=job.bars_at,
        controls=() if options.only_painted else options.controls,
        mask=options.mask,
        regions=options.regions,
        weight_masks=masks_of(options.loras),
        anchor=job.anchor,
        whole_picture=bool(options.prompt.strip()) or options.only_painted,
        facts={"source": job.source_key, "interlaced": job.request.writing.interlaced},
    )
