"""The stage against a critic: what it scores, whom its errors reach, where renders begin, how a look is held back."""

# The example is a script with its package beside it, on no checker's path.
# pyright: reportMissingImports=false

import argparse
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

pytest.importorskip("skimage", reason="training needs the extra: pip install 'vedit[train]'")
pytest.importorskip("scipy", reason="training needs the extra: pip install 'vedit[train]'")

EXAMPLE = Path(__file__).parents[2] / "examples" / "train_embedded"
if str(EXAMPLE) not in sys.path:
    sys.path.insert(0, str(EXAMPLE))

from trainer import adversarial, lessons  # noqa: E402
from trainer.adversarial import (  # noqa: E402
    HEADS,
    LEAST,
    WAYS,
    Drawn,
    Players,
    adversarial_loss,
    critic_loss,
    maker_loss,
    texture_ratio,
    unrest,
)
from trainer.batches import Batch  # noqa: E402
from trainer.checkpoint import save_state  # noqa: E402
from trainer.courses import climbed, course_of  # noqa: E402
from trainer.critic import Critic, gradient_penalty, hinge  # noqa: E402
from trainer.drawn import begin_with, factors, write_drawn  # noqa: E402
from trainer.export import Networks  # noqa: E402
from trainer.form import new_autoencoder, new_scheduler  # noqa: E402
from trainer.lessons import lesson_of  # noqa: E402
from trainer.looks import LOOKS, look_named  # noqa: E402
from trainer.loop import LoopOptions, run_loop  # noqa: E402
from trainer.prompts import Outfit  # noqa: E402
from trainer.starting import MisfitError  # noqa: E402

from vedit.diffusion.steps import Step  # noqa: E402
from vedit.models.distilled import DistilledWeights, read_distilled  # noqa: E402
from vedit.models.lora import low_rank, read_lora  # noqa: E402


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def pictures(count: int = 2, *, seed: int = 0, size: int = 64) -> torch.Tensor:
    return torch.rand((count, 3, size, size), generator=torch.Generator().manual_seed(seed)) * 2 - 1


def drawn(made: torch.Tensor, *, look: int = 1) -> Drawn:
    count = len(made)
    return Drawn(
        made=made,
        target=pictures(count, seed=1),
        source=pictures(count, seed=2),
        look=torch.full((count,), look),
        motion=torch.eye(2, 3)[None],
    )


def players() -> Players:
    return Players(Networks.new(widths=(8, 16, 16), norm_groups=4), width=4)


def test_each_look_has_a_head_of_its_own() -> None:
    critic = Critic(3, width=4).eval()
    picture, source = pictures(), pictures(seed=1)
    first, _ = critic(picture, source, torch.tensor([0, 1]))
    swapped, _ = critic(picture, source, torch.tensor([1, 1]))
    assert not torch.equal(first[0], swapped[0])
    assert torch.equal(first[1], swapped[1])


def test_every_look_is_taken_and_the_strong_ones_always() -> None:
    assert set(lessons.STRONG) | set(lessons.EFFORT) == set(HEADS)
    assert not set(lessons.STRONG) & set(lessons.EFFORT)
    assert all(0 < share < 1 for share in lessons.EFFORT.values())


def test_a_lesson_of_some_looks_takes_these_always_and_the_others_seldom() -> None:
    lesson = lesson_of(["clay", "ink"])
    assert set(HEADS) - set(lesson.effort) == {"clay", "ink"}
    assert all(0 < share < 0.1 for share in lesson.effort.values())
    assert sum(lesson.shares.values()) == 1


def test_flat_parts_of_the_target_are_where_unrest_counts() -> None:
    flat = torch.zeros(1, 3, 32, 32)
    noise = 0.05 * torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    drawn_target = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(1)) * 2 - 1
    assert unrest(flat, flat) == 0
    assert unrest(flat + noise, flat) > 20 * unrest(drawn_target + noise, drawn_target)
    assert unrest(flat + 0.3, flat) < 1e-6, "a wash of another colour is calm"


def test_the_factors_of_a_change_give_it_back() -> None:
    """Of full rank all of it, of a lower one the nearest there is: numpy's truncated decomposition."""
    for shape in ((6, 4, 3, 3), (5, 7)):
        change = torch.randn(shape, generator=torch.Generator().manual_seed(2))
        torch.testing.assert_close(low_rank(*factors(change, 64), change.shape), change, atol=1e-5, rtol=1e-4)
        left, values, right = np.linalg.svd(change.flatten(1).numpy(), full_matrices=False)
        nearest = torch.from_numpy((left[:, :2] * values[:2]) @ right[:2]).view(shape)
        torch.testing.assert_close(low_rank(*factors(change, 2), change.shape), nearest, atol=1e-5, rtol=1e-4)


def test_a_change_that_is_written_leads_to_what_was_learnt(tmp_path: Path) -> None:
    own, learnt = (Networks.new(widths=(8, 16, 16), norm_groups=4).unet for _ in range(2))
    tier = DistilledWeights(folder=tmp_path / "drawn", schedules=WAYS, guidance=1.0, unet="its own", looks=("clay",))
    size = write_drawn(tier, own, dict(learnt.state_dict()), rank=512)
    assert size == tier.weights.stat().st_size
    assert read_distilled(tier.folder) == tier
    change = read_lora(tier.weights, own)
    with change.merged(own):
        for name, value in learnt.named_parameters():
            if name.endswith(".weight") and value.ndim >= 2:
                torch.testing.assert_close(own.get_parameter(name), value, atol=2e-3, rtol=2e-3)


def test_a_run_begins_with_the_unet_and_the_critic_of_another(tmp_path: Path) -> None:
    other, mine = players(), players()
    before = {name: value.clone() for name, value in mine.networks.tile.state_dict().items()}
    other.texture.fill_(0.5)
    optimizer = torch.optim.AdamW(other.parameters())
    ema = {name: value + 1 if value.is_floating_point() else value for name, value in other.state_dict().items()}
    save_state(tmp_path, modules=other, ema=ema, optimizer=optimizer, facts={"step": 1})
    begin_with(mine, tmp_path)
    for name, value in other.networks.unet.state_dict().items():
        torch.testing.assert_close(mine.networks.unet.state_dict()[name], value + 1)
    torch.testing.assert_close(mine.critic.state_dict(), other.critic.state_dict())
    torch.testing.assert_close(mine.texture, other.texture)
    torch.testing.assert_close(mine.networks.tile.state_dict(), before)
    with pytest.raises(MisfitError, match="no saved state"):
        begin_with(mine, tmp_path / "nowhere")


def test_a_held_critic_passes_gradients_on_and_takes_none() -> None:
    critic = Critic(2, width=4)
    picture = pictures().requires_grad_()
    score, _ = critic.held()(picture, pictures(seed=1), torch.tensor([0, 1]))
    score.mean().backward()
    assert picture.grad is not None
    assert picture.grad.abs().sum() > 0
    assert all(p.grad is None for p in critic.parameters())


def test_the_penalty_of_a_linear_critic_is_the_squared_length_of_its_weights() -> None:
    weights = torch.randn(3, 4, 4)

    def judge(
        picture: torch.Tensor, source: torch.Tensor, look: torch.Tensor
    ) -> tuple[torch.Tensor, list[torch.Tensor]]:
        blocks = picture.unfold(2, 4, 4).unfold(3, 4, 4)  # (N, 3, h, w, 4, 4): patches that do not overlap
        return torch.einsum("nchwyx,cyx->nhw", blocks, weights), []

    found = gradient_penalty(judge, pictures(size=16), pictures(size=16), torch.zeros(2))
    assert float(found) == pytest.approx(float(weights.square().sum()), rel=1e-5)


def test_hinge_is_zero_where_both_are_told_apart_by_more_than_its_margin() -> None:
    assert float(hinge(torch.tensor([1.5]), torch.tensor([-1.5]))) == 0
    assert float(hinge(torch.tensor([-1.0]), torch.tensor([1.0]))) == 4


def test_neither_players_error_reaches_the_others_weights() -> None:
    who = players()
    layer = nn.Conv2d(3, 3, 3, padding=1)
    made = layer(pictures(seed=3))
    judged = critic_loss(who.critic, drawn(made), penalised=True)
    judged.backward(retain_graph=True)
    assert layer.weight.grad is None
    assert any(p.grad is not None for p in who.critic.parameters())
    who.critic.zero_grad(set_to_none=True)
    total, _ = maker_loss(who, drawn(made))
    total.backward()
    assert layer.weight.grad is not None
    assert all(p.grad is None for p in who.critic.parameters())


def test_the_texture_of_the_target_is_nearer_than_the_photographs_and_that_is_one() -> None:
    case = drawn(pictures(seed=5))
    of_photograph = texture_ratio(drawn(case.source), torch.Generator().manual_seed(0))
    of_target = texture_ratio(drawn(case.target), torch.Generator().manual_seed(0))
    torch.testing.assert_close(of_photograph, torch.ones(2))
    assert (of_target < of_photograph).all()
    louder = texture_ratio(drawn(case.target * 6), torch.Generator().manual_seed(0))
    assert (louder > 1).all(), "strokes that are too strong are farther than the photograph"


def test_a_look_that_runs_away_weighs_less_and_the_others_as_before() -> None:
    who = players()
    look = torch.tensor([3])
    for _ in range(60):
        who.remember(look, torch.tensor([2.0]))
    assert float(who.weight_of(look)) == pytest.approx(0.25, rel=0.05)
    assert float(who.weight_of(torch.tensor([4]))) == 1
    for _ in range(200):
        who.remember(look, torch.tensor([9.0]))
    assert float(who.weight_of(look)) == pytest.approx(LEAST)


def test_a_medium_draws_before_what_lights_and_tones() -> None:
    looks = tuple(look_named(name) for name in ("noir", "night", "oil painting"))
    assert Outfit(looks=looks).drawn.name == "oil painting"
    assert Outfit(looks=looks[:2]).drawn.name == "night"
    assert set(HEADS) == {look.name for look in LOOKS}


def small_pairs(number: int, **_: object) -> Batch:
    rng = np.random.default_rng(number)
    return {
        "source": rng.integers(0, 256, (3, 3, 64, 64), np.uint8),
        "target": rng.integers(0, 256, (3, 3, 64, 64), np.uint8),
        "prompt": np.array(["comic", "bronze", "comic"]),
        "look": np.array(["comic", "bronze", "comic"]),
        "motion": np.eye(2, 3, dtype=np.float32)[None],
    }


def run(folder: Path, *, steps: int) -> dict[str, torch.Tensor]:
    torch.manual_seed(1)
    who, vae = players(), new_autoencoder(channels=8)
    start = adversarial_loss(who, vae, packs=folder, seed=0, workers=0)
    options = LoopOptions(minutes=9, steps=steps, warmup=1, rate=1e-3, log_every=1, faster={"critic": 2.0})
    words = {name: value.clone() for name, value in who.networks.text_encoder.state_dict().items()}
    rows = list(run_loop(who, start, folder=folder, options=options))
    assert all(np.isfinite(row["loss"]) for row in rows)
    after = who.networks.text_encoder.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in words.items()), "words stay what they mean"
    return {name: value.clone() for name, value in who.state_dict().items()}


def test_a_run_learns_with_every_player_and_a_resumed_one_ends_as_one_that_was_not_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adversarial, "make_pairs", small_pairs)
    begun = {name: value.clone() for name, value in _fresh().items()}
    # The rate falls over the steps asked for, so both runs are asked for the same in the end.
    monkeypatch.setattr("trainer.loop.learning_rate", steady_rate)
    whole = run(tmp_path / "whole", steps=4)
    run(tmp_path / "parts", steps=2)
    parts = run(tmp_path / "parts", steps=4)
    for name, value in whole.items():
        torch.testing.assert_close(parts[name], value, msg=name)
    for part in ("networks.unet", "networks.tile", "networks.soft_edge", "critic"):
        changed = [n for n in whole if n.startswith(part) and not torch.equal(whole[n], begun[n])]
        assert changed, f"{part} learnt nothing"
    assert not torch.equal(whole["texture"], begun["texture"])


def steady_rate(options: LoopOptions, **_: float) -> float:
    return options.rate


def _fresh() -> dict[str, torch.Tensor]:
    torch.manual_seed(1)
    return players().state_dict()


@pytest.mark.parametrize(("quality", "most"), [("draft", 5), ("standard", 6)])
def test_renders_are_walked_with_as_many_evaluations_as_they_may_cost(quality: str, most: int) -> None:
    way = course_of(WAYS[quality], new_scheduler().config)
    evaluated: list[float] = []

    def denoise(x: torch.Tensor, step: Step) -> torch.Tensor:
        evaluated.append(step.level)
        return torch.zeros_like(x)

    climbed(denoise, torch.zeros(1, 4, 8, 8), way.up, leaping=way.leaps)
    assert len(evaluated) + len(way.coarse.steps) == most


def test_a_run_of_some_looks_is_not_gone_on_with_as_one_of_others(tmp_path: Path) -> None:
    import adversarial as script
    from trainer.starting import KEY

    packs, work, weights = tmp_path / "packs", tmp_path / "work", tmp_path / "weights"
    for folder in (packs, work, weights):
        folder.mkdir()
    (packs / "photos.json").write_text("{}", "utf-8")
    facts = {"step": 1, KEY: str(weights.resolve()), script.TAUGHT: "clay, ink"}
    (work / "state.json").write_text(json.dumps({"tensors": "none", "facts": facts}), "utf-8")
    for looks in (["clay"], None):
        asked = argparse.Namespace(packs=packs, work=work, weights=weights, looks=looks)
        with pytest.raises(MisfitError, match="other looks"):
            script.run(asked, torch.device("cpu"))
