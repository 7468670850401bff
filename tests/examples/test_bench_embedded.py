"""The bench of the embedded model: its metrics in closed-form cases, and tables that hide no miss."""

# The bench is a script with its package beside it, on no checker's path.
# pyright: reportMissingImports=false

import dataclasses
import json
import math
import re
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

pytest.importorskip("skimage", reason="the training styles need the extra: pip install 'vedit[train]'")
pytest.importorskip("scipy", reason="the training styles need the extra: pip install 'vedit[train]'")

EXAMPLES = Path(__file__).parents[2] / "examples"
for folder in ("bench_embedded", "train_embedded"):
    if str(EXAMPLES / folder) not in sys.path:
        sys.path.insert(0, str(EXAMPLES / folder))

from scores import metrics, report, steadiness  # noqa: E402
from scores.colour_map import fit_colour_map  # noqa: E402
from scores.data import SINGLE_LOOKS, looks_of, photographs, prompt_of  # noqa: E402
from scores.detail import keeping  # noqa: E402
from scores.rendering import Settings, fingerprint, load_subject  # noqa: E402
from scores.speed import _peer, _restyle, peer_settings  # noqa: E402  # pyright: ignore[reportPrivateUsage]
from trainer.looks import look_named  # noqa: E402

from tests.support.tiers import write_tier  # noqa: E402
from vedit.embedded import FOLDER  # noqa: E402
from vedit.pipelines.restyle import prepare  # noqa: E402
from vedit.render.evaluations import evaluations  # noqa: E402
from vedit.testing.tiny_sd import write_tiny_sd  # noqa: E402


def noise(count: int = 1, side: int = 64, seed: int = 0) -> torch.Tensor:
    """(count, 3, side, side) in [0, 1], smooth enough to have structure at several scales."""
    draws = torch.rand(count, 3, side // 4, side // 4, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.interpolate(draws, size=(side, side), mode="bicubic").clamp(0, 1)


def moving(frames: int = 4, step: float = 3.0, side: int = 256) -> torch.Tensor:
    """A textured picture that slides to the right, (frames, 3, side, side)."""
    y, x = torch.meshgrid(torch.arange(float(side)), torch.arange(float(side)), indexing="ij")
    shown = [
        0.5 + 0.2 * torch.sin((x - step * t) / 7) * torch.cos(y / 9) + 0.2 * torch.sin((x - step * t + 2 * y) / 17)
        for t in range(frames)
    ]
    return torch.stack(shown)[:, None].repeat(1, 3, 1, 1)


def test_the_directions_are_a_rotation() -> None:
    found = metrics.directions(192)
    torch.testing.assert_close(found @ found.T, torch.eye(192), atol=1e-5, rtol=0)
    torch.testing.assert_close(found, metrics.directions(192))


def test_sliced_wasserstein_of_equal_sets_is_zero_and_of_a_shift_is_the_shift() -> None:
    pictures = noise(2)
    assert metrics.sliced_wasserstein(pictures, pictures) == 0
    assert metrics.sliced_wasserstein(pictures, pictures.flip(0)) == 0, "a set has no order"
    for value, shift in ((0.2, 0.3), (0.9, -0.4)):
        flat = torch.full((1, 3, 64, 64), value)
        assert metrics.sliced_wasserstein(flat, flat + shift) == pytest.approx(abs(shift), rel=1e-4)
    # Not of flat pictures alone: every quantile of every projection moves by the same amount.
    assert metrics.sliced_wasserstein(pictures, pictures + 0.1) == pytest.approx(0.1, rel=1e-3)


def test_sliced_wasserstein_is_symmetric_and_grows_with_the_difference() -> None:
    a, b = noise(seed=1), noise(seed=2)
    assert metrics.sliced_wasserstein(a, b) == pytest.approx(metrics.sliced_wasserstein(b, a))
    distances = [metrics.sliced_wasserstein(a, a.lerp(b * 0.2, part)) for part in (0.1, 0.4, 0.8)]
    assert distances == sorted(distances)
    # Sets of different sizes can be compared: quantiles are of the distribution, not of its count.
    assert metrics.sliced_wasserstein(a, torch.cat([a, a])) == pytest.approx(0, abs=5e-3)


def test_histogram_matching_makes_histograms_equal_and_keeps_equal_values_equal() -> None:
    a, b = noise(2, seed=1), noise(2, seed=2)
    matched = metrics.match_histogram(a, b)
    torch.testing.assert_close(matched.flatten(2).sort().values, b.flatten(2).sort().values, atol=0.04, rtol=0)
    torch.testing.assert_close(metrics.match_histogram(b, b), b)
    steps = (a * 4).round() / 4
    for plane, found in zip(steps.flatten(0, 1), metrics.match_histogram(steps, b).flatten(0, 1), strict=True):
        for value in plane.unique():
            assert found[plane == value].unique().numel() == 1


def test_texture_ignores_a_monotone_colour_map_and_sees_strokes() -> None:
    source, target = noise(2, seed=3), noise(2, seed=4)
    curve = torch.stack([source[:, 0] ** 2, 0.1 + 0.7 * source[:, 1], source[:, 2].sqrt()], dim=1)
    plain = metrics.texture_sketch(source, target)
    assert metrics.sketch_distance(plain, metrics.texture_sketch(curve, target)) < 2e-3
    stripes = (torch.arange(64) % 4 < 2).float().view(1, 1, 1, -1) * 0.3
    drawn = metrics.texture_sketch((source + stripes).clamp(0, 1), target)
    assert metrics.sketch_distance(plain, drawn) > 0.02


def test_the_high_pass_of_a_flat_picture_is_zero() -> None:
    assert metrics.high_pass(torch.full((1, 3, 64, 64), 0.7)).abs().max() < 1e-5


def test_a_colour_map_finds_the_map() -> None:
    sources = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(5))
    targets = torch.stack([1 - sources[:, 2], sources[:, 0] ** 2, 0.3 + 0.5 * sources[:, 1]], dim=1)
    fitted = fit_colour_map(sources, targets)
    fresh = noise(seed=6)
    wanted = torch.stack([1 - fresh[:, 2], fresh[:, 0] ** 2, 0.3 + 0.5 * fresh[:, 1]], dim=1)
    torch.testing.assert_close(fitted(fresh), wanted, atol=0.03, rtol=0)


def test_motion_of_the_source_is_zero_and_of_a_frozen_video_one() -> None:
    source = moving()
    assert metrics.moving_share(source) > 0.9
    assert metrics.motion_error(source, source) == 0
    assert metrics.motion_error(source, source[:1].expand_as(source)) == pytest.approx(1, abs=0.02)
    assert metrics.motion_error(source, 1 - source) < 0.1, "colours do not matter, motion does"
    assert metrics.motion_error(source, source.flip(0)) == pytest.approx(2, abs=0.2), "the way back is twice as wrong"
    half = moving(step=1.5)
    assert metrics.motion_error(source, half) == pytest.approx(0.5, abs=0.1)


def test_nothing_moves_in_a_still() -> None:
    still = moving(step=0)
    assert metrics.moving_share(still) == 0
    assert math.isnan(metrics.motion_error(still, still))


def test_warp_error_is_the_flicker() -> None:
    still = moving(step=0)
    assert metrics.warp_error(still, still) == pytest.approx(0, abs=1e-9)
    flicker = still + torch.tensor([0.0, 0.1, 0.0, 0.1]).view(-1, 1, 1, 1)
    assert metrics.warp_error(still, flicker) == pytest.approx(0.01, rel=1e-3)
    source = moving()
    frozen = source[:1].expand_as(source)
    assert metrics.warp_error(source, source) < 0.1 * metrics.warp_error(source, frozen)


def test_gradient_energy_is_quadratic_and_variance_takes_the_contrast_out() -> None:
    picture = noise()
    halved = metrics.gradient_energy(picture / 2) / metrics.gradient_energy(picture)
    assert halved == pytest.approx(0.25, rel=1e-4)
    assert metrics.luma_variance(picture / 2) / metrics.luma_variance(picture) == pytest.approx(0.25, rel=1e-4)
    assert metrics.gradient_energy(torch.full((1, 3, 16, 16), 0.5)) == pytest.approx(0, abs=1e-9)


def test_psnr() -> None:
    flat = torch.full((2, 3, 8, 8), 0.5)
    assert metrics.psnr(flat, flat + 0.1) == pytest.approx(20, abs=1e-3)


@pytest.mark.parametrize(
    ("figure", "sign", "limit", "met"),
    [(0.4, "<", 0.4, False), (0.39, "<", 0.4, True), (1.0, "<=", 1.0, True), (5, ">=", 6, False), (6, ">=", 6, True)],
)
def test_a_bar_is_met_or_falls_short(figure: float, sign: Any, limit: float, met: bool) -> None:
    bar = report.Bar(what="motion", figure=figure, sign=sign, limit=limit, remark="two clips")
    assert bar.met == met
    assert bar.line().startswith("PASS: " if met else "FALLS SHORT: ")
    assert report.show(figure) in bar.line()
    assert bar.line().endswith("(two clips)")


@pytest.mark.parametrize("sign", ["<", "<=", ">="])
def test_what_could_not_be_measured_falls_short(sign: Any) -> None:
    assert not report.Bar(what="motion", figure=float("nan"), sign=sign, limit=0.4).met


def table(figure: float) -> report.Table:
    return report.Table(
        title="Motion",
        settings="8 frames",
        columns=("look", "result"),
        rows=(("night", figure),),
        bars=(report.Bar(what="motion error", figure=figure, sign="<", limit=0.4),),
    )


def test_a_table_names_its_misses_in_its_part_and_at_the_head(tmp_path: Path) -> None:
    weights = {"folder": "somewhere", "fingerprint": "sha256 1"}
    figures = report.read_figures(tmp_path / "figures.json", weights)
    report.keep(figures, "motion", table(0.71))
    report.keep(figures, "colour", dataclasses.replace(table(0.1), title="Colour"))
    report.write_figures(figures, tmp_path)
    text = (tmp_path / "figures.md").read_text("utf-8")
    assert "1 of 2 bars are met" in text
    assert text.count("FALLS SHORT: motion error 0.710, asked < 0.400") == 2
    assert text.count("PASS: motion error 0.100") == 1
    assert "Not measured: pairs, texture, " in text
    assert text.index("## Colour") < text.index("## Motion"), "parts stand in one order, however they were run"
    assert "| night | 0.710 |" in text

    # A later run of one part takes the place of that part alone; other weights start afresh.
    again = report.read_figures(tmp_path / "figures.json", weights)
    report.keep(again, "motion", table(0.2))
    assert "2 of 2 bars are met" in report.document(again)
    other = report.read_figures(tmp_path / "figures.json", {**weights, "fingerprint": "sha256 2"})
    assert other["parts"] == {}


def test_photographs_too_small_for_a_crop_are_passed_over(tmp_path: Path) -> None:
    import cv2

    for name, side in (("a", 100), ("b", 264), ("c", 280), ("d", 64)):
        picture = np.random.default_rng(0).integers(0, 255, (side, 288, 3), np.uint8)
        cv2.imwrite(str(tmp_path / f"{name}.png"), picture)
    found = photographs(tmp_path, split="train", count=2)
    assert found.names == ("b.png", "c.png")
    assert found.sources().shape == (2, 3, 256, 256)
    night = look_named("night")
    torch.testing.assert_close(found.targets(night), found.targets(night), rtol=0, atol=0)


def test_looks() -> None:
    assert "photograph" not in {look.name for look in SINGLE_LOOKS}
    # The training styles may be ahead of the weights: only what these were trained on is measured, in known words.
    known = looks_of(FOLDER)
    document = json.loads((FOLDER / "looks.json").read_text(encoding="utf-8"))
    assert {look.name for look in known} == {look["name"] for look in document["looks"]} & {
        look.name for look in SINGLE_LOOKS
    }
    assert len(known) >= 36
    assert {w for look in known for w in re.findall("[a-z]+", prompt_of(look))} <= set(document["words"])
    assert looks_of(FOLDER / "unet") == SINGLE_LOOKS, "a folder that lists none is asked for all"
    assert [look.name for look in keeping((look_named("night"), look_named("comic")))] == ["night"]
    assert [look.name for look in keeping(())] == ["night", "sepia", "winter"]


@contextmanager
def evaluated(unet: torch.nn.Module) -> Generator[list[int]]:
    """How many pictures each call of the network takes, of those within the context."""
    rows: list[int] = []

    def count(_unet: torch.nn.Module, given: tuple[torch.Tensor, ...], _output: object) -> None:
        rows.append(len(given[0]))

    hook = unet.register_forward_hook(count)
    try:
        yield rows
    finally:
        hook.remove()


@pytest.mark.parametrize("quality", ["draft", "standard"])
def test_the_peer_evaluates_its_network_as_often_as_we_do(quality: str, tmp_path: Path) -> None:
    subject = load_subject(FOLDER, Settings(quality=quality), tmp_path)
    options = subject.options("night")
    with evaluated(subject.model.denoiser.unet) as rows:
        subject.frames(options, noise())
    ours = sum(rows)
    assert ours == evaluations(subject.found, options)
    with evaluated(subject.model.denoiser.unet) as rows:
        _restyle(_peer(subject), options, peer_settings(subject, options), noise())
    assert ours - 1 <= sum(rows) <= ours


def test_the_fast_tier_is_what_is_measured_whatever_its_guidance(tmp_path: Path) -> None:
    folder = write_tiny_sd(tmp_path / "model")
    write_tier(folder, sampling=(751, 401), guidance=3.5)
    subject = load_subject(folder, Settings(quality="draft"), tmp_path)
    options = subject.options("night")
    assert prepare(subject.model, options).few_steps
    with evaluated(subject.model.denoiser.unet) as rows:
        subject.frames(options, noise())
    assert sum(rows) == evaluations(subject.found, options) == 3
    assert peer_settings(subject, options) == (3, 1.0)
    asked = dataclasses.replace(subject, settings=Settings(quality="draft", guidance=2.0)).options("night")
    assert not prepare(subject.model, asked).few_steps
    assert peer_settings(subject, asked) == (6, 2.0)


def test_a_subject_keeps_its_pictures_and_a_folder_gets_the_embedded_guidance(tmp_path: Path) -> None:
    subject = load_subject(FOLDER, Settings(quality="draft"), tmp_path / "pictures")
    options = subject.options("night", steps=1)
    assert prepare(subject.model, options).guidance == 1.25, "not that of an unknown model"
    assert prepare(subject.model, subject.options("night", guidance=3.0)).guidance == 3.0
    quick = dataclasses.replace(subject, settings=Settings(quality="draft", strength=0.25))
    first = quick.pictures("night", noise())
    (kept,) = (tmp_path / "pictures").iterdir()
    written = kept.stat().st_mtime_ns
    torch.testing.assert_close(quick.pictures("night", noise()), first, rtol=0, atol=0)
    assert kept.stat().st_mtime_ns == written, "it was not rendered again"
    quick.pictures("night", noise(seed=9))
    assert len(list((tmp_path / "pictures").iterdir())) == 2
    assert subject.weights["fingerprint"] == fingerprint(FOLDER)


class Autoencoder:
    """A subject whose autoencoder averages over cells and stretches what differs from grey."""

    def __init__(self, *, cell: int = 1, stretch: float = 1.0) -> None:
        self.cell, self.stretch = cell, stretch

    def through_autoencoder(self, pictures: torch.Tensor) -> torch.Tensor:
        # Cells stand still in the frame, as those of a code on a grid do.
        means = torch.nn.functional.avg_pool2d(pictures, self.cell)
        return 0.5 + self.stretch * (means.repeat_interleave(self.cell, 2).repeat_interleave(self.cell, 3) - 0.5)


def test_what_follows_the_picture_is_steady_and_what_follows_the_frame_is_not() -> None:
    photos = noise(2, side=103)
    exact, cells = Autoencoder(), Autoencoder(cell=8)
    for shift in (1, 7):
        assert steadiness.shift_difference(exact, photos, shift) == 0
        assert steadiness.shift_difference(cells, photos, shift) > 1
    assert steadiness.shift_difference(cells, photos, 4) > steadiness.shift_difference(cells, photos, 1)


def test_noise_comes_back_as_much_as_the_autoencoder_lets_through() -> None:
    photos = torch.rand(2, 3, 96, 96, generator=torch.Generator().manual_seed(0))
    for stretch, met in ((1.0, True), (2.0, False)):
        table = steadiness.steadiness_table(Autoencoder(stretch=stretch), photos, "")
        assert table.rows[0][1] == pytest.approx(stretch, rel=0.01)
        assert table.bars[0].met is met
