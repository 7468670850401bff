"""Few-step distillation: that a change of low rank learns its target, and what comes out of it."""

# The example is a script with its package beside it, on no checker's path.
# pyright: reportMissingImports=false

import copy
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from tests.support.finished_model import CPU, DRAFT, SCHEDULES, small_pairs, write_finished  # isort: skip

import distill as program
from trainer import distillation
from trainer.batches import Batch
from trainer.export import Networks, export
from trainer.form import new_autoencoder
from trainer.lora import Changes
from trainer.teacher import Teacher

from vedit.errors import ModelError
from vedit.models.distilled import DistilledWeights, Schedule, unet_digest
from vedit.models.load import load_sd
from vedit.models.lora import read_lora, write_lora
from vedit.models.resolve import resolve


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_finished(tmp_path_factory.mktemp("finished") / "model")


@pytest.fixture(autouse=True)
def without_packs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distillation, "make_pairs", small_pairs)


def test_a_new_change_is_none_and_a_trained_one_is_what_is_written(folder: Path, tmp_path: Path) -> None:
    unet = load_sd(resolve(str(folder))).denoiser.unet
    student = copy.deepcopy(unet)
    layers = sum(isinstance(m, torch.nn.Conv2d | torch.nn.Linear) for m in unet.modules())
    changes = Changes(student, rank=2)
    assert len(changes.names) == layers > 50
    assert {id(p) for p in student.parameters() if p.requires_grad} == {id(p) for p in changes.parameters()}
    x, words = torch.randn(2, 16, 4, 4), torch.randn(2, 32, 128)
    with torch.no_grad():
        torch.testing.assert_close(student(x, 401, words, return_dict=False), unet(x, 401, words, return_dict=False))
        for parameter in changes.parameters():
            parameter.add_(0.05 * torch.randn(parameter.shape))
        changed = student(x, 401, words, return_dict=False)[0]
        assert not torch.allclose(changed, unet(x, 401, words, return_dict=False)[0], atol=0.05)
        file = tmp_path / "pytorch_lora_weights.safetensors"
        assert write_lora(file, changes.pairs(changes.state_dict())) == file.stat().st_size
        with read_lora(file, unet).merged(unet):
            merged = unet(x, 401, words, return_dict=False)[0]
    torch.testing.assert_close(merged, changed, rtol=0.01, atol=0.01)  # through float16


def settings(folder: Path, out: Path, work: Path, **changes: Any) -> Any:
    defaults = {
        "weights": folder, "out": out, "work": work, "packs": Path(), "minutes": 60.0, "steps": 4, "seed": 0,
        "workers": 0, "rank": 2, "rate": 1e-3, "span": 180, "inverted": 0.5,
    }  # fmt: skip
    return SimpleNamespace(**{**defaults, **changes})


def tier_of(args: Any, **changes: Any) -> DistilledWeights:
    given: dict[str, Any] = {"schedules": SCHEDULES, "guidance": 2.0, **changes}
    return DistilledWeights(folder=args.out, unet=unet_digest(args.weights), **given)


def distilled(args: Any, **changes: Any) -> dict[str, torch.Tensor]:
    tier = tier_of(args, **changes)
    list(program.distil(args, tier, CPU))
    return load_file(tier.weights)


def test_a_stopped_run_goes_on_as_if_it_had_not_been(folder: Path, tmp_path: Path) -> None:
    """And what it writes is a fast tier that the model is loaded with."""
    whole = distilled(settings(folder, tmp_path / "a", tmp_path / "work_a"))
    halves = settings(folder, tmp_path / "b", tmp_path / "work_b")
    tier = tier_of(halves)
    with pytest.MonkeyPatch.context() as patch:
        stopped_after(patch, 2)
        with pytest.raises(KeyboardInterrupt):
            list(program.distil(halves, tier, CPU))
    again = distilled(halves)
    assert whole.keys() == again.keys()
    assert any(value.abs().max() > 0 for name, value in whole.items() if "lora_B" in name)
    for name, value in whole.items():
        assert torch.equal(value, again[name]), name


def stopped_after(patch: pytest.MonkeyPatch, steps: int) -> None:
    """Let the loop save after every step, and fall over after some."""
    options, loss_of = program.LoopOptions, program.distillation_loss

    def falling(*args: Any, **kwargs: Any) -> Any:
        start = loss_of(*args, **kwargs)

        def begin(first: int) -> Any:
            loss = start(first)

            def one(step: int) -> Any:
                if step == steps:
                    raise KeyboardInterrupt
                return loss(step)

            return one

        return begin

    def saving(**given: Any) -> Any:
        given["save_every_s"] = 0.0
        return options(**given)

    patch.setattr(program, "LoopOptions", saving)
    patch.setattr(program, "distillation_loss", falling)


def test_steps_on_one_batch_lower_its_loss(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def one_batch(_number: int, *, seed: int, packs: Path) -> Batch:
        return small_pairs(0, seed=seed, packs=packs)

    monkeypatch.setattr(distillation, "make_pairs", one_batch)
    torch.manual_seed(0)
    model = load_sd(resolve(str(folder)), controls=("tile", "softedge"))
    teacher = Teacher(model, guidance=4.0, device=CPU)
    student = copy.deepcopy(teacher.unet)
    changes = Changes(student, rank=4)
    optimizer = torch.optim.Adam(changes.parameters(), lr=3e-3)
    one_step = {"draft": Schedule(sampling=(751,), inversion=(1,))}
    tier = DistilledWeights(folder=Path(), schedules=one_step, guidance=4.0, unet="of the teacher")
    start = distillation.distillation_loss(
        teacher, student, tier, span=375, inverted=1.0, packs=Path(), seed=0, workers=0
    )
    loss, losses = start(0), list[float]()
    for _ in range(8):
        # At number 0 each time: the same noise and controls.
        found, _ = loss(0)
        optimizer.zero_grad()
        found.backward()
        optimizer.step()
        losses.append(found.item())
    assert losses[-1] < 0.7 * losses[0], losses


def test_the_tier_that_comes_out_is_found_and_fits(folder: Path, tmp_path: Path) -> None:
    model = tmp_path / "model"
    shutil.copytree(folder, model)
    distilled(settings(model, model / "fast", tmp_path / "work", steps=1))
    (tier,) = resolve(str(model)).distilled
    assert (tier.schedules, tier.guidance) == (SCHEDULES, 2.0)
    assert load_sd(resolve(str(model))).fast
    # Other weights under the same name: the tier goes as they come, or is refused and made again.
    torch.manual_seed(4)
    export(new_autoencoder(channels=16), Networks.new(widths=(16, 16, 32), norm_groups=8), model)
    assert not (model / "fast").exists()
    assert not load_sd(resolve(str(model))).fast
    shutil.copytree(folder, model, dirs_exist_ok=True)
    distilled(settings(model, model / "fast", tmp_path / "again", steps=1))
    export(new_autoencoder(channels=16), Networks.new(widths=(16, 16, 32), norm_groups=8), tmp_path / "other")
    shutil.copytree(tmp_path / "other" / "unet", model / "unet", dirs_exist_ok=True)
    with pytest.raises(ModelError, match="another UNet"):
        load_sd(resolve(str(model)))
    distilled(settings(model, model / "fast", tmp_path / "third", steps=1))
    assert load_sd(resolve(str(model))).fast


def test_a_state_of_another_teacher_or_of_other_settings_is_refused(folder: Path, tmp_path: Path) -> None:
    args = settings(folder, tmp_path / "a", tmp_path / "work", steps=1)
    distilled(args)
    written = {path.name: path.read_bytes() for path in args.out.iterdir()}
    other = tmp_path / "other"
    export(new_autoencoder(channels=16), Networks.new(widths=(16, 16, 32), norm_groups=8), other)
    for name, changed, changes in (
        ("teacher", {"weights": other}, {}),
        ("schedules", {}, {"schedules": {"draft": DRAFT}}),
        ("schedules", {}, {"schedules": SCHEDULES | {"draft": replace(DRAFT, inversion=(301, 1))}}),
        ("guidance", {}, {"guidance": 3.0}),
        ("rank", {"rank": 3}, {}),
        ("span", {"span": 100}, {}),
        ("inverted", {"inverted": 0.25}, {}),
    ):
        with pytest.raises(SystemExit, match=f"another {name}: remove it or give another --work$"):
            distilled(SimpleNamespace(**{**vars(args), "steps": 2, **changed}), **changes)
    assert {path.name: path.read_bytes() for path in args.out.iterdir()} == written
    distilled(SimpleNamespace(**{**vars(args), "steps": 2}))
    assert {path.name: path.read_bytes() for path in args.out.iterdir()} != written


def test_a_quality_without_steps_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def asked(*words: str) -> dict[str, Schedule]:
        monkeypatch.setattr(sys, "argv", ["distil.py", "--weights", "model", "--minutes", "1", *words])
        return program.schedules_of(program.arguments())

    assert asked() == program.SCHEDULES
    assert asked("--standard") == {"draft": program.SCHEDULES["draft"]}
    other = asked("--draft", "--standard", "801", "401", "--standard-inversion", "301")
    assert other == {"standard": Schedule(sampling=(801, 401), inversion=(301,), fixed_point=2)}


def test_no_wrong_pair_is_ever_live(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """New settings with the weights of before, or the other way round, would be noise at full quality."""
    out = tmp_path / "a"
    distilled(settings(folder, out, tmp_path / "work_a", steps=1))
    before = (out / "fast.json").read_text("utf-8")
    found: list[bool] = []

    def writing(*args: Any) -> int:
        found.append((out / "fast.json").exists())
        return write_lora(*args)

    monkeypatch.setattr(program, "write_lora", writing)
    distilled(
        settings(folder, out, tmp_path / "work_b", steps=1),
        schedules={"draft": Schedule(sampling=(801, 401), inversion=(1,))},
    )
    assert (out / "fast.json").read_text("utf-8") != before
    distilled(
        settings(folder, out, tmp_path / "work_c", steps=1),
        schedules={"draft": Schedule(sampling=(801, 401), inversion=(1,))},
    )
    assert found == [False, True]


def test_what_is_too_large_or_makes_no_sense_is_refused_before_training(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, work = tmp_path / "a", tmp_path / "work"
    distilled(settings(folder, out, tmp_path / "before", steps=1))
    written = {path.name: path.read_bytes() for path in out.iterdir()}
    with pytest.raises(SystemExit, match="cannot be distilled: timesteps must fall"):
        distilled(settings(folder, out, work), schedules={"draft": replace(DRAFT, sampling=(1200, 401))})
    monkeypatch.setattr(program, "LIMIT_BYTES", 1000)
    with pytest.raises(SystemExit, match="lower --rank"):
        distilled(settings(folder, out, work))
    words = ["distil.py", "--weights", str(folder), "--out", str(out), "--work", str(work), "--minutes", "1"]
    monkeypatch.setattr(sys, "argv", [*words, "--draft", "401", "751"])
    with pytest.raises(SystemExit, match="noisiest first"):
        program.main()
    assert not work.exists()
    assert {path.name: path.read_bytes() for path in out.iterdir()} == written
