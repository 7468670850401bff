"""What steers the frames of a render beside the prompt: control maps, masks and regions, by frame number.

Maps that depend on the whole shot, on weights or on a size of their own are made once a shot, streaming, and kept on
disk; the others are made of the window in hand. Either way a frame's map does not depend on which window asks for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, cast

import torch
from torch.nn import functional as F

from vedit.checks.setting import is_left_out
from vedit.control_maps.maps import control_maps, control_stream
from vedit.control_maps.prerendered import ControlVideo, open_control, runs
from vedit.diffusion.carried_noise import SceneNoise, first_noise
from vedit.diffusion.conditioning import Control, FrameConditioning, RegionConditioning
from vedit.errors import InputError, MediaError
from vedit.geometry import fit, pad, unfit, working_fit
from vedit.masks import MatteSource, open_mattes
from vedit.media.writing.sidecar import source_hash
from vedit.registry.entry import Needs
from vedit.registry.preprocessors import needs_of, preprocessors
from vedit.shots.bars import filled
from vedit.store.computed import CachedFrames, ComputedCache
from vedit.store.computed_on import computed_on
from vedit.types import Bars, ControlMap, ControlSpec, Fit, FrameRange, PromptEmbeds, Shot
from vedit.weights.store import identity

if TYPE_CHECKING:
    from vedit.diffusion.noise import Drawn
    from vedit.options.masks import MaskSpec, RegionSpec
    from vedit.protocols import Mattes

SPOOL_FRAMES = 8
"""Frames that are read together while the maps of a shot are made."""
VISIBLE = 0.5 / 65535
"""A matte above this changes a pixel of 16 bits."""


Numbered = tuple[FrameRange, Sequence[int]]
"""Frames by their numbers in the source, and the shot that all of them are in."""


@dataclass(frozen=True, kw_only=True)
class Anchor:
    """The frame of the source that stands for a look of several shots, and the shot that it is in."""

    frame: int
    shot: FrameRange


@dataclass(frozen=True, kw_only=True)
class ConditioningSpec:
    """What a render is steered by, as files and words: everything but the model."""

    source: MatteSource
    """The clip and its shots."""
    fit: Fit
    """How frames lie in the model's frame."""
    bars_at: Callable[[int], Bars] = lambda _: Bars()
    """Frame number -> the black bars that the model does not see."""
    controls: tuple[ControlSpec, ...] = ()
    """Those asked for; the model may lack some."""
    mask: MaskSpec | None = None
    regions: tuple[RegionSpec, ...] = ()
    weight_masks: tuple[MaskSpec, ...] = ()
    """Where LoRAs act."""
    anchor: Anchor | None = None
    """Where the look is taken from; it may lie outside the source's part, where there are no mattes."""
    whole_picture: bool = True
    """The prompt holds for the whole picture; False: only the regions change."""
    facts: Mapping[str, object] = field(default_factory=dict[str, object])
    """What decides the source's frames: part of the name of what is kept on disk."""


class ConditioningSource:
    """Opens everything that steers a render and hands out `FrameConditioning`; use it as a context manager.

    Files are checked when the block is entered, before a model is loaded.

    Args:
        steered: what is asked for.
        cache: where maps of whole shots are kept.

    Raises:
        InputError: a file does not fit the source, or weights are absent.
    """

    def __init__(self, steered: ConditioningSpec, cache: ComputedCache) -> None:
        self._steered, self._cache = steered, cache
        self._stack = ExitStack()
        self.mattes: Mattes | None = None
        """Where the picture changes, at the source's size; None is everywhere."""
        self._regions: tuple[Mattes, ...] = ()
        self._weights: tuple[Mattes, ...] = ()
        self._videos: dict[Path, ControlVideo] = {}
        """Control videos and masks of controls."""
        self._videos_there: dict[Path, ControlVideo] = {}
        """The same at an anchor that lies outside the part."""
        self._maps: dict[tuple[str, FrameRange], CachedFrames] = {}
        self._carried: tuple[tuple[Drawn, FrameRange], SceneNoise] | None = None
        """The noise of the shot that was asked for last."""

    def __enter__(self) -> Self:
        steered = self._steered
        try:
            mask = None if steered.mask is None else self._open(steered.mask)
            self._regions = tuple(self._open(region.mask) for region in steered.regions)
            self._weights = tuple(self._open(one) for one in steered.weight_masks)
            self.mattes = mask
            if mask is None and self._regions and not steered.whole_picture:
                self.mattes = _union(self._regions)
            paths = [path for spec in steered.controls for path in (spec.source, spec.mask) if path is not None]
            for path in dict.fromkeys(paths):
                self._videos[path] = self._open_video(path, steered.source.frames)
                if steered.anchor is not None and steered.anchor.frame not in steered.source.frames:
                    self._videos_there[path] = self._open_there(path, steered.anchor.frame)
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._carried is not None:
            self._carried[1].close()
        self._carried = None
        self._stack.close()
        self._maps.clear()

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know of the masks."""
        return tuple(dict.fromkeys(note for mattes in self._opened for note in getattr(mattes, "notes", ())))

    @property
    def made_by(self) -> tuple[object, ...]:
        """The weights behind the masks, JSON-able."""
        return tuple(found for mattes in self._opened for found in getattr(mattes, "made_by", ()))

    @property
    def by_part(self) -> bool:
        """Another part of the source would be steered otherwise where the two overlap: something goes with this one."""
        opened = (*self._videos.values(), *self._opened)
        return any(getattr(one, "by_part", False) for one in opened)

    @property
    def _opened(self) -> tuple[Mattes, ...]:
        return (*([] if self.mattes is None else [self.mattes]), *self._regions, *self._weights)

    def guides_of(
        self,
        shot: Shot,
        controls: Sequence[ControlSpec],
        prompts: Sequence[PromptEmbeds],
        anchor: Anchor | None = None,
        drawn: Drawn | None = None,
    ) -> Callable[[Sequence[int], torch.Tensor], FrameConditioning]:
        """Of a shot: (frame numbers, their frames at the model's size) -> what steers them.

        Args:
            shot: the frames belong to it.
            controls: those that the model has branches for.
            prompts: of the regions, in their order.
            anchor: the first of the frames, where it stands for the look of several shots. It has the maps of its own
                shot, and is changed as a whole: no pixel of it is written, and what a mask keeps of the source there
                would be shown to the other shots as the look. Regions hold where their masks say so; outside the
                source's part, where there are none, nowhere.
            drawn: from the seed, where anything is. A frame has its shot's noise, carried from the first on; an anchor
                that shots share has its own.
        """

        def guides(numbers: Sequence[int], frames: torch.Tensor) -> FrameConditioning:
            own: Numbered = (shot.frames, numbers if anchor is None else numbers[1:])
            groups = [own] if anchor is None else [(anchor.shot, numbers[:1]), own]

            def small(mattes: Mattes) -> torch.Tensor:
                return torch.cat([self._small(mattes, numbers) for _, numbers in groups])

            return FrameConditioning(
                controls=tuple(self._control(spec, groups, frames) for spec in controls),
                mask=None if self.mattes is None else self._whole_first(self._influence(self.mattes, own[1]), anchor),
                regions=tuple(
                    RegionConditioning(prompt=prompt, mask=small(mattes))
                    for prompt, mattes in zip(prompts, self._regions, strict=True)
                ),
                noise=None if drawn is None else self._noise(drawn, own, anchor),
                weight_masks=tuple(map(small, self._weights)),
            )

        return guides

    def _noise(self, drawn: Drawn, own: Numbered, anchor: Anchor | None) -> torch.Tensor:
        shot, numbers = own
        if self._carried is None or self._carried[0] != (drawn, shot):
            self._carried = ((drawn, shot), SceneNoise(drawn, shot, lambda: self._seen(shot)))
        carried = self._carried[1](numbers)
        if anchor is None:
            return carried
        alone = first_noise(drawn, self._steered.fit.outer, anchor.frame)
        return torch.cat([alone.cells(drawn.cell)[None], carried])

    def _seen(self, frames: FrameRange) -> Iterator[torch.Tensor]:
        """Frames of the source as the model sees them, in chunks."""
        with self._steered.source.reopen() as reader:
            yield from (fit(clip, self._steered.fit) for clip in reader.chunks(frames, SPOOL_FRAMES))

    def _whole_first(self, mask: torch.Tensor, anchor: Anchor | None) -> torch.Tensor:
        return mask if anchor is None else torch.cat([torch.ones_like(mask[:1]), mask])

    def _open_video(self, path: Path, frames: FrameRange) -> ControlVideo:
        source = self._steered.source
        video = open_control(path, source.metadata, source.index, frames=frames, allow_huge=source.allow_huge)
        return self._stack.enter_context(video)

    def _open_there(self, path: Path, frame: int) -> ControlVideo:
        try:
            return self._open_video(path, FrameRange(start=frame, stop=frame + 1))
        except MediaError:
            raise InputError(
                f"{path.name} does not reach to the anchor #{frame}, which is outside the rendered part",
                remedy="give a file for the whole clip, or an anchor in the part",
            ) from None

    def _open(self, spec: MaskSpec) -> Mattes:
        # What a mask is computed from is in the names within, so another feather computes nothing anew.
        folder = self._cache.folder({"mattes": self._steered.facts})
        return self._stack.enter_context(open_mattes(spec, self._steered.source, folder=folder))

    def _control(self, spec: ControlSpec, groups: Sequence[Numbered], frames: torch.Tensor) -> Control:
        if spec.source is not None:
            maps = self._from_video(spec.source, groups)
        elif (needs := needs_of(spec.kind)).whole_shot or needs.weights or needs.short_side:
            maps = torch.cat([self._of_shot(spec.kind, needs, shot, numbers) for shot, numbers in groups])
        else:
            (made,) = control_maps([spec], frames)
            maps = made.frames
        return Control(
            spec=spec,
            map=ControlMap(kind=spec.kind, frames=maps),
            mask=None if spec.mask is None else self._from_video(spec.mask, groups)[:, :1],
        )

    def _of_shot(self, kind: str, needs: Needs, shot: FrameRange, numbers: Sequence[int]) -> torch.Tensor:
        """Maps of whole-shot kinds, from the disk; made where the shot is met first."""
        kept = self._maps.get((kind, shot))
        if kept is None:
            side = max(min(self._steered.fit.inner), needs.short_side or 0)
            bars = self._steered.bars_at(shot.start)
            facts = {
                **made_by(kind),
                "side": side,
                "fit": plain(self._steered.fit),
                "source": self._steered.facts,
                **({"bars": plain(bars)} if bars else {}),
                # Networks round otherwise elsewhere; without weights it is whole numbers and OpenCV.
                **({"computed on": computed_on(torch.device("cpu"))} if needs.weights else {}),
            }
            kept = self._cache.frames(facts, shot, lambda: self._maps_of_shot(kind, needs, side, shot))
            self._maps[kind, shot] = kept
        return pad(torch.stack([kept[number] for number in numbers]), self._steered.fit)

    def _maps_of_shot(self, kind: str, needs: Needs, side: int, frames: FrameRange) -> Iterator[torch.Tensor]:
        source = self._steered.source
        size = (source.metadata.height, source.metadata.width)
        place = working_fit(size, short_side=side, multiple_of=needs.multiple_of, minimum=needs.minimum)

        def seen() -> Iterator[torch.Tensor]:
            with source.reopen() as reader:
                bars = self._steered.bars_at(frames.start)
                yield from (fit(filled(clip, bars), place) for clip in reader.chunks(frames, SPOOL_FRAMES))

        for maps in control_stream(kind, seen()):
            yield _resized(unfit(maps, place), self._steered.fit.inner)

    def _from_video(self, path: Path, groups: Sequence[Numbered]) -> torch.Tensor:
        part = self._steered.source.frames
        frames = torch.cat(
            [
                (self._videos if run.start in part else self._videos_there)[path].read(run)
                for _, numbers in groups
                for run in runs(numbers)
            ]
        )
        return pad(_resized(frames, self._steered.fit.inner), self._steered.fit)

    def _small(self, mattes: Mattes, numbers: Sequence[int]) -> torch.Tensor:
        """Mattes at the model's size, (T, 1, h, w); of a frame outside the part there is none."""
        place = self._steered.fit
        if numbers[0] not in self._steered.source.frames:
            return torch.zeros(len(numbers), 1, *place.outer)
        return pad(torch.cat([_resized(matte, place.inner) for matte in _singly(mattes, numbers)]), place)

    def _influence(self, mattes: Mattes, numbers: Sequence[int]) -> torch.Tensor:
        """1 wherever any pixel beneath changes, however little: the feather is the compositing's, at full size."""
        place = self._steered.fit
        changed = ((matte > VISIBLE).float() for matte in _singly(mattes, numbers))
        # Area averages are above 0 wherever one pixel is; bicubic enlargement of a tiny source may not be.
        parts = [(F.interpolate(one, place.inner, mode="area") > 0).float() for one in changed]
        return pad(torch.cat(parts), place)


def made_by(kind: str) -> dict[str, object]:
    """What decides the maps of a preprocessor beside the frames: the code and the weights behind its name."""
    weights = needs_of(kind).weights
    return {
        "kind": kind,
        "made by": preprocessors()[kind].version,
        "weights": {name: identity(name) for name in weights},
    }


def hashed(value: object) -> object:
    """A specification as plain values, files by the hash of what is in them: what decides a render's frames."""
    if isinstance(value, Path):
        return source_hash(value)[0]
    return _walk(value, hashed)


def plain(value: object) -> Any:
    """A specification as JSON takes it, files by their names."""
    return str(value) if isinstance(value, Path) else _walk(value, plain)


def _walk(value: object, each: Callable[[object], object]) -> Any:
    if is_dataclass(value):
        told = {item: getattr(value, item.name) for item in fields(value)}
        return {item.name: each(one) for item, one in told.items() if not is_left_out(item, one)}
    if isinstance(value, (tuple, list)):
        return [each(item) for item in cast("Sequence[object]", value)]
    if isinstance(value, Mapping):
        return {str(key): each(item) for key, item in cast("Mapping[object, object]", value).items()}
    return value


def _union(parts: Sequence[Mattes]) -> Mattes:
    def mattes(frames: FrameRange) -> torch.Tensor:
        return torch.stack([part(frames) for part in parts]).amax(0)

    return mattes


def _singly(mattes: Mattes, numbers: Sequence[int]) -> Iterator[torch.Tensor]:
    """The mattes of these frames one by one: at the source's size a window of them is large."""
    return (mattes(FrameRange(start=number, stop=number + 1)) for number in numbers)


def _resized(frames: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    if (int(frames.shape[-2]), int(frames.shape[-1])) == size:
        return frames
    shrinks = size[0] <= frames.shape[-2] and size[1] <= frames.shape[-1]
    if shrinks:
        return F.interpolate(frames, size, mode="area")
    return F.interpolate(frames, size, mode="bilinear", align_corners=False).clamp(0, 1)
