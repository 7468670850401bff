"""Black bars: found where they are and nowhere else, shot by shot, and left as they are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import numpy.typing as npt
import pytest

from tests.support.motion import texture
from tests.support.recording import frames_written
from vedit.errors import SettingError
from vedit.media.reading.read import open_video
from vedit.options.request import RenderRequest, RestyleOptions
from vedit.render.run import plan, restyle
from vedit.shots.bars import brightness, filled, may_have_bars, seek_bars, with_bars
from vedit.shots.shot_bars import bars_of_shots, told_of_bars
from vedit.types import Bars, Clip, FrameRange, Shot

Image = npt.NDArray[np.uint8]
HEIGHT, WIDTH = 144, 176
LETTERBOX = Bars(top=20, bottom=20)
PILLARBOX = Bars(left=30, right=30)
WINDOWBOX = Bars(top=16, bottom=24, left=20, right=28)
LOW_RIM = Bars(bottom=24)


def shot(count: int = 5, *, gain: float = 1.0, lift: float = 0.0, seed: int = 0) -> list[Image]:
    """A camera that pans over a texture, (H, W, 3)."""
    wide = texture(HEIGHT, WIDTH + 4 * count, seed)
    frames = [wide[:, 4 * n : 4 * n + WIDTH] * gain + lift for n in range(count)]
    return [(frame.clip(0, 1) * 255).round().astype(np.uint8) for frame in frames]


def barred(frames: list[Image], bars: Bars, level: int = 0) -> list[Image]:
    rows, columns = bars.inside(HEIGHT, WIDTH)
    out = [np.full_like(frame, level) for frame in frames]
    for frame, picture in zip(out, frames, strict=True):
        frame[rows, columns] = cv2.resize(
            picture, (columns.stop - columns.start, rows.stop - rows.start), interpolation=cv2.INTER_AREA
        )
    return out


def coded(frames: list[Image], quality: int) -> list[Image]:
    """With the noise of compression."""

    def code(frame: Image) -> Image:
        data = cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)

    return [code(frame) for frame in frames]


def found(frames: list[Image]) -> Bars:
    return seek_bars([brightness(frame.transpose(2, 0, 1), 8) for frame in frames]).found


def near(bars: Bars, truth: Bars, by: int = 1) -> bool:
    return all(abs(bars.sides[side] - width) <= by for side, width in truth.sides.items())


@pytest.mark.parametrize("level", [0, 16])
@pytest.mark.parametrize("gain", [1.0, 0.25])
@pytest.mark.parametrize("bars", [LETTERBOX, PILLARBOX, WINDOWBOX, LOW_RIM])
def test_bars_are_found_whatever_their_black_and_however_they_are_coded(bars: Bars, gain: float, level: int) -> None:
    frames = barred(shot(gain=gain, lift=0.15), bars, level)
    assert found(frames) == bars
    # A compressor rings a little beyond the edge.
    assert near(found(coded(frames, 75)), bars, by=2)


def test_a_dark_scene_is_no_bar() -> None:
    frames = shot()
    for gain in (0.3, 0.1, 0.03, 0.01, 0.0):
        assert not found(shot(gain=gain))
        assert not found(coded(shot(gain=gain), 50))
    gradient = np.linspace(0, 60, HEIGHT)[:, None, None]
    assert not found([np.broadcast_to(gradient, (HEIGHT, WIDTH, 3)).astype(np.uint8)] * 5), "a sky at night"
    ragged = [frame.copy() for frame in frames]
    edge = (24 + 9 * np.sin(np.arange(WIDTH) / 9)).astype(int)
    for frame in ragged:
        frame[np.arange(HEIGHT)[:, None] < edge] = 0
    assert not found(ragged), "a black roof whose edge is not straight"
    lit = [frame.copy() for frame in barred(frames, LETTERBOX)]
    lit[2][:20] = 90
    assert found(lit).top == 0, "what is lit in one frame is no bar"


def test_letters_in_a_bar_do_not_hide_it() -> None:
    frames = barred(shot(), Bars(top=24, bottom=24))
    for n, frame in enumerate(frames):
        cv2.putText(frame, f"subtitle {n}", (38, 138), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (230, 230, 230), 1, cv2.LINE_AA)
        frame[6:14, 150:168] = (200, 40, 40)
    assert found(frames) == Bars(top=24, bottom=24)
    for frame in frames:
        cv2.putText(frame, "on the edge", (38, 125), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (230, 230, 230), 1, cv2.LINE_AA)
    assert found(frames) == Bars(top=24, bottom=24), "the bar opposite says how wide it is"


def test_a_fade_from_black_has_the_bars_of_its_picture() -> None:
    frames = [np.zeros((HEIGHT, WIDTH, 3), np.uint8), *barred(shot(gain=0.1), PILLARBOX), *barred(shot(), PILLARBOX)]
    assert found(frames) == PILLARBOX


def test_clips_with_a_lit_border_are_known_by_one_frame() -> None:
    assert not may_have_bars(brightness(shot(lift=0.2)[0].transpose(2, 0, 1), 8))
    assert may_have_bars(brightness(barred(shot(), LETTERBOX)[0].transpose(2, 0, 1), 8))


def clip_of(frames: list[Image], bit_depth: int = 8) -> Clip:
    data = np.stack(frames).transpose(0, 3, 1, 2)
    if bit_depth > 8:
        data = data.astype(np.uint16) * np.uint16(1 << (bit_depth - 8))
    pts = tuple(range(len(frames)))
    return Clip(frames=data, bit_depth=bit_depth, pts=pts, time_base=Fraction(1, 25), start=0)


@pytest.mark.parametrize("bit_depth", [8, 10])
def test_the_model_sees_no_bar_and_the_result_has_all_of_it(bit_depth: int) -> None:
    clip = clip_of(barred(shot(lift=0.3), WINDOWBOX), bit_depth)
    seen = filled(clip, WINDOWBOX)
    assert seen.frames.shape == clip.frames.shape and seen.frames.dtype == clip.frames.dtype
    assert seen.frames.min() > 255 * 0.2, "no black is left"
    rows, columns = WINDOWBOX.inside(HEIGHT, WIDTH)
    inner = (..., slice(rows.start + 2, rows.stop - 2), slice(columns.start + 2, columns.stop - 2))
    assert np.array_equal(seen.frames[inner], clip.frames[inner])
    painted = np.full_like(clip.frames, 77)
    kept = with_bars(clip.frames, painted, WINDOWBOX)
    assert (kept[..., rows, columns] == 77).all()
    kept[..., rows, columns] = clip.frames[..., rows, columns]
    assert np.array_equal(kept, clip.frames)
    assert filled(clip, Bars()) is clip and with_bars(clip.frames, painted, Bars()) is painted


def written(path: Path, frames: list[Image]) -> Path:
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=25, options={"crf": "16"})
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv444p"
        for frame in frames:
            container.mux(video.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(video.encode(None))
    return path


SHOTS = tuple(
    Shot(number=n, frames=FrameRange(start=a, stop=b)) for n, (a, b) in enumerate([(0, 4), (4, 7), (7, 9)], start=1)
)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A letterboxed shot, one that fills the frame, and a letterboxed one too dark to tell."""
    bright = barred(shot(4), LETTERBOX)
    full = shot(3, lift=0.2, seed=3)
    dark = [np.zeros((HEIGHT, WIDTH, 3), np.uint8) for _ in range(2)]
    for frame in dark:
        frame[60:80, 70:100] = 120
    return written(tmp_path_factory.mktemp("clip") / "barred.mp4", [*bright, *full, *dark])


def test_each_shot_has_bars_of_its_own(clip: Path) -> None:
    with open_video(clip) as reader:
        bars = bars_of_shots(reader, SHOTS)
        assert bars_of_shots(reader, SHOTS[2:]) == {}
    assert set(bars) == {1, 3}
    assert near(bars[1], LETTERBOX) and bars[3] == bars[1]
    (told,) = told_of_bars(bars, SHOTS)
    assert f"{bars[1].top} top, {bars[1].bottom} bottom" in told and "shots 1, 3" in told
    assert told_of_bars({}, SHOTS) == ()
    assert " in " not in told_of_bars({1: LETTERBOX}, SHOTS[:1])[0].split(", in pixels)")[1].split("stay")[0]


QUICK = RestyleOptions(prompt="pencil sketch", quality="draft", steps=2, window=4, overlap=1)


@pytest.fixture
def rendered(clip: Path, tmp_path: Path, small: None) -> Callable[..., npt.NDArray[Any]]:
    def run(name: str, **changes: Any) -> npt.NDArray[Any]:
        options = replace(QUICK, **changes)
        request = RenderRequest(source=clip, options=options, shots=SHOTS, output=tmp_path / name, frames="#0..#7")
        with frames_written() as seen:
            assert restyle(request).frames == 7
        return np.concatenate(seen)

    return run


def test_the_bars_of_a_render_are_the_source_s(clip: Path, rendered: Callable[..., npt.NDArray[Any]]) -> None:
    with open_video(clip) as reader:
        source = reader.read(FrameRange(start=0, stop=7)).frames
        bars = bars_of_shots(reader, SHOTS)[1]
    rows, columns = bars.inside(HEIGHT, WIDTH)
    kept, painted = rendered("kept.mkv"), rendered("painted.mkv", bars="paint")
    outside = np.ones((HEIGHT, WIDTH), bool)
    outside[rows, columns] = False
    assert np.array_equal(kept[:4][..., outside], source[:4][..., outside])
    assert np.abs(kept[:4][..., ~outside].astype(int) - source[:4][..., ~outside]).mean() > 1
    assert np.abs(painted[:4][..., outside].astype(int) - source[:4][..., outside]).mean() > 1
    assert np.array_equal(kept[4:], painted[4:]), "a shot without bars is rendered as ever"


def test_bars_are_said_before_the_render(clip: Path) -> None:
    request = RenderRequest(source=clip, options=QUICK, shots=SHOTS)
    told = plan(request)
    assert set(told.bars) == {1, 3}
    assert any("black bars" in note for note in told.notes)
    painted = plan(replace(request, options=replace(QUICK, bars="paint")))
    assert painted.bars == {} and not any("black bars" in note for note in painted.notes)
    looks = {2: QUICK, 3: replace(QUICK, bars="paint")}
    assert plan(replace(request, looks=looks)).bars == {}
    assert set(plan(replace(request, looks={1: QUICK, 3: QUICK}, locked=frozenset({3}))).bars) == {1}
    with pytest.raises(SettingError, match="bars is 'crop'"):
        replace(QUICK, bars="crop")  # pyright: ignore[reportArgumentType]
