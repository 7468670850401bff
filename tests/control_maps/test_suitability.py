"""Figures of shots, and the warnings that each trigger."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import torch

from tests.support.tiny.depth import save_depth
from tests.support.tiny.pose import save_pose
from vedit.control_maps.measure import ShotFigures, measure_depth, measure_pictures
from vedit.control_maps.report import check_controls
from vedit.control_maps.suitability import warnings_of
from vedit.errors import InputError
from vedit.options.masks import KeyedBox, MaskSpec
from vedit.types import FrameRange

HEIGHT, WIDTH = 96, 128


def texture(seed: int, *, shift: int = 0) -> torch.Tensor:
    """(1, 3, H, W): blobs of fixed places, moved to the right by `shift` pixels."""
    generator = torch.Generator().manual_seed(seed)
    coarse = 0.2 + 0.5 * torch.rand(1, 3, 9, 14, generator=generator)
    wide = torch.nn.functional.interpolate(coarse, (HEIGHT + 32, WIDTH + 64), mode="bicubic").clamp(0, 1)
    return wide[..., 16 : 16 + HEIGHT, 32 - shift : 32 - shift + WIDTH]


def moving(seed: int, count: int, *, speed: int = 2) -> torch.Tensor:
    return torch.cat([texture(seed, shift=speed * n) for n in range(count)])


def figures(frames: torch.Tensor, *, cut: int = 3, start: int = 0, **more: Any) -> ShotFigures:
    found = measure_pictures(torch.split(frames, cut))
    return ShotFigures(
        frames=FrameRange(start=start, stop=start + len(frames)),
        brightness=tuple(found.brightness),
        contrast=tuple(found.contrast),
        edges=tuple(found.edges),
        flow=tuple(found.flow),
        **more,
    )


def told(found: ShotFigures) -> list[str]:
    return [str(warning) for warning in warnings_of(found)]


def test_a_sound_shot_raises_no_warning() -> None:
    sound = figures(moving(0, 6))
    assert told(sound) == []
    assert min(sound.flow) > 0.7
    assert len(sound.flow) == 5
    assert len(sound.edges) == len(sound.brightness) == 6


@pytest.mark.parametrize("cut", [1, 2, 6])
def test_figures_do_not_depend_on_chunks(cut: int) -> None:
    frames = moving(1, 6)
    whole, cut_up = figures(frames, cut=6), figures(frames, cut=cut)
    for name in ("brightness", "contrast", "edges", "flow"):
        assert getattr(cut_up, name) == pytest.approx(getattr(whole, name), abs=1e-5)


@pytest.mark.parametrize(("level", "name"), [(0.0, "black"), (1.0, "white"), (0.5, "of a single colour")])
def test_frames_that_show_nothing(level: float, name: str) -> None:
    frames = moving(0, 6)
    frames[1:3] = level
    frames[5] = level
    (warning,) = (w for w in warnings_of(figures(frames, start=10)) if w.control == "frames")
    assert f"3 frames are {name} (#11 to #12, #15)" in warning.message
    assert [(r.start, r.stop) for r in warning.frames] == [(11, 13), (15, 16)]
    alone = figures(torch.full((4, 3, HEIGHT, WIDTH), level))
    assert f"frames: all frames are {name} (#0 to #3)" in told(alone)[0]


def test_no_edges_and_edges_everywhere() -> None:
    y = torch.linspace(0.3, 0.4, HEIGHT).view(1, 1, HEIGHT, 1)
    soft = figures(y.expand(3, 3, HEIGHT, WIDTH).contiguous())
    assert any(text.startswith("edges: hardly any on 3 frames (#0 to #2)") for text in told(soft))
    noise = torch.rand(3, 3, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(0))
    assert any(text.startswith("edges: everywhere on 3 frames") for text in told(figures(noise)))


def test_a_cut_within_a_shot() -> None:
    frames = torch.cat([moving(0, 4), moving(7, 4)])
    found = figures(frames, start=20)
    (warning,) = warnings_of(found)
    assert warning.control == "flow"
    assert "breaks from #23 to #24 (valid on " in warning.message
    assert [(r.start, r.stop) for r in warning.frames] == [(23, 25)]
    assert found.flow[3] < 0.3 < min(found.flow[:3])


def test_flow_that_fails_over_most_of_the_shot() -> None:
    frames = torch.cat([texture(seed) for seed in range(5)])
    (warning,) = (w for w in warnings_of(figures(frames)) if w.control == "flow")
    assert "over the shot" in warning.message
    assert warning.frames == (FrameRange(start=0, stop=5),)


RANGE = FrameRange(start=5, stop=9)


def test_depth() -> None:
    ramp = torch.linspace(1, 9, 200).view(1, 1, 1, 200).expand(4, 1, 150, 200)
    limits = tuple(measure_depth(ramp.split(3)))
    assert all(limit == pytest.approx((1.08, 8.92), abs=0.05) for limit in limits)
    assert len(limits) == 4
    assert told(ShotFigures(frames=RANGE, depth=limits)) == []
    (text,) = told(ShotFigures(frames=RANGE, depth=tuple(measure_depth([5 + ramp / 100]))))
    assert text.startswith("depth: flat: from 5.01 to 5.09 over the shot")
    black = ShotFigures(frames=RANGE, depth=((0.0, 0.0),) * 4, contrast=(0.0,) * 4, brightness=(0.0,) * 4)
    assert [warning.control for warning in warnings_of(black)] == ["frames"], "the cause, not what follows from it"


def test_pose() -> None:
    (text,) = told(ShotFigures(frames=RANGE, people=(0,) * 4, confidence=(0.0,) * 4))
    assert text.startswith("pose: no person found: its map is black")
    assert told(ShotFigures(frames=RANGE, people=(1, 0, 2, 0), confidence=(0.9, 0.0, 0.8, 0.0))) == [
        "pose: no person found on 2 frames (#6, #8)"
    ]
    (text,) = told(ShotFigures(frames=RANGE, people=(1, 1, 1, 1), confidence=(0.2, 0.3, 0.3, 0.2)))
    assert text.startswith("pose: joints are unsure (0.25 of 1)")


def test_mask() -> None:
    assert told(ShotFigures(frames=RANGE, mask=(0.2, 0.0, 1.0, 0.3))) == [
        "mask: empty on 1 frame (#6): nothing changes there",
        "mask: full on 1 frame (#7): everything changes there",
    ]
    assert told(ShotFigures(frames=RANGE, mask=(0.2,) * 4)) == []


def clip(path: Path, frames: torch.Tensor) -> Path:
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=Fraction(25), options={"crf": "8"})
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for image in (frames * 255).round().to(torch.uint8).permute(0, 2, 3, 1).numpy():
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
    return path


def test_a_clip_shot_by_shot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VEDIT_MODEL_DIR", str(tmp_path / "none"))
    monkeypatch.setattr("vedit.control_maps.listing.find", dict[str, Path]().get)
    dark = torch.zeros(8, 3, HEIGHT, WIDTH)
    path = clip(tmp_path / "a.mp4", torch.cat([moving(0, 10), dark]))
    report = check_controls(path, mask=MaskSpec(boxes=(KeyedBox(left=0, top=0, width=WIDTH / 2, height=HEIGHT),)))
    assert [(s.figures.frames.start, s.figures.frames.stop) for s in report.shots] == [(0, 10), (10, 18)]
    lit, black = report.shots
    assert lit.warnings == ()
    assert report.warned
    assert "frames: all frames are black (#10 to #17)" in str(black.warnings[0])
    assert lit.figures.mask == pytest.approx([0.5] * 10, abs=0.01)
    assert [text.split(",")[0] for text in report.unchecked] == ["depth is not checked", "pose is not checked"]
    assert all("vedit models pull" in text for text in report.unchecked)


def test_only_what_is_asked_for_is_measured(tmp_path: Path) -> None:
    path = clip(tmp_path / "a.mp4", moving(0, 4))
    (shot,) = check_controls(path, ["tile"], frames="#1..#4").shots
    assert shot.figures.frames == FrameRange(start=1, stop=4)
    assert (shot.figures.edges, shot.figures.flow, shot.figures.mask) == ((), (), ())
    assert len(shot.figures.brightness) == 3
    with pytest.raises(InputError, match="did you mean 'canny'"):
        check_controls(path, ["cany"])


def test_weighted_kinds_are_measured_where_their_weights_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_depth(tmp_path / "models")
    save_pose(tmp_path / "models")
    monkeypatch.setenv("VEDIT_MODEL_DIR", str(tmp_path / "models"))
    path = clip(tmp_path / "a.mp4", torch.cat([moving(0, 2), torch.zeros(2, 3, HEIGHT, WIDTH)]))
    report = check_controls(path, ["depth", "pose", "canny"])
    assert report.unchecked == ()
    shots = [shot.figures for shot in report.shots]
    assert sum(len(figures.depth) for figures in shots) == sum(len(figures.people) for figures in shots) == 4
    assert all(low <= high for figures in shots for low, high in figures.depth)
    assert all(0 <= value <= 1 for figures in shots for value in figures.confidence)
