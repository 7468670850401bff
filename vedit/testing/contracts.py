"""What a part has to keep to, as checks that authors of plug-ins run in their own tests.

    from vedit.testing.contracts import check_family, check_pipeline, check_preprocessor

    def test_mine():
        check_preprocessor("my-lines")       # by its name: it is found by its entry point, as vedit finds it
        check_pipeline("my-pipeline")        # the same of check_attention, check_upscaler, check_metric ...
        check_family("a/folder")             # a model of the family

Each raises AssertionError with what was broken.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import torch

from vedit.finishing.upsample import load_upscaler
from vedit.latent_shape import LatentShape
from vedit.models.load import load
from vedit.models.resolve import resolve
from vedit.protocols import Preprocessor, ShotDetector, VideoCodec
from vedit.registry.preprocessors import described, load_preprocessor
from vedit.shots.detect import make_detector
from vedit.testing.fakes import FakeReader, moving_frames
from vedit.testing.metrics import check_metric as check_metric
from vedit.testing.sampling_contracts import check_attention as check_attention
from vedit.testing.sampling_contracts import check_pipeline as check_pipeline
from vedit.testing.surroundings import shifted, world
from vedit.types import FrameRange, Shot

NETWORK_TOLERANCE = 2e-3
"""A network's sums are rounded in another order in batches of another size."""
SIZES = ((48, 64), (37, 53))
"""(height, width) of the frames that are shown; the second is odd."""


def check_preprocessor(name: str, *, tolerance: float | None = None) -> None:
    """A preprocessor gives maps of the frames' shape in [0, 1], the same in chunks of any lengths, and leaves the world
    and its input as they were.

    Args:
        name: of the preprocessor, as it is listed.
        tolerance: by which maps may differ that were made in other chunks; None is 0, and 2e-3 with weights.

    Raises:
        AssertionError: it does not.
        InputError: there is none of that name, or it cannot be loaded.
    """
    make, networks = load_preprocessor(name), bool(described(name).needs.weights)
    allowed = (NETWORK_TOLERANCE if networks else 0.0) if tolerance is None else tolerance
    for size in SIZES:
        check_maps(make, shifted(size, 3))
    frames = shifted(SIZES[1], 3)
    whole = maps(make, [frames])
    check_same(maps(make, [frames]), whole, 0.0)
    for lengths in ((1, 2), (1, 1, 1)):
        check_same(maps(make, frames.split(list(lengths))), whole, allowed)
    for level in (0.0, 1.0):
        check_maps(make, torch.full((1, 3, *SIZES[0]), level))
    assert list(make(iter([]))) == [], "maps came of no frames"


def maps(make: Preprocessor, chunks: Iterable[torch.Tensor]) -> torch.Tensor:
    """All its maps of these chunks, (T, 3, H, W)."""
    return torch.cat(list(make(iter(chunks))))


def check_maps(make: Preprocessor, frames: torch.Tensor) -> torch.Tensor:
    """The maps of frames (T, 3, H, W), held to the protocol. Raises AssertionError."""
    before, state = frames.clone(), world()
    chunks = list(make(iter([frames])))
    made, after = torch.cat(chunks), world()
    assert [name for name in state if state[name] != after[name]] == [], "it changed the world around it"
    assert torch.equal(frames, before), "the input was changed"
    assert made.shape == frames.shape and made.dtype == torch.float32 and not made.requires_grad, made.shape
    assert float(made.min()) >= 0 and float(made.max()) <= 1, "maps lie in [0, 1]"  # NaN fails both
    own = frames.untyped_storage().data_ptr()
    assert all(chunk.untyped_storage().data_ptr() != own for chunk in chunks), "a map is the frame's own memory"
    return made


def check_same(found: torch.Tensor, expected: torch.Tensor, tolerance: float) -> None:
    """Check for equal maps; with a tolerance for all but the few pixels on which classes or a threshold tie."""
    assert found.shape == expected.shape
    if not tolerance:
        assert torch.equal(found, expected), "maps depend on the chunks, or on when they are made"
        return
    differs = (found - expected).abs().amax(1) > tolerance
    assert differs.float().mean() < 0.002, float((found - expected).abs().max())


def check_shot_detector(name: str) -> None:
    """A shot detector finds shots that cover every frame that it was shown, numbered from 1, in chunks of any lengths.

    Args:
        name: of the detector, as it is listed.

    Raises:
        AssertionError: it does not.
        InputError: there is none of that name, or it cannot be loaded.
    """
    assert list(make_detector(name).finish()) == [], "shots came of no frames"
    for count, first in ((1, 0), (40, 0), (40, 7)):
        found = shots_in(make_detector(name), count, first=first, sizes=(count,))
        numbers = [shot.number for shot in found]
        assert numbers == list(range(1, len(found) + 1)), f"shots are numbered from 1, not {numbers}"
        starts = [shot.frames.start for shot in found]
        stops = [shot.frames.stop for shot in found]
        assert (starts[0], stops[-1]) == (first, first + count), f"frames #{first} to #{first + count - 1} are covered"
        assert starts[1:] == stops[:-1], f"shots leave a gap or overlap: {list(zip(starts, stops, strict=True))}"
        for size in (1, 7):
            again = shots_in(make_detector(name), count, first=first, sizes=(size,) * (count // size + 1))
            assert again == found, f"the shots depend on the chunks: {again} in chunks of {size}"


def check_upscaler(name: str) -> None:
    """An upscaler gives finite frames of the size that is asked for, the same whenever it is asked, and leaves the
    world and its input as they were.

    Args:
        name: of the upscaler, as it is listed.

    Raises:
        AssertionError: it does not.
        InputError: there is none of that name, or it cannot be loaded.
    """
    upscale = load_upscaler(name)
    for size, small in ((SIZES[0], (24, 32)), (SIZES[1], (24, 32)), (SIZES[0], SIZES[0]), ((16, 24), (24, 32))):
        source = shifted(size, 1)[0]
        seen, result = shifted(small, 2)
        given = (source, seen, result)
        before, state = [one.clone() for one in given], world()
        made, after = upscale(*given), world()
        assert [key for key in state if state[key] != after[key]] == [], "it changed the world around it"
        assert all(map(torch.equal, given, before)), "the input was changed"
        assert tuple(made.shape) == (3, *size), f"frames of {tuple(made.shape)}, not {(3, *size)}"
        assert made.is_floating_point() and bool(made.isfinite().all()), "a frame is finite"
        assert torch.equal(upscale(*given), made), "a frame depends on when it is made"
        flat = torch.full_like(seen, 0.5)
        level = upscale(torch.full_like(source, 0.5), flat, flat)
        assert torch.allclose(level.float(), torch.full_like(source, 0.5), atol=0.02), "what is flat does not stay so"


CLIPS = (1, 2, 4, 5, 9, 12, 13)
"""Frames of the clips that a family is shown: of whole groups and of begun ones."""


def check_family(model: str) -> None:
    """A family's model has latents of the shape that its factors say, gives every frame back in its place, and
    denoises along a schedule that falls.

    Args:
        model: by any name that `vedit.models.resolve.resolve` takes: a folder of the family, which is found by its
            entry point.

    Raises:
        AssertionError: it does not.
        ModelError: there is no such model.
    """
    found = resolve(model)
    traits, kinds = found.traits, found.control_kinds
    loaded = load(found, controls=kinds)
    assert set(loaded.control_kinds) == set(kinds), f"it has {loaded.control_kinds}, and said {kinds}"
    assert loaded.codec.factors == traits.factors, "its factors are others than it said"
    shares = loaded.adapters.cross_frame is not None
    assert shares == traits.cross_frame, f"its network has {'a' if shares else 'no'} place for cross-frame attention"
    sees = loaded.adapters.self_attention is not None
    assert sees == traits.self_attention, f"its network has {'a' if sees else 'no'} place in its self-attention"
    side = max(2 * traits.size_multiple, traits.minimum_side)
    for count in CLIPS:
        _check_codec(loaded.codec, _brightening(side, count))
    prompt = loaded.text("a painting")
    for path in (loaded.schedule(steps=3), loaded.schedule(steps=4, strength=0.5)):
        levels = [step.level for step in path.steps]
        assert levels == sorted(set(levels), reverse=True) and min(levels) > 0, f"levels fall, not {levels}"
        assert [step.level for step in loaded.through(levels).steps] == levels, "it goes through other levels"
        latents = loaded.codec.encode(_brightening(side, 5))
        x = torch.randn(latents.shape, generator=torch.Generator().manual_seed(0)).to(latents)
        for step in path.steps:
            before = x.clone()
            output = loaded.denoiser(x, step.level, prompt, ())
            assert torch.equal(x, before), "the latents that it was given were changed"
            assert output.shape == x.shape and bool(output.isfinite().all()), (
                "an output is finite and of the shape of x"
            )
            x = path.solver.cleaner(x, output, step)
    assert loaded.schedule(steps=4, strength=0.0).steps == (), "at strength 0 nothing is sampled"


def _brightening(side: int, count: int) -> torch.Tensor:
    """(count, 3, side, side) in [0, 1]: each frame brighter than the one before."""
    levels = torch.linspace(0.1, 0.9, count) if count > 1 else torch.tensor([0.5])
    return levels.view(-1, 1, 1, 1).expand(-1, 3, side, side).contiguous()


def _check_codec(codec: VideoCodec, frames: torch.Tensor) -> None:
    count, _, height, width = frames.shape
    latents = codec.encode(frames)
    shape = LatentShape.from_pixels(count, height, width, channels=codec.channels, factors=codec.factors)
    assert tuple(latents.shape) == shape.axes, f"{tuple(latents.shape)} of {count} frames, not {shape.axes}"
    decoded = codec.decode(latents)
    whole = (codec.factors.frames(shape.latents), 3, height, width)
    assert tuple(decoded.shape) == whole, f"{tuple(decoded.shape)} of {shape.latents} latents, not {whole}"
    assert float(decoded.min()) >= 0 and float(decoded.max()) <= 1, "frames lie in [0, 1]"
    near = (decoded[:count].mean((1, 2, 3))[:, None] - frames.mean((1, 2, 3))[None]).abs()
    assert near.argmin(1).tolist() == list(range(count)), "a decoded frame is nearer to another one of the clip"
    if codec.context and shape.latents > 1:
        part = codec.decode(latents[max(0, shape.latents - 1 - codec.context) :])
        own = codec.factors.frames(shape.latents) - codec.factors.frames(shape.latents - 1)
        assert torch.allclose(part[-own:], decoded[-own:], atol=NETWORK_TOLERANCE), "a part with its context is another"


def shots_in(detector: ShotDetector, count: int, *, first: int, sizes: Sequence[int]) -> list[Shot]:
    """What a detector finds in `count` frames from number `first` on, with a hard cut in the middle.

    Args:
        detector: a fresh one.
        count: of the frames.
        first: number of the first frame that it is shown.
        sizes: of the chunks, in their order.
    """
    half = first + count // 2
    dark, light = moving_frames(first + count, seed=1) // 3, moving_frames(first + count, seed=2) // 2 + 127
    frames = np.concatenate([dark[:half], light[half:]]).astype(np.uint8)
    reader, start = FakeReader(frames=frames), first
    for size in sizes:
        stop = min(start + size, first + count)
        if start < stop:
            detector.push(reader.read(FrameRange(start=start, stop=stop)))
        start = stop
    return list(detector.finish())
