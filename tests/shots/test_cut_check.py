"""What is a cut and what is none: fades, dissolves, black, flashes, strobes, key frames, pans, noise, dark pictures."""

from __future__ import annotations

import io
from typing import Any

import av
import numpy as np
import pytest

from vedit.shots.corrections import ShotChoices, ShotList, find_shots
from vedit.shots.detect import DetectorName, detect_shots
from vedit.testing.fakes import FakeReader, moving_frames

HEIGHT, WIDTH = 72, 128
PLACES: list[Any] = [moving_frames(60, HEIGHT, WIDTH, seed=seed) for seed in range(3)]
A, B, C = PLACES
BLACK: Any = np.zeros_like(A)
WHITE: Any = np.full_like(A, 255)
DETECTORS: list[DetectorName] = ["adaptive", "content", "histogram", "hash"]
every_detector = pytest.mark.parametrize("name", DETECTORS)


def mixed(first: Any, last: Any, power: float = 1.0) -> Any:
    """A dissolve; with another power than 1 it begins slowly, or fast."""
    weight = ((np.arange(1, len(first) + 1) / (len(first) + 1)) ** power)[:, None, None, None]
    return ((1 - weight) * first + weight * last).astype(np.uint8)


def found(*parts: Any, name: DetectorName = "adaptive") -> ShotList:
    reader = FakeReader(frames=np.concatenate(parts))
    shots = find_shots(reader, ShotChoices(detector=name))
    assert shots.shots == detect_shots(reader, detector=name), "a render's shots are those of the list"
    return shots


def cuts(*parts: Any, name: DetectorName = "adaptive") -> list[int]:
    return [shot.frames.start for shot in found(*parts, name=name).shots][1:]


def lettered(frames: Any) -> Any:
    """With a line of small letters low in the picture."""
    titled = frames.copy()
    titled[..., -9:-6, 8:50:3] = 150
    return titled


@every_detector
@pytest.mark.parametrize("blank", [BLACK, WHITE, lettered(BLACK)], ids=["black", "white", "lettered"])
@pytest.mark.parametrize("power", [1.0, 0.6, 1.6])
@pytest.mark.parametrize("length", [12, 24])
def test_a_fade_through_black_is_one_boundary_where_the_picture_comes_back(
    name: DetectorName, blank: Any, power: float, length: int
) -> None:
    into, out = mixed(A[20 : 20 + length], blank[:length], power), mixed(blank[:length], B[:length], power)
    begins = 20 + length + 10
    listed = found(A[:20], into, blank[:10], out, B[length:50], name=name)
    (cut,) = [shot.frames.start for shot in listed.shots][1:]
    assert abs(cut - begins) <= 3
    if power == 1:
        assert [transition.kind for transition in listed.transitions] == ["fade out", "fade in"]
        assert cut == listed.transitions[1].frames.start, "the fade in belongs to the picture that comes"


@every_detector
def test_a_cut_into_or_out_of_black_is_where_it_is(name: DetectorName) -> None:
    assert cuts(A[:20], BLACK[:10], mixed(BLACK[:16], B[:16]), B[16:50], name=name) == [20]
    assert cuts(A[:20], mixed(A[20:36], BLACK[:16]), BLACK[:10], B[:30], name=name) == [46]
    assert cuts(A[:20], BLACK[:12], B[:30], name=name) == [20, 32]


@every_detector
def test_nothing_is_cut_in_black_nor_where_a_clip_fades_in_or_out(name: DetectorName) -> None:
    assert cuts(BLACK[:10], mixed(BLACK[:20], A[:20]), A[20:50], name=name) == []
    assert cuts(A[:30], mixed(A[30:50], BLACK[:20]), BLACK[:10], name=name) == []
    letters = mixed(BLACK[:12], lettered(BLACK[:12]))
    assert cuts(BLACK[:10], lettered(BLACK[:20]), BLACK[:10], letters, name=name) == []
    generator = np.random.default_rng(1)
    assert cuts(generator.integers(0, 9, (40, 3, HEIGHT, WIDTH)).astype(np.uint8), name=name) == []


@every_detector
@pytest.mark.parametrize("length", [6, 12, 24])
def test_no_cut_lies_in_a_dissolve(name: DetectorName, length: int) -> None:
    parts = A[:30], mixed(A[30 : 30 + length], B[:length]), B[length:50], C[:20] // 2
    assert cuts(*parts, name=name) == [50 + 30]


@every_detector
@pytest.mark.parametrize("length", [1, 2, 3, 5])
def test_a_flash_is_no_cut(name: DetectorName, length: int) -> None:
    lit = 255 - (255 - A[20 : 20 + length]) // 4
    assert cuts(A[:20], lit, A[20 + length :], name=name) == []
    assert cuts(A[:20], WHITE[:length], A[20 + length :], name=name) == []
    assert cuts(A[:20], BLACK[:length], A[20 + length :], name=name) == []


@every_detector
def test_a_strobe_is_no_cut(name: DetectorName) -> None:
    dark = A // 3
    assert cuts(*(part[n : n + 3] for n in range(0, 54, 6) for part in (A, dark)), name=name) == []


@every_detector
def test_a_flash_beside_a_cut_leaves_the_cut(name: DetectorName) -> None:
    assert cuts(A[:20], WHITE[:2], B[:30], name=name) in ([20], [22])
    assert cuts(A[:20], WHITE[:2], A[22:40], B[:30], name=name) == [40]


@every_detector
def test_pictures_cut_back_and_forth_are_cut(name: DetectorName) -> None:
    assert cuts(A[:20], B[:5], A[25:45], name=name) == [20, 25]


@pytest.mark.parametrize("shift", [1, 4])
def test_pans_and_noise_are_no_cuts(shift: int) -> None:
    wide = moving_frames(200, HEIGHT, WIDTH, seed=5)
    assert cuts(wide[::shift]) == []
    noise = np.random.default_rng(0).normal(0, 12, (50, 3, HEIGHT, WIDTH))
    assert cuts((np.repeat(A[:1], 50, axis=0) / 3 + noise).clip(0, 255).astype(np.uint8)) == []


def test_a_cut_between_dark_pictures_is_found() -> None:
    assert cuts(A[:30] // 5, B[:30] // 5) == [30]


def coded(frames: Any, *, codec: str, every: int, **options: str) -> Any:
    """Frames as a codec leaves them that begins anew every so many."""
    file = io.BytesIO()
    with av.open(file, "w", format="matroska") as container:
        stream: Any = container.add_stream(codec, rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt, stream.gop_size = WIDTH, HEIGHT, "yuv420p", every
        for image in frames.transpose(0, 2, 3, 1):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")))
        container.mux(stream.encode(None))
    written: Any = av.open(io.BytesIO(file.getvalue()))
    with written:
        return np.stack([frame.to_ndarray(format="rgb24").transpose(2, 0, 1) for frame in written.decode(video=0)])


@every_detector
@pytest.mark.parametrize("codec", ["mpeg4", "libx264"])
@pytest.mark.parametrize("light", [1, 6])
def test_a_key_frame_is_no_cut(name: DetectorName, codec: str, light: int) -> None:
    noise = np.random.default_rng(2).normal(0, 6, (60, 3, HEIGHT, WIDTH))
    still = (A[:1] // light + noise).clip(0, 255).astype(np.uint8)
    options = {"mpeg4": {"qmin": "31", "qmax": "31"}, "libx264": {"crf": "46", "preset": "ultrafast"}}[codec]
    assert cuts(coded(still, codec=codec, every=20, **options), name=name) == []


def test_a_cut_at_a_key_frame_is_found() -> None:
    frames = coded(np.concatenate([A[:20], B[:40]]), codec="mpeg4", every=20, qmin="31", qmax="31")
    assert cuts(frames) == [20]
