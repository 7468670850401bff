"""The ablation: variants that differ where they say, and a table that goes on."""

# The example is a script with its package beside it, on no checker's path.
# pyright: reportMissingImports=false

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip("skimage", reason="training needs the extra: pip install 'vedit[train]'")
pytest.importorskip("scipy", reason="training needs the extra: pip install 'vedit[train]'")

EXAMPLES = Path(__file__).parents[2] / "examples"
for folder in ("bench_embedded", "train_embedded"):
    if str(EXAMPLES / folder) not in sys.path:
        sys.path.insert(0, str(EXAMPLES / folder))

import ablate  # noqa: E402
from trainer import ablation, crops, styled  # noqa: E402
from trainer.ablation import networks_of, pack_looks  # noqa: E402
from trainer.autoencoder import patch_statistics, start_from_pca  # noqa: E402
from trainer.diffusion import FLICKER, diffusion_loss, predict  # noqa: E402
from trainer.form import new_autoencoder  # noqa: E402
from trainer.objectives import (  # noqa: E402
    HALF_MIN_SNR,
    OBJECTIVES,
    Objective,
    objective_named,
)
from trainer.pairs import make_pairs  # noqa: E402
from trainer.photos import find_photos, read_photo  # noqa: E402
from trainer.prompts import Outfit  # noqa: E402
from trainer.shards import open_shard, write_shard  # noqa: E402
from trainer.variants import BASE, VARIANTS, Settings  # noqa: E402


def draws(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("latents", [4, 8, 32])
def test_the_autoencoder_starts_as_as_many_components(latents: int, packs: Path) -> None:
    """The code is the scaled components of each cell, whatever their number."""
    torch.manual_seed(0)
    vae = new_autoencoder(latents=latents)
    mean, components, deviations = patch_statistics(
        open_shard(packs / "photos.bin"), seed=0, count=600, latents=latents
    )
    assert components.shape == (latents, 192)
    last = [m for m in vae.encoder.layers if isinstance(m, torch.nn.Conv2d)][-1]
    with torch.no_grad():
        start_from_pca(vae, mean, components, deviations)
        last.weight[:, 2 * latents :] = 0
        # Without the nonlinear paths beside them.
        for block in (m for m in vae.modules() if type(m).__name__ == "AutoencoderTinyBlock"):
            block.conv[-1].weight.zero_()  # type: ignore[union-attr, operator]
        pixels = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(3))
        code = vae.encoder(pixels * 2 - 1)[0, :, 0, 0]
    patch = pixels[0].permute(1, 2, 0).reshape(2, 2, 2, 2, 2, 2, 3).permute(0, 3, 1, 4, 2, 5, 6).flatten()
    assert np.corrcoef(code.numpy(), (components @ (patch - mean) / deviations**0.8).numpy())[0, 1] > 0.999


def test_each_variant_differs_in_one_choice() -> None:
    by_name = {variant.name: variant for variant in VARIANTS}
    assert len(by_name) == len(VARIANTS)
    for variant in VARIANTS:
        if variant.name != BASE:
            other = by_name[variant.beside]
            varied = [
                name
                for name in ("seed", "latents", "widths", "drop_words", "drop_control", "flicker", "objective")
                if getattr(variant, name) != getattr(other, name)
            ]
            assert len(varied) == 1, (variant.name, varied)
    assert {v.objective for v in VARIANTS} == set(OBJECTIVES)


def settings(**changes: object) -> Settings:
    defaults = {
        "steps": 2, "autoencoder_steps": 2, "widths": (32, 32, 32), "crop": 32, "batch": 3, "looks": ("night", "comic"),
        "pictures": 12, "rate": 1e-3, "photos": 1, "side": 64, "sampling_steps": 2, "guidance": 2.0,
    }  # fmt: skip
    return Settings(**{**defaults, **changes})  # pyright: ignore[reportArgumentType]


def test_widths_variants_have_as_many_parameters_as_the_base() -> None:
    real = settings(widths=(32, 64, 96))
    by_name = {v.name: networks_of(v, real) for v in VARIANTS if v.name == BASE or v.group == "widths"}
    assert len(by_name) == 3
    counts = {name: sum(p.numel() for p in net.parameters()) for name, net in by_name.items()}
    assert all(abs(count / counts[BASE] - 1) < 0.05 for count in counts.values()), counts
    x, words, at = draws(1, 16, 4, 4), draws(1, 32, 128), torch.tensor([500])
    controls = (torch.rand(1, 3, 32, 32), torch.rand(1, 3, 32, 32))
    for net in by_name.values():
        with torch.no_grad():
            heard, silent = (
                predict(net, x, at, words, controls, weight * torch.ones(2, 1, 1, 1, 1)) for weight in (1.0, 0.0)
            )
        assert not torch.allclose(heard, silent, atol=1e-3)


@pytest.fixture
def packs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three synthetic photographs under the looks of `settings`, plain, and in pairs; one of them is held out."""
    import cv2

    photos = tmp_path / "photos"
    photos.mkdir()
    y, x = np.mgrid[0:264, 0:264] / 32
    entries: list[dict[str, str]] = []
    for seed in range(4):
        planes = [np.sin(x * (1 + seed / 5) + p) * np.cos(y + p * seed) for p in (0.3, 1.1, 2.3)]
        cv2.imwrite(str(photos / f"{seed}.png"), np.round(127 + 120 * np.stack(planes, 2)).astype(np.uint8))
        entries.append({"file": f"{seed}.png", "split": "eval" if seed == 3 else "train"})
    (photos / "manifest.json").write_text(json.dumps({"files": entries}), encoding="utf-8")
    folder = tmp_path / "packs"
    found = find_photos(photos)
    write_shard(
        folder / "photos.bin", ((read_photo(p.path)[:64, :96], {"file": p.path.name, "weight": 1.0}) for p in found)
    )
    worn = [("night",), ("comic",), ("photograph",), ("comic", "night")] * 3
    drawn = iter([Outfit.of_note({"looks": names, "strength": None, "palette": None}) for names in worn])

    def next_outfit(_rng: np.random.Generator) -> Outfit:
        return next(drawn)

    monkeypatch.setattr(styled, "draw_outfit", next_outfit)
    monkeypatch.setattr(styled, "PER_SHARD", 12)
    styled._make_shard(0, packs=folder, seed=0)  # pyright: ignore[reportPrivateUsage]
    monkeypatch.setattr(crops, "SIZES", ((32, 2),))
    monkeypatch.setattr(ablation, "patch_statistics", partial(patch_statistics, count=600))
    return folder


def test_only_single_looks_are_learnt_from(packs: Path, tmp_path: Path) -> None:
    out = tmp_path / "some"
    assert pack_looks(packs, out, ("comic",), count=200) == 6
    shard = open_shard(out / "styled" / "00000.bin")
    assert sorted(str(shard.note(i)["looks"]) for i in range(6)) == ["['comic']"] * 3 + ["['photograph']"] * 3
    whole = open_shard(packs / "styled" / "00000.bin")
    assert np.array_equal(shard[0], whole[1])
    with pytest.raises(ValueError, match="no picture of 'gold' alone"):
        pack_looks(packs, out, ("comic", "gold"), count=200)


def test_batches_are_drawn_as_a_variant_says(packs: Path) -> None:
    told, silent = (
        make_pairs(4, seed=1, packs=packs, sizes=((32, 64, 5),), drop_words=(share, share)) for share in (0.0, 1.0)
    )
    assert told["source"].shape == silent["target"].shape == (5, 3, 32, 64)
    assert set(silent["prompt"]) == {""}
    assert any(told["prompt"])


def test_pictures_are_taken_as_often_as_their_look_is_worth(packs: Path) -> None:
    sizes = ((32, 64, 40),)
    without = make_pairs(4, seed=1, packs=packs, sizes=sizes)
    assert set(without["look"]) == {"comic", "night", "photograph"}
    none = make_pairs(4, seed=1, packs=packs, sizes=sizes, effort={"night": 0.0, "photograph": 0.0})
    assert set(none["look"]) == {"comic"}
    fewer = make_pairs(4, seed=1, packs=packs, sizes=sizes, effort={"comic": 0.1})
    assert 0 < sum(fewer["look"] == "comic") < sum(without["look"] == "comic")


def test_the_loss_is_what_a_variant_says(packs: Path) -> None:
    """Levels that weigh nothing and twins that weigh nothing leave nothing; either of them alone is a loss."""
    torch.manual_seed(0)
    networks, vae = networks_of(VARIANTS[0], settings()), new_autoencoder(channels=16)
    plain = objective_named("v")
    weightless = replace(plain, weight=torch.zeros(1000))

    def loss(objective: Objective | None, flicker: float) -> float:
        pairs = partial(make_pairs, sizes=((32, 32, 3),))
        start = diffusion_loss(
            networks, vae, packs=packs, seed=0, workers=0, pairs=pairs, objective=objective, flicker_weight=flicker
        )
        return float(start(0)(0)[0].detach())

    levels, twins = loss(plain, 0.0), loss(weightless, FLICKER)
    assert loss(weightless, 0.0) == 0
    assert min(levels, twins) > 1e-6
    assert loss(plain, FLICKER) == pytest.approx(levels + twins, rel=0.02)
    usual = loss(None, FLICKER)
    assert usual == loss(objective_named(HALF_MIN_SNR), FLICKER), "what train.py trains on"
    assert usual != loss(plain, FLICKER)


Command = Callable[..., dict[str, object]]


@pytest.fixture
def command(packs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Runs the program at the smallest size; returns its JSON."""

    def run(*more: str, steps: int = 2) -> dict[str, object]:
        out = tmp_path / "table"
        given = (
            f"ablate.py --photos {tmp_path / 'photos'} --packs {packs} --out {out} --steps {steps} "
            "--autoencoder-steps 2 --widths 32 32 32 --crop 32 --batch 3 --looks night comic --pictures 12 "
            "--held-out 1 --side 64 --sampling-steps 2"
        ).split()
        monkeypatch.setattr(sys, "argv", [*given, *more])
        ablate.main()
        return json.loads((out / "ablation.json").read_text(encoding="utf-8"))

    return run


def test_two_variants_give_a_table_that_goes_on(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    first = command("--only", "base")
    trained: list[str] = []
    real = ablate.train_variant

    def watched(variant: ablate.Variant, *rest: object, **more: object) -> object:
        trained.append(variant.name)
        return real(variant, *rest, **more)  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr(ablate, "train_variant", watched)
    both = command("--only", "base", "flow matching")
    assert trained == ["flow matching"]
    rows: dict[str, dict[str, dict[str, float]]] = both["rows"]  # pyright: ignore[reportAssignmentType]
    assert list(rows) == ["base", "flow matching"]
    assert rows["base"] == first["rows"]["base"]  # pyright: ignore[reportIndexIssue]
    for row in rows.values():
        assert set(row["figures"]) == set(ablate.COLUMNS)
        assert all(np.isfinite(value) for value in row["figures"].values())
    assert rows["base"]["figures"]["psnr"] != rows["flow matching"]["figures"]["psnr"]
    untouched: dict[str, float] = both["untouched"]  # pyright: ignore[reportAssignmentType]
    assert untouched["colour"] == 1
    # Where the motion is followed, exposures of a moving scene differ by the sensor's noise alone.
    assert 1 < untouched["twins"] < 4
    text = (tmp_path / "table" / "ablation.md").read_text(encoding="utf-8")
    assert "steps 2, autoencoder_steps 2, widths 32/32/32" in text
    assert f"| base | base | {rows['base']['figures']['psnr']:.2f} |" in text
    assert text.strip() in capsys.readouterr().out
    with pytest.raises(SystemExit) as stopped:
        command("--only", "base", steps=3)
    assert stopped.value.code == 2
    assert "other settings (steps 2, not 3)" in capsys.readouterr().err


def test_bold_is_what_exceeds_the_seeds() -> None:
    def row(psnr: float) -> dict[str, object]:
        # The autoencoder is the same for all seeds, so that nothing says how much it would differ.
        code = 21.0 if psnr == 20.4 else 22.0
        return {"figures": {"psnr": psnr, "code": code}, "parameters_m": 1.0, "trained_s": 1.0, "measured_s": 1.0}

    names = {"base": 20.0, "base, seed 1": 20.5, "8 channels": 20.4, "4 channels": 19.0, "no flicker term": 22.0}
    rows = {name: row(psnr) for name, psnr in names.items()} | {"epsilon": row(21.6), "flow matching": row(23.0)}
    lines = ablate.markdown({"settings": {}, "rows": rows}).splitlines()
    shown = {name: next(line for line in lines if f"| {name}" in line) for name in rows}
    marked = {name for name, line in shown.items() if "**" in line}
    assert marked == {"4 channels", "no flicker term", "flow matching"}, "the objectives are held beside no flicker"
    assert "| 0.50 |" in next(line for line in lines if "seeds" in line and line.startswith("|"))


@pytest.mark.parametrize(
    ("more", "fault"),
    [
        (("--only", "nonesuch"), "no variant 'nonesuch'"),
        (("--looks", "nonesuch"), "no look 'nonesuch'"),
        (("--crop", "40"), "multiples of 32"),
        (("--packs", "nowhere"), "no packed pictures in nowhere"),
    ],
)
def test_what_cannot_be_run_is_said_in_one_line(
    command: Command, more: tuple[str, ...], fault: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        command(*more)
    assert stopped.value.code == 2
    assert fault in capsys.readouterr().err
