"""What the stages of a render take, in seconds: what estimates say, and what progress is weighed by.

Measured on 2 cores of an AVX-512 server with the embedded model, and scaled from there by pixels and cores. Of other
models it is told by what they compute, and by what the machine computes in a second (`vedit.render.machine_rates`).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import ceil
from types import MappingProxyType
from typing import TYPE_CHECKING

from vedit.diffusion.windows import windows
from vedit.models.sizes import Sizes
from vedit.options.request import OVERLAP
from vedit.progress.course import Leg
from vedit.render.fitting import carried_fit
from vedit.types import FrameRange

if TYPE_CHECKING:
    from vedit.models.loading import Loading
    from vedit.options.keyframes import Spacing
    from vedit.options.request import RestyleOptions
    from vedit.progress.course import Expected
    from vedit.types import Fit

EVALUATED = 13_511_008
"""Parameters of the embedded model's UNet and two ControlNets."""
AUTOENCODER = 1_683_411
"""The same of its autoencoder."""
_EVALUATION = 0.034
"""An evaluation of the networks at 256x256 pixels."""
_CALLED = 0.07
"""A call of the networks, whatever the frames in its batch."""
_CROWDED = 0.24
"""What an evaluation takes more, a pixel, for each further 256x256 pixels: attention grows faster than the picture."""
_ENCODED, _DECODED = 0.045, 0.30
"""Before a frame is inverted (its controls, and the autoencoder once), and what finishing asks of the autoencoder, at
256x256 pixels."""
_LARGER_AUTOENCODER = 6.4e-8
"""The same together, for each parameter beyond the embedded model's: AutoencoderKL takes 5.7 s."""
_FOLLOWED, _CARRIED = 0.05, 0.03
"""A frame's motion while keyframes are chosen, and what it takes from two of them, at 256x256 pixels."""
_FINISHED = 5e-8
"""A pixel of the source: the change is carried up to it."""
START_SECONDS = 3.5
"""The libraries' import."""
_LOADED, _LOADED_PARAMETER = 2.2, 4e-9
"""The model's load, and what each of its parameters adds."""
_SCANNED = 2e-9
"""A pixel of the source, decoded for its time alone; nothing is made of it."""
_LOOKED_AT, _SEARCHED = 0.005, 1e-8
"""A frame that cuts are looked for in, and each of its pixels."""
_READ = 1e-8
"""A pixel of the source as it is edited."""
_WRITTEN = {
    "h264": 3e-8,
    "hevc": 8e-8,
    "av1": 5e-8,
    "vp9": 1e-7,
    "prores": 4.5e-8,
    "dnxhr": 4e-8,
    "ffv1": 2.5e-8,
    "png": 3.5e-8,
    "exr": 1.4e-7,
    "gif": 2.4e-7,
}
"""A pixel of the result, converted and encoded, by codec; of one that is not listed as of H.264."""
_CHECKED = 5e-9
"""A pixel of the result, decoded for its time."""
_CORES = 2
_REFERENCE_PIXELS = 256 * 256
_GPU_SPEEDUP = 120.0

AS_SHIPPED: Mapping[str, float] = MappingProxyType({})
"""Paces of a machine on which nothing was measured yet."""
_SMALL = Sizes(unet=EVALUATED, vae=AUTOENCODER, text_encoder=0)
"""Taken for a model of which nothing is known: progress has to be weighed by something."""


@dataclass(frozen=True, kw_only=True)
class FrameSeconds:
    """What a frame takes in each pass through a model's networks."""

    encode: float
    evaluate: float
    """Once through the network and its control branches."""
    decode: float


@dataclass(frozen=True, kw_only=True)
class LookOutline:
    """One look: what its networks work at, how often, and on which shots."""

    options: RestyleOptions
    fit: Fit
    sizes: Sizes | None
    """Of the model with the control branches that it uses; None where they are not known."""
    inverting: int
    """Network evaluations a frame of the inversion."""
    sampling: int
    """The same of the sampling; 0 passes the frames through."""
    shots: tuple[FrameRange, ...]
    attention: float = 1.0
    """What an evaluation takes, in those with cross-frame attention."""
    taken: FrameSeconds | None = None
    """By what the networks compute; None: by what was measured with the embedded model."""


@dataclass(frozen=True, kw_only=True)
class Outline:
    """All that the costs of a render go by; while its source is not read yet, as far as the header tells."""

    pixels: int
    """Of a frame of the source."""
    source_codec: str
    model: str
    loading: Loading
    """Of the model."""
    frames: FrameRange
    looks: tuple[LookOutline, ...]
    scanned: int
    """Frames that are decoded for their times; 0 where these are known."""
    searched: int
    """Frames that cuts are looked for in; 0 where the shots are known."""
    codec: str
    """Of the result."""

    @property
    def changing(self) -> tuple[LookOutline, ...]:
        """The looks that change anything."""
        return tuple(look for look in self.looks if look.sampling or look.options.only_painted)

    @property
    def device(self) -> str:
        """That the networks run on."""
        return self.loading.device


@dataclass(frozen=True, kw_only=True)
class CachedWork:
    """The frames that earlier runs have sampled, and those that they have finished."""

    sampled: tuple[FrameRange, ...] = ()
    finished: tuple[FrameRange, ...] = ()


def expected_of(
    outline: Outline, kept: CachedWork | None = None, *, beside: bool = False, paces: Mapping[str, float] = AS_SHIPPED
) -> Expected:
    """The legs of every stage of a render, in the order in which frames pass them.

    Args:
        outline: of it.
        kept: what needs not be made.
        beside: a second file is written, of twice the width, and checked first.
        paces: stage -> how many times as long it takes here (`vedit.render.measured_costs`).
    """
    kept = kept or CachedWork()
    keys: list[Leg] = []
    invert: list[Leg] = []
    sample: list[Leg] = []
    finish: list[Leg] = []
    for part, look in _parts(outline):
        for frames, done in _cut(part, (*kept.sampled, *kept.finished)):
            inverting, sampling = (0.0, 0.0) if look is None else _sampled(outline, look, part)
            keys.append(Leg(steps=len(frames), seconds=len(frames) * _followed(outline, look)))
            invert.append(Leg(steps=len(frames), seconds=len(frames) * inverting, kept=done))
            sample.append(Leg(steps=len(frames), seconds=len(frames) * sampling, kept=done))
        for frames, done in _cut(part, kept.finished):
            each = outline.pixels * _READ + (0.0 if look is None or done else _finished(outline, look))
            finish.append(Leg(steps=len(frames), seconds=len(frames) * each))
    count, widths = len(outline.frames), (2, 1) if beside else (1,)
    every = count * outline.pixels
    stages = {
        **_read_before(outline),
        **_loaded(outline),
        **({"keys": keys} if any(look.options.spacing for look in outline.changing) else {}),
        "invert": invert,
        "sample": sample,
        "finish": finish,
        "write": [Leg(steps=count, seconds=every * sum(widths) * _WRITTEN.get(outline.codec, _WRITTEN["h264"]))],
        "verify": [Leg(steps=count, seconds=every * width * _CHECKED) for width in widths],
    }
    return _paced(stages, paces)


def expected_of_stills(outline: Outline, *, each: int = 3, paces: Mapping[str, float] = AS_SHIPPED) -> Expected:
    """The legs of every stage of a preview.

    Args:
        outline: of the render.
        each: stills of a shot.
        paces: as for `expected_of`.
    """
    together = FrameRange(start=0, stop=each)
    shots = [(shot, look) for look in outline.looks for shot in look.shots]
    stages = {
        **_read_before(outline),
        **_loaded(outline),
        "preview": [
            Leg(steps=1, seconds=each * (sum(_sampled(outline, look, together)) + _finished(outline, look)))
            for _, look in sorted(shots, key=lambda pair: pair[0].start)
        ],
    }
    return _paced(stages, {**paces, "preview": paces.get("sample", 1.0)})


def expected_of_plan(outline: Outline, *, paces: Mapping[str, float] = AS_SHIPPED) -> Expected:
    """The legs of a plan that is only shown: what is read before anything is made."""
    return _paced(_read_before(outline), paces)


def _read_before(outline: Outline) -> Expected:
    found: dict[str, Sequence[Leg]] = {}
    if outline.scanned:
        found["index"] = [Leg(steps=outline.scanned, seconds=outline.scanned * outline.pixels * _SCANNED)]
    if outline.searched:
        found["shots"] = [
            Leg(steps=outline.searched, seconds=outline.searched * (_LOOKED_AT + outline.pixels * _SEARCHED))
        ]
    return found


def seconds_of(outline: Outline, *, paces: Mapping[str, float] = AS_SHIPPED) -> float | None:
    """Rough wall time of a render, start-up included; None where the size of the model is not known."""
    if any(look.sizes is None for look in outline.looks if not look.options.only_painted):
        return None
    stages = expected_of(outline, paces=paces)
    return START_SECONDS * paces.get("start", 1.0) + sum(leg.seconds for legs in stages.values() for leg in legs)


def _paced(expected: Expected, paces: Mapping[str, float]) -> Expected:
    return {
        name: [replace(leg, seconds=leg.seconds * paces.get(name, 1.0)) for leg in legs]
        for name, legs in expected.items()
    }


def _loaded(outline: Outline) -> Expected:
    drawn = [look for look in outline.looks if not look.options.only_painted]
    if not drawn:
        return {}
    weights = max((look.sizes or _SMALL).all for look in drawn)
    return {"load": [Leg(steps=1, seconds=_LOADED + weights * _LOADED_PARAMETER)]}


def _parts(outline: Outline) -> Iterator[tuple[FrameRange, LookOutline | None]]:
    """The frames in order: shots with a look that changes them, and what lies between these."""
    at = outline.frames.start
    shots = [(shot, look) for look in outline.changing for shot in look.shots]
    for shot, look in sorted(shots, key=lambda pair: pair[0].start):
        if at < shot.start:
            yield FrameRange(start=at, stop=shot.start), None
        yield shot, look
        at = shot.stop
    if at < outline.frames.stop:
        yield FrameRange(start=at, stop=outline.frames.stop), None


def _cut(part: FrameRange, ranges: Iterable[FrameRange]) -> Iterator[tuple[FrameRange, bool]]:
    """A part in pieces, and whether each lies in one of the ranges; these may overlap."""
    edges = {part.start, part.stop}
    inside = [one for one in ranges if one.start < part.stop and one.stop > part.start]
    for one in inside:
        edges |= {max(one.start, part.start), min(one.stop, part.stop)}
    for start, stop in pairwise(sorted(edges)):
        yield FrameRange(start=start, stop=stop), any(start in one for one in inside)


def _sampled(outline: Outline, look: LookOutline, shot: FrameRange) -> tuple[float, float]:
    """Seconds a frame of inverting and of sampling; frames that windows share, and anchors, are done again."""
    options, sizes = look.options, look.sizes or _SMALL
    if options.only_painted:
        return 0.0, 0.0
    size = min(options.window, max(len(shot), 1))
    overlap = min(OVERLAP if options.overlap is None else options.overlap, size // 3)
    if options.spacing is not None:
        every, left = divmod(_drawn(options.spacing, len(shot)), options.batch)
        parts = [options.batch] * every + ([left] if left else [])
    else:
        parts = [len(window.frames) for window in windows(shot, size=size, overlap=overlap)]
    # The anchor is the first frame of the first window, unless it is one of another shot.
    counts = [count + (number > 0 or options.anchor is not None) for number, count in enumerate(parts)]
    if look.taken is not None:
        each = sum(counts) / max(len(shot), 1)
        return (
            each * (look.inverting * look.taken.evaluate + look.taken.encode),
            each * look.sampling * look.taken.evaluate,
        )
    pixels = sum(counts) * _working_pixels(look)
    calls = sum(ceil(count / options.batch) for count in counts)
    crowded = 1 + _CROWDED * (_working_pixels(look) - 1)
    evaluation = pixels * _EVALUATION * crowded * sizes.network / EVALUATED + calls * _CALLED
    evaluation *= look.attention
    encoded = pixels * (_ENCODED + _LARGER_AUTOENCODER * max(0, sizes.vae - AUTOENCODER) / 4)
    each = max(len(shot), 1) * _speed(outline.device)
    return (look.inverting * evaluation + encoded) / each, look.sampling * evaluation / each


def _drawn(spacing: Spacing, count: int) -> int:
    """The keyframes of a shot, as many as most shots need: where nothing moves there are fewer; where two do not show
    what lies between there are more (`vedit.keyframes.unknown`), up to all frames."""
    return min(count, 1 + ceil((count - 1) / min(spacing.farthest, 2 * spacing.closest)))


def _followed(outline: Outline, look: LookOutline | None) -> float:
    """Seconds a frame of choosing keyframes, and of carrying them to it."""
    if look is None or look.options.spacing is None:
        return 0.0
    # The processor's work, whatever the networks run on.
    carried = _working_pixels(look)
    if look.options.keyframe:
        carried = carried_fit(look.fit).inner[0] * carried_fit(look.fit).inner[1] / _REFERENCE_PIXELS
    return (_FOLLOWED + _CARRIED) * carried / _speed("cpu") + outline.pixels * _READ


def _finished(outline: Outline, look: LookOutline) -> float:
    """Seconds a frame of decoding its latents, and of carrying the change up to its size."""
    if look.options.only_painted:
        return outline.pixels * _FINISHED
    count, spacing = max((len(shot) for shot in look.shots), default=1), look.options.spacing
    decoded = 1.0 if spacing is None else _drawn(spacing, count) / max(count, 1)
    if look.taken is not None:
        return look.taken.decode * decoded + outline.pixels * _FINISHED
    larger = _LARGER_AUTOENCODER * max(0, (look.sizes or _SMALL).vae - AUTOENCODER)
    network = decoded * (_DECODED + larger * 3 / 4) * _working_pixels(look) / _speed(outline.device)
    return network + outline.pixels * _FINISHED


def _working_pixels(look: LookOutline) -> float:
    return look.fit.outer[0] * look.fit.outer[1] / _REFERENCE_PIXELS


def _speed(device: str) -> float:
    """How many times as fast as on the machine of the measurement."""
    return (os.cpu_count() or 1) / _CORES if device == "cpu" else _GPU_SPEEDUP
