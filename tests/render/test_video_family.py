"""A family with a latent for each four frames, the first alone, through the whole of a render."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from safetensors.torch import load_file

from tests.support.recording import frames_written, shots_sampled
from vedit.errors import InputError, Interrupted
from vedit.media.contract.verify import verify
from vedit.media.output import OutputOptions
from vedit.media.reading.read import open_video
from vedit.options.masks import KeyedBox, KeyedFile, MaskSpec, RegionSpec
from vedit.options.request import RenderRequest, RestyleOptions
from vedit.registry.entry import Entry, Registry
from vedit.registry.families import families
from vedit.render import run as render
from vedit.render.preview import preview
from vedit.store.units import work_folder
from vedit.testing.contracts import check_family
from vedit.testing.video_family import write_fake_video
from vedit.types import FrameRange, Shot

WIDTH, HEIGHT = 80, 64
LOOK = RestyleOptions(prompt="night", quality="draft", window=9, overlap=3)


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A folder of the family, which is plugged in for as long as the test runs."""
    registry = Registry("model family")
    for entry in families():
        registry.add(entry)
    registry.add(Entry(name="fake-video", summary="fake", target="vedit.testing.video_family:FAMILY"))
    monkeypatch.setattr("vedit.models.claimed.families", lambda: registry)
    return str(write_fake_video(tmp_path / "model"))


@pytest.fixture
def clip(tmp_path: Path) -> Callable[[int], Path]:
    """Writes a clip of so many frames, each a little brighter than the one before, with sound; losslessly."""

    def write(count: int) -> Path:
        path = tmp_path / f"{count}.mkv"
        with av.open(str(path), "w") as container:
            video = container.add_stream("ffv1", rate=Fraction(24000, 1001))
            video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "bgr0"
            sound = container.add_stream("pcm_s16le", rate=48000, layout="mono")
            for number in range(count):
                container.mux(video.encode(av.VideoFrame.from_ndarray(picture(number), format="rgb24")))
            tone = av.AudioFrame.from_ndarray(np.zeros((1, 2002 * count), np.int16), format="s16", layout="mono")
            tone.sample_rate = 48000
            container.mux(sound.encode(tone))
            container.mux(sound.encode(None))
            container.mux(video.encode(None))
        return path

    return write


def picture(number: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Three stripes of grey, brighter by 4 levels with every frame."""
    stripes = np.repeat(np.asarray([[30, 50, 70]]), HEIGHT, axis=0).repeat([27, 26, 27], axis=1)
    return np.repeat((stripes + 4 * number)[:, :, None], 3, axis=2).astype(np.uint8)


def request(model: str, source: Path, **changes: Any) -> RenderRequest:
    whole = (Shot(number=1, frames=FrameRange(start=0, stop=count_of(source))),)
    base = RenderRequest(
        source=source,
        options=LOOK,
        shots=whole,
        output=source.with_name("out.mkv"),
        model=model,
        writing=OutputOptions(codec="ffv1"),
    )
    return replace(base, **changes)


def count_of(source: Path) -> int:
    with open_video(source) as reader:
        return len(reader.index())


def rendered(asked: RenderRequest) -> np.ndarray[Any, Any]:
    """The frames that go to the encoder."""
    with frames_written() as seen:
        render.restyle(asked)
    return np.concatenate(seen)


@pytest.mark.parametrize("count", [*range(1, 12), 16, 17, 18, 21, 32, 33])
def test_every_frame_is_made_of_its_own(model: str, clip: Callable[[int], Path], count: int) -> None:
    """Whatever of the last group and of the windows is filled: no frame is another's, none too many or too few."""
    source = clip(count)
    asked = request(model, source)
    frames = rendered(asked)
    assert len(frames) == count
    assert verify(source, source.with_name("out.mkv")).ok
    change = np.asarray([frame.mean() - picture(number).mean() for number, frame in enumerate(frames)])
    # The look moves all frames alike, and less the brighter they are; one frame off would be 4 levels.
    assert abs(change).min() > 2
    assert abs(np.diff(change)).max(initial=0) < 2


def test_outside_a_mask_nothing_changes_and_a_frame_of_a_group_is_edited_alone(
    model: str, clip: Callable[[int], Path], tmp_path: Path
) -> None:
    """Frame 6 shares its latent with 5, 7 and 8."""
    source = clip(13)
    for number in range(13):
        matte = np.zeros((HEIGHT, WIDTH), np.uint8)
        if number == 6:
            matte[16:48, 16:48] = 255
        cv2.imwrite(str(tmp_path / f"m_{number:04d}.png"), matte)
    mask = MaskSpec(files=(KeyedFile(path=tmp_path / "m_%04d.png"),))
    frames = rendered(request(model, source, options=replace(LOOK, mask=mask)))
    change = np.abs(frames.astype(int) - np.stack([picture(n).transpose(2, 0, 1) for n in range(13)]))
    assert change[6][:, 16:48, 16:48].min() > 0
    change[6][:, 16:48, 16:48] = 0
    assert change.max() == 0


def test_a_render_that_was_stopped_goes_on_from_its_units(model: str, clip: Callable[[int], Path]) -> None:
    source = clip(33)
    asked = request(model, source)
    whole = rendered(replace(asked, output=source.with_name("whole.mkv")))
    with shots_sampled() as first, pytest.raises(Interrupted, match="2 finished units are kept"):
        render.restyle(asked, stop=lambda: len(first) == 2)
    with shots_sampled() as later:
        again = rendered(asked)
    assert len(later) >= 2
    assert np.array_equal(again, whole)


def test_windows_are_whole_latents(model: str, clip: Callable[[int], Path]) -> None:
    """A window of 9 frames is 3 latents, and neighbours share one; no group of four is cut."""
    source = clip(33)
    starts: list[int] = []
    kept = replace(request(model, source), keep_work=True)
    render.restyle(kept)
    for unit in sorted((work_folder(source.with_name("out.mkv")) / "units").glob("*.safetensors")):
        latents = load_file(unit)
        starts.append(int(unit.name.split("-")[0]))
        assert latents["latents"].shape[0] == latents["source"].shape[0] <= 3
    assert starts == [0, 5, 13, 21]
    assert all(start == 0 or start % 4 == 1 for start in starts)


def test_two_seeds_are_two_films_and_one_is_one(model: str, clip: Callable[[int], Path]) -> None:
    source = clip(13)
    films = [
        rendered(request(model, source, options=replace(LOOK, variation=0.6, seed=seed, window=window), fresh=True))
        for seed, window in ((1, 24), (2, 24), (1, 24))
        if not source.with_name("out.mkv").unlink(missing_ok=True)
    ]
    assert np.array_equal(films[0], films[2])
    assert not np.array_equal(films[0], films[1])


def test_shots_share_the_colours_of_an_anchor(model: str, clip: Callable[[int], Path]) -> None:
    source = clip(18)
    shots = tuple(
        Shot(number=number, frames=FrameRange(start=start, stop=stop))
        for number, (start, stop) in enumerate(((0, 7), (7, 18)), start=1)
    )
    asked = request(model, source, shots=shots)
    alone = rendered(asked)
    shared = rendered(replace(asked, options=replace(LOOK, anchor="#0"), output=source.with_name("shared.mkv")))
    assert np.array_equal(alone[:7], shared[:7]), "the anchor's own shot is sampled as it is"
    assert len(shared) == 18
    assert not np.array_equal(alone[7:], shared[7:])


def test_a_preview_is_of_single_frames(model: str, clip: Callable[[int], Path]) -> None:
    path = preview(request(model, clip(13)))
    assert path.is_file()


def test_it_refuses_regions_before_anything_is_made(model: str, clip: Callable[[int], Path]) -> None:
    source = clip(5)
    box = MaskSpec(boxes=(KeyedBox(left=0, top=0, width=20, height=20),))
    options = replace(LOOK, regions=(RegionSpec(mask=box, prompt="snow"),))
    for ask in (render.plan, render.restyle):
        with pytest.raises(InputError, match="prompts of their own"):
            ask(request(model, source, options=options))
    assert not source.with_name("out.mkv").exists()


def test_its_presets_are_its_own(model: str, clip: Callable[[int], Path]) -> None:
    source = clip(5)
    planned = render.plan(request(model, source, options=replace(LOOK, quality="standard")))
    assert min(planned.working_size) == 64, "the source's own, smaller than the preset's 96"
    assert planned.steps == 4
    with pytest.raises(InputError, match="inversion_steps is 8 of 4"):
        render.plan(request(model, source, options=replace(LOOK, quality="standard", inversion_steps=8)))


def test_it_keeps_the_contract_of_families(model: str) -> None:
    check_family(model)
