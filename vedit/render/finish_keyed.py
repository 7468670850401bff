"""The cheap half of a render with keyframes: the keys' latents -> keys that agree -> every frame at the source's size.

keys -> decode -> change (result minus the source as the autoencoder returns it), painted ones laid over
changes -> settled among themselves along the shot's motion
between two keys -> both carried to every frame -> one change -> full size
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING

import numpy as np
import torch

from vedit.flow.motion import led, standing
from vedit.flow.planes import as_frame, as_image
from vedit.geometry import fit, resize
from vedit.keyframes.carrying import Between, Frame, Key, Layers, between, offered
from vedit.keyframes.painted import Painting, painted_key, silent_key
from vedit.keyframes.settling import Apart, settle
from vedit.keyframes.stored import StoredKeys
from vedit.memory import MemoryLadder
from vedit.pipelines.pipeline import Prepared
from vedit.progress.spent import each_spent_on, spending, spent_on
from vedit.render.conditioning import VISIBLE
from vedit.render.finish_shot import decoded_stills, frames_of, full_size
from vedit.render.followed import FollowedClip, small_frames
from vedit.render.keyed import ShotKeys
from vedit.shots.bars import filled, mirrored
from vedit.store.units import work_folder
from vedit.threads import each_on_a_thread
from vedit.types import Bars, Clip, FrameRange, Latents, Shot

if TYPE_CHECKING:
    import numpy.typing as npt

    from vedit.flow.motion import Motion
    from vedit.keyframes.shot_motion import ShotMotion
    from vedit.protocols import Mattes, Reader
    from vedit.render.job import Job
    from vedit.types import IntFrames

    Floats = npt.NDArray[np.float32]

Carrying = Callable[["Floats"], Between]
"""What the keys say of one frame, by its source (h, w, 3)."""
Drawn = Iterator[tuple[tuple[int, ...], Latents]]
"""The keys that the model drew, in order, some at a time: their numbers, and their clean latents with the source's."""


@dataclass(frozen=True, kw_only=True)
class Decoder:
    """What the model drew of a shot, and what makes pictures of it."""

    restyler: Prepared
    ladder: MemoryLadder
    drawn: Drawn


@dataclass(frozen=True, kw_only=True)
class KeyedShot:
    """A shot whose keys are sampled, or painted."""

    job: Job
    decoder: Decoder | None
    """None: no model draws anything; keys that nobody painted only hand on what is painted."""
    mattes: Mattes | None
    """Where the picture changes; None is everywhere."""
    shot: Shot
    keys: ShotKeys

    @property
    def _clip(self) -> FollowedClip:
        """At the size at which frames are carried."""
        return self.keys.clip(self.shot)

    def frames(self, reader: Reader) -> Generator[tuple[Clip, IntFrames]]:
        """The source's clips and their finished frames (T, 3 or 4, H, W), in order.

        Args:
            reader: of the source, at full size.
        """
        numbers, motion = self.keys.of(self.shot), self.keys.motion(self.shot)
        size = self._clip.fit.inner
        with StoredKeys(size, work_folder(self.job.output.path)) as keys:
            for key in self._as_drawn(reader, numbers):
                keys.append(key)
            with spending("carry"):
                settle(keys, lambda place: _apart(motion, size, numbers[place], numbers[place + 1]))
            carrier = _Carrier(numbers, keys, motion)
            for clip in each_spent_on("read", reader.chunks(self.shot.frames, self.job.frames_at_once)):
                mask = None if self.mattes is None else self.mattes(frames_of(clip))
                yield clip, self._finished(clip, carrier, mask)

    def _as_drawn(self, reader: Reader, numbers: Sequence[int]) -> Iterator[Key]:
        """The keys of the shot as the model and the painter made them."""
        made = iter(()) if self.decoder is None else self._decoded(reader, self.decoder)
        for number in numbers:
            painting = self.keys.painted.get(number)
            key = None if painting is not None and painting.whole else next(made, None)
            if painting is not None:
                source = self._source(reader, number) if key is None else key.source
                key = painted_key(_filled(painting, self.job.bars_at(number)), source, key)
            elif self.decoder is None:
                key = silent_key(self._source(reader, number))
            assert key is not None  # the sampler made what is not painted
            yield key

    def _decoded(self, reader: Reader, decoder: Decoder) -> Iterator[Key]:
        """What the model drew, decoded."""
        job = self.job
        for numbers, latents in decoder.drawn:
            clips = [reader.read(FrameRange(start=n, stop=n + 1)) for n in numbers]
            small = torch.cat([fit(filled(clip, job.bars_at(clip.start)), job.fit) for clip in clips])
            seen, result = decoder.ladder.run(
                "decode", lambda small=small, latents=latents: decoded_stills(job, decoder.restyler, small, latents)
            )
            for clip, one, other in zip(clips, seen, result, strict=True):
                loss, size = one - small_frames(job, clip)[0], self._clip.fit.inner
                change, loss = (resize(as_image(each), size) for each in (other - one, loss))
                yield Key(source=as_image(small_frames(self._clip, clip)[0]), change=change, loss=loss)

    def _source(self, reader: Reader, number: int) -> Floats:
        return as_image(small_frames(self._clip, reader.read(FrameRange(start=number, stop=number + 1)))[0])

    def _finished(self, clip: Clip, carrier: _Carrier, mask: torch.Tensor | None) -> IntFrames:
        """A clip's frames with their changes, at full size."""
        if mask is not None and float(mask.amax()) <= VISIBLE:
            return clip.frames
        source = small_frames(self._clip, clip)
        taken = carrier.of([(number, as_image(one)) for number, one in enumerate(source, start=clip.start)])
        seen = source + torch.stack([as_frame(one.loss) for one in taken])
        result = (seen + torch.stack([as_frame(one.change) for one in taken])).clamp(0, 1)
        within = frames_of(clip)
        painted = {number - clip.start: self.keys.painted[number] for number in self.keys.painted.within(within)}
        return full_size(self.job, clip, seen, result, mask, painted)


class _Carrier:
    """What the keys of a shot say of its frames, which are asked for in order; some may be left out.

    Args:
        numbers: of the keys.
        keys: settled.
        motion: the shot's.
    """

    def __init__(self, numbers: Sequence[int], keys: StoredKeys, motion: ShotMotion) -> None:
        self._numbers, self._keys, self._motion = numbers, keys, motion
        self._span: _Span | None = None

    @spent_on("carry")
    def of(self, frames: Sequence[tuple[int, Floats]]) -> list[Between]:
        """What they say of some frames, by their numbers and sources (h, w, 3) at the working size."""
        asked = ((self._to(number), source) for number, source in frames)
        return list(each_on_a_thread(lambda one: one[0](one[1]), asked))

    def _to(self, number: int) -> Carrying:
        """What carries to a frame."""
        place = bisect_right(self._numbers, number) - 1
        if self._numbers[place] == number:
            said = _said(self._keys[place])
            return lambda _: said
        if self._span is None or self._span.place != place:
            frames = FrameRange(start=self._numbers[place], stop=self._numbers[place + 1])
            self._span = None  # one span's motions in memory, not two
            self._span = _Span(place, frames, self._keys[place], self._keys[place + 1], self._motion)
        return self._span.to(number)


class _Span:
    """The frames between two keys, asked for in order."""

    def __init__(self, place: int, frames: FrameRange, first: Key, second: Key, motion: ShotMotion) -> None:
        self.place, self._start = place, frames.start
        self._keys, pairs = (Layers(first), Layers(second)), list(motion.pairs(frames))
        size = (first.source.shape[0], first.source.shape[1])
        self._steps = [pair.back for pair in pairs]
        self._back, self._reached = standing(size), 0
        ahead = [standing(size)]
        for pair in reversed(pairs[1:]):
            ahead.append(led(pair.ahead, ahead[-1]))
        self._ahead = ahead
        """By the distance to the second key."""

    def to(self, number: int) -> Carrying:
        """What carries both keys to a frame."""
        at = number - self._start
        for step in self._steps[self._reached : at]:
            self._back = led(step, self._back)
        self._reached = at
        first, second = self._keys
        back, ahead, apart = self._back, self._ahead[len(self._steps) - at], len(self._steps)

        def carry(source: Floats) -> Between:
            frame = Frame.of(source)
            return between(frame, offered(first, frame, back), offered(second, frame, ahead), at / apart)

        return carry


def _said(key: Key) -> Between:
    """What a key says of its own frame."""
    everywhere = np.ones(key.source.shape[:2], np.float32)
    change = key.change if key.opinion is None else np.asarray(key.change * key.opinion[..., None], np.float32)
    return Between(change=change, loss=key.loss, believed=everywhere)


def _filled(painting: Painting, bars: Bars) -> Painting:
    """A painting with nothing of black bars that stay as they are, as the model sees the frame (`filled`)."""
    if not bars:
        return painting
    planes = np.concatenate([painting.picture, painting.opacity], axis=2).transpose(2, 0, 1)
    inside = mirrored(planes[None], bars)[0].transpose(1, 2, 0)
    return Painting(picture=np.ascontiguousarray(inside[..., :3]), opacity=np.ascontiguousarray(inside[..., 3:]))


def _apart(motion: ShotMotion, size: tuple[int, int], first: int, second: int) -> Apart:
    """The motion between two keys."""
    frames = FrameRange(start=first, stop=second)

    def over(steps: Iterable[Motion]) -> Motion:
        return reduce(lambda further, step: led(step, further), steps, standing(size))

    return Apart(
        back=lambda: over(pair.back for pair in motion.pairs(frames)),
        ahead=lambda: over(reversed([pair.ahead for pair in motion.pairs(frames)])),
        frames=second - first,
    )
