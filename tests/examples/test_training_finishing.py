"""Finishing on the model's own renders: the distance of textures, the noise of sources, where renders begin."""

# The example is a script with its package beside it, on no checker's path.
# pyright: reportMissingImports=false

import sys
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

pytest.importorskip("skimage", reason="training needs the extra: pip install 'vedit[train]'")
pytest.importorskip("scipy", reason="training needs the extra: pip install 'vedit[train]'")

EXAMPLE = Path(__file__).parents[2] / "examples" / "train_embedded"
if str(EXAMPLE) not in sys.path:
    sys.path.insert(0, str(EXAMPLE))

from trainer import sliced  # noqa: E402
from trainer.courses import SCHEDULES, Course, climbed, course_of  # noqa: E402
from trainer.diffusion import ALL_SOURCE, INVERTED, LEAN, between, leaning  # noqa: E402
from trainer.finishing import LEARNING, begun, walked  # noqa: E402
from trainer.form import new_scheduler  # noqa: E402
from trainer.loop import append_row, mean_row  # noqa: E402
from trainer.sliced import sliced_distance  # noqa: E402

from vedit.diffusion.distilled import from_timesteps  # noqa: E402
from vedit.diffusion.steps import Step  # noqa: E402


def draws(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def distance(made: torch.Tensor, target: torch.Tensor) -> float:
    return float(sliced_distance(made, target, torch.Generator().manual_seed(0)))


def test_a_texture_elsewhere_in_its_neighbourhood_is_the_same_and_its_mean_is_not() -> None:
    strokes = draws(1, 4, 8, 8).repeat(1, 1, 3, 3)
    moved = strokes.roll((3, 2), dims=(2, 3))
    blurred = F.avg_pool2d(strokes, 3, stride=1, padding=1)
    assert F.mse_loss(moved, strokes) > F.mse_loss(blurred, strokes), "squares prefer the blur"
    # Borders alone tell a periodic texture from itself moved.
    assert distance(moved, strokes) < 0.25 * distance(blurred, strokes)
    assert distance(strokes, strokes) == 0


def test_colours_do_not_leave_their_neighbourhood() -> None:
    halves = torch.zeros(1, 4, 16, 16)
    halves[..., 8:] = 1
    assert distance(halves.flip(-1), halves) > 0.1


def test_one_direction_is_the_mean_square_of_sorted_projections(monkeypatch: pytest.MonkeyPatch) -> None:
    """In one dimension the Wasserstein distance of as many points each is that of the sorted ones."""
    monkeypatch.setattr(sliced, "PATCH", 1)
    monkeypatch.setattr(sliced, "DIRECTIONS", 1)
    one, other = draws(1, 1, 2, 2), draws(1, 1, 2, 2, seed=1)
    here, there = (values.flatten().sort().values for values in (one, other))
    whole = (here - there).square().mean()
    halved = (one.mean() - other.mean()).square()
    assert distance(one, other) == pytest.approx(float((whole + halved) / 2), rel=1e-5)


@pytest.mark.parametrize(("height", "width"), [(2, 2), (5, 9), (16, 24)])
def test_any_size_has_a_distance_that_can_be_learnt_from(height: int, width: int) -> None:
    made = draws(2, 4, height, width).requires_grad_()
    sliced_distance(made, draws(2, 4, height, width, seed=1), torch.Generator().manual_seed(0)).backward()
    assert made.grad is not None
    assert made.grad.isfinite().all()
    assert made.grad.abs().sum() > 0


def test_noise_leans_to_the_source_as_much_as_said_and_keeps_its_variance() -> None:
    source, noise = draws(400, 4, 16, 16, seed=1), draws(400, 4, 16, 16, seed=2)
    made = leaning(noise, source, INVERTED, torch.Generator().manual_seed(0))
    share = (made * source).mean((1, 2, 3))
    leaning_ones = share > LEAN[0] / 2
    assert float(leaning_ones.float().mean()) == pytest.approx(INVERTED, abs=0.08)
    assert float(share[leaning_ones].mean()) == pytest.approx(sum(LEAN) / 2, abs=0.01)
    assert float(made.std()) == pytest.approx(1, abs=0.01)
    assert torch.equal(leaning(noise, source, 0.0, torch.Generator()), noise)
    twice, filmed = (torch.cat([values[:8], values[:8]]) for values in (noise, source))
    first, second = leaning(twice, filmed, INVERTED, torch.Generator().manual_seed(1), twins=8).chunk(2)
    assert torch.equal(first, second), "twins differ in their pictures alone"


def test_what_stands_between_source_and_target_is_less_of_the_source_the_less_noise_there_is() -> None:
    target, source = torch.zeros(600, 4, 2, 2), torch.ones(600, 4, 2, 2)
    timestep = torch.arange(600) * 1000 // 600
    seen = between(target, source, timestep, 0.5, torch.Generator().manual_seed(0)).mean((1, 2, 3))
    begun_ones = seen > 0
    assert float(begun_ones.float().mean()) == pytest.approx(0.5, abs=0.08)
    assert set(seen[timestep >= ALL_SOURCE].tolist()) == {0.0, 1.0}
    early = timestep < ALL_SOURCE
    assert (seen[early] <= timestep[early] / ALL_SOURCE).all()
    assert float(seen[early & begun_ones].mean()) == pytest.approx(0.25, abs=0.05)
    assert torch.equal(between(target, source, timestep, 0.0, torch.Generator()), target)
    levels = torch.cat([timestep[:8], timestep[:8]]) + 500
    first, second = between(target[:16], source[:16], levels, 0.5, torch.Generator().manual_seed(1), twins=8).chunk(2)
    assert 0 < float(first.mean()) < 1
    assert torch.equal(first, second), "twins differ in their pictures alone"


@pytest.mark.parametrize("leaping", [False, True])
def test_an_inverted_source_is_at_the_noise_level_where_its_render_begins(leaping: bool) -> None:
    up = from_timesteps(new_scheduler().config, (901, 671, 451, 251, 81))
    clean, noise, met = draws(1, 4, 12, 12), draws(1, 4, 12, 12, seed=3), list[float]()

    def knows(x: torch.Tensor, step: Step) -> torch.Tensor:
        """The v of data that is one picture with one noise."""
        met.append(step.level)
        return step.signal * noise - step.noise * clean

    x = climbed(knows, clean, up, leaping=leaping)
    first = up.steps[0]
    if leaping:
        assert met == [81, 251, 451, 671]
        assert float(x.std()) == pytest.approx(1, abs=0.1)
    else:
        assert met == [81, 251, 451, 671, 901]
        # The clean end of the schedule is not quite without noise.
        torch.testing.assert_close(x, first.alpha**0.5 * clean + (1 - first.alpha) ** 0.5 * noise, atol=0.15, rtol=0)
        for step in up.steps:
            x = up.solver.cleaner(x, knows(x, step), step)
        torch.testing.assert_close(x, clean, atol=0.15, rtol=0)


class Known:
    """A take whose targets are 0 and whose sources are 1; its networks know the target, and what they met is kept."""

    def __init__(self, count: int) -> None:
        self.wanted, self.filmed = torch.zeros(count, 4, 4, 4), torch.ones(count, 4, 4, 4)
        self.motion, self.words = torch.zeros(1, 2, 3), torch.zeros(count, 2, 8)
        self.met: list[tuple[torch.Tensor, torch.Tensor]] = []
        self.weight = torch.ones((), requires_grad=True)

    def inverted(self, way: Course) -> torch.Tensor:
        alpha = way.coarse.steps[0].alpha
        return alpha**0.5 * self.filmed + (1 - alpha) ** 0.5 * draws(1, 4, 4, 4).expand_as(self.filmed)

    def say(self, x: torch.Tensor, timestep: int | torch.Tensor, words: torch.Tensor) -> torch.Tensor:
        assert words is self.words
        at = torch.as_tensor(timestep).expand(len(x))
        self.met.append((x, at))
        alpha: torch.Tensor = new_scheduler().alphas_cumprod[at].view(-1, 1, 1, 1)
        return self.weight * alpha.sqrt() / (1 - alpha).sqrt() * x  # x_0 = sqrt(alpha) x - sqrt(1 - alpha) v = 0


@pytest.mark.parametrize("seed", range(4))
def test_a_step_begins_at_the_source_alone_where_renders_begin(seed: int) -> None:
    way = course_of(SCHEDULES["draft"], new_scheduler().config)
    take = Known(41)
    (view,) = begun(take, way, torch.Generator().manual_seed(seed))  # type: ignore[arg-type]
    torch.testing.assert_close(view, take.wanted, atol=1e-4, rtol=0)
    ((x, timestep),) = take.met
    assert timestep[-1] == timestep[0], "a twin has the level of what it is the twin of"
    assert (timestep >= ALL_SOURCE).float().mean() > 0.3
    signal = new_scheduler().alphas_cumprod[timestep].sqrt()
    noise = 1 - signal.square()
    for level, mean, room in zip(timestep, (x.mean((1, 2, 3)) / signal), noise.sqrt() / signal, strict=True):
        # 64 numbers of noise, some of which leans to the source, lie beside what is said of target and source.
        if level >= ALL_SOURCE:
            assert abs(mean - 1) < 0.7 * room
        else:
            assert mean < level / ALL_SOURCE + 0.7 * room + 0.05


@pytest.mark.parametrize("quality", SCHEDULES)
def test_a_walk_learns_from_some_steps_of_a_render_each_by_itself(quality: str) -> None:
    way = course_of(SCHEDULES[quality], new_scheduler().config)
    take = Known(3)
    views = walked(take, way, torch.Generator().manual_seed(1))  # type: ignore[arg-type]
    assert len(views) == LEARNING
    assert all(view.requires_grad for view in views)
    met = [int(at[0]) for _, at in take.met]
    assert met == [step.level for step in way.coarse.steps][: len(met)], "from the noisiest on, without a gap"
    assert not any(x.requires_grad for x, _ in take.met), "no step learns through the ones before it"


def test_rows_of_steps_of_several_kinds_make_one_log(tmp_path: Path) -> None:
    rows = [{"loss": 1.0, "low": 2.0}, {"loss": 3.0, "texture": 5.0}, {"loss": 5.0, "low": 4.0}]
    assert mean_row(rows) == {"loss": 3.0, "low": 3.0, "texture": 5.0}
    append_row(tmp_path / "loss.csv", mean_row(rows))
    append_row(tmp_path / "loss.csv", mean_row(rows[::-1]))
    append_row(tmp_path / "loss.csv", mean_row(rows[:1]))
    assert (tmp_path / "loss.csv").read_text().split() == ["loss,low,texture", "3,3,5", "3,3,5", "1,2,"]
