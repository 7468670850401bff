"""Few-step models: how their way of sampling is told, what a look leaves to it, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from vedit.errors import InputError, ModelError, SettingError
from vedit.models.family import Traits
from vedit.models.recipes import by_recipe
from vedit.models.regimes import acting, least_strength, regime_of_lora, regime_of_model
from vedit.models.resolve import resolve
from vedit.options.controls import parse_control
from vedit.options.loras import LoraSpec
from vedit.options.masks import parse_mask_spec
from vedit.options.request import QUALITIES, RestyleOptions
from vedit.pipelines.restyle_pipeline import PIPELINE
from vedit.pipelines.seeds import draws
from vedit.registry.regimes import regime_names, regime_of_name, regimes
from vedit.render.evaluations import ordinary_evaluations
from vedit.render.notes import few_step_notes
from vedit.render.parts import check_few_steps
from vedit.testing.tiny_sd import write_tiny_sd


def written(folder: Path, *, unet: dict[str, Any] | None = None, **scheduler: Any) -> Path:
    """A folder's configs, as much of them as tells a regime."""
    for part, said in (("unet", unet or {}), ("scheduler", scheduler)):
        (folder / part).mkdir(parents=True)
        (folder / part / f"{'scheduler_' * (part == 'scheduler')}config.json").write_text(json.dumps(said), "utf-8")
    return folder


def of(name: str) -> Traits:
    """A model of that regime."""
    return Traits(
        size_multiple=64,
        minimum_side=128,
        guidance=7.0,
        qualities=QUALITIES,
        takes=frozenset({"regime", "loras"}),
        regime=regimes()[name],
    )


def look(**settings: Any) -> RestyleOptions:
    return RestyleOptions(prompt="night", **settings)


@pytest.mark.parametrize(
    ("name", "regime", "steps"),
    [
        ("lcm-lora-sdv1-5", "lcm", None),
        ("LCM_LoRA_Weights_SD15", "lcm", None),
        ("sdxl_lightning_4step_lora", "lightning", 4),
        ("SDXL-Lightning", "lightning", None),
        ("Hyper-SD15-8steps-lora", "hyper", 8),
        ("Hyper-SDXL-8steps-CFG-lora", "hyper-cfg", 8),
        ("Hyper-SDXL-1step-lora", "hyper-unified", None),
        ("sd-turbo", "turbo", None),
        ("sd_xl_turbo_1.0_fp16", "turbo", None),
        ("TCD-SD15-LoRA", "tcd", None),
        ("dmd2_sdxl_4step_lora_fp16", "dmd2", 4),
        ("AnimateLCM_sd15_t2v_lora", "animatelcm", None),
    ],
)
def test_published_names_tell_a_regime(name: str, regime: str, steps: int | None) -> None:
    found = regime_of_name(name)
    assert found is not None
    assert (found[0].name, found[1]) == (regime, steps)


@pytest.mark.parametrize(
    "name",
    ["lightning_strike_v2", "turbo-car", "hyperrealism-xl", "film-lcmr", "stable-diffusion-v1-5", "model", "sdxl-base"],
)
def test_other_names_tell_none(name: str) -> None:
    assert regime_of_name(name) is None


def test_a_folder_tells_its_regime(tmp_path: Path) -> None:
    euler = {"_class_name": "EulerDiscreteScheduler", "timestep_spacing": "trailing"}
    cases: list[tuple[str | None, dict[str, Any]]] = [
        ("lcm-full", {"unet": {"time_cond_proj_dim": 256}, "_class_name": "DDIMScheduler"}),
        ("lcm", {"_class_name": "LCMScheduler"}),
        ("tcd", {"_class_name": "TCDScheduler"}),
        ("turbo", euler),
        (None, {**euler, "prediction_type": "v_prediction"}),
        (None, {**euler, "rescale_betas_zero_snr": True}),
        (None, {"_class_name": "EulerDiscreteScheduler", "timestep_spacing": "leading"}),
        ("hyper", {"unet": {"_name_or_path": "someone/Hyper-SD15-4steps"}, **euler}),
    ]
    for number, (expected, said) in enumerate(cases):
        found = regime_of_model(written(tmp_path / f"model{number}", **said))
        assert (None if found is None else found.name) == expected
        assert found is None or found.why
    assert regime_of_model(tmp_path / "absent") is None


def test_a_name_of_steps_narrows_them(tmp_path: Path) -> None:
    found = regime_of_model(written(tmp_path / "Hyper-SD15-8steps-merged"))
    assert found is not None
    assert found.steps == (8,)
    assert set(found.presets.values()) == {8}
    assert "Hyper-SD15-8steps-merged" in found.why
    with pytest.raises(ModelError, match="of 1 steps, which vedit does not sample; use one of 2 or 4 or 8 steps"):
        regime_of_model(written(tmp_path / "sdxl_lightning_1step"))


def lora(path: Path, **metadata: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({"lora_unet_x.lora_down.weight": torch.zeros(1, 1)}, path, metadata=metadata)
    return path


def test_a_lora_tells_its_regime_by_file_folder_and_metadata(tmp_path: Path) -> None:
    places = {
        lora(tmp_path / "lcm-lora-sdv1-5.safetensors"): "the name of the LoRA lcm-lora-sdv1-5.safetensors is",
        lora(tmp_path / "a" / "lcm-lora-sdv1-5" / "pytorch_lora_weights.safetensors"): "the folder of the LoRA",
        lora(
            tmp_path / "b" / "fast.safetensors", ss_output_name="my_lcm_lora"
        ): "ss_output_name in the metadata of the LoRA fast",
    }
    for place, said in places.items():
        found = regime_of_lora(place)
        assert found is not None
        assert found.name == "lcm"
        assert said in found.why
    assert regime_of_lora(lora(tmp_path / "ink.safetensors", ss_output_name="ink")) is None
    assert regime_of_lora(tmp_path / "absent.safetensors") is None


def test_a_few_step_lora_decides_how_its_look_is_sampled(tmp_path: Path) -> None:
    lcm = LoraSpec(path=lora(tmp_path / "lcm-lora-sdv1-5.safetensors"))
    hyper = LoraSpec(path=lora(tmp_path / "Hyper-SD15-8steps-lora.safetensors"))
    ink = LoraSpec(path=lora(tmp_path / "ink.safetensors"))
    found = acting(look(loras=(ink, lcm)), None)
    assert found is not None
    assert found.name == "lcm"
    assert acting(look(loras=(ink,)), None) is None
    assert acting(look(loras=(LoraSpec(path=lcm.path, weight=0.0),)), None) is None
    assert acting(look(loras=(lcm,), regime="none"), None) is None
    with pytest.raises(InputError, match=r"are sampled each in a way of its own; leave one of them out"):
        acting(look(loras=(lcm, hyper)), None)
    with pytest.raises(InputError, match="sampled each"):
        acting(look(loras=(hyper,)), regimes()["turbo"])


def test_a_few_step_lora_is_for_all_of_the_picture(tmp_path: Path) -> None:
    masked = LoraSpec(path=lora(tmp_path / "lcm-lora-sdv1-5.safetensors"), mask=parse_mask_spec("box:0%,0%,40%,100%"))
    with pytest.raises(InputError, match="takes few steps in all of the picture, not in a mask alone; leave its mask"):
        acting(look(loras=(masked,)), None)
    assert acting(look(loras=(masked,), regime="none"), None) is None


@pytest.mark.parametrize("steps", range(1, 13))
def test_the_strength_that_a_refusal_names_is_enough_and_no_less_is(steps: int) -> None:
    least = least_strength(steps)
    for name in ("turbo", "lcm"):
        regime = regimes()[name]
        assert regime.taken(steps, least) == 1
        assert regime.taken(steps, least - 0.01) == 0


def test_what_a_look_leaves_open_the_regime_says() -> None:
    turbo = of("turbo")
    settled = turbo.settled(look())
    assert (settled.start, settled.strength) == ("noise", 0.5)
    assert turbo.settled(settled) == settled
    assert (turbo.quality(settled).steps, turbo.scale(settled), turbo.taken(settled)) == (4, 1.0, 2)
    assert ordinary_evaluations(turbo, settled) == 2
    assert (turbo.scale(look(guidance=0)), of("lcm").scale(look(guidance=1.5))) == (1.0, 1.5)
    assert (of("lcm-full").scale(look()), of("lcm-full").taken(of("lcm-full").settled(look()))) == (1.0, 4)
    plain = Traits(size_multiple=64, minimum_side=128, guidance=7.0, qualities=QUALITIES)
    settled = plain.settled(look())
    assert (settled.start, settled.strength, plain.scale(look())) == ("inversion", 1.0, 7.0)
    assert of("turbo").quality(look(short_side=640)).short_side == 640


def test_a_variation_has_the_source_inverted_where_it_can_be() -> None:
    settled = of("turbo").settled(look(variation=0.5))
    assert (settled.start, settled.strength) == ("inversion", 1.0)
    of("turbo").check(look(variation=0.5), model="m")
    with pytest.raises(InputError, match="cannot be inverted, as variation needs; leave variation out"):
        of("lcm").check(look(variation=0.5), model="m")
    # A control that is said to act in the inversion speaks of one too.
    inverting = look(controls=(parse_control("tile:0.5,invert=0.2"),))
    assert of("turbo").settled(inverting).start == "inversion"
    with pytest.raises(InputError, match="cannot be inverted, as a control's invert needs"):
        of("lcm").check(inverting, model="m")


@pytest.mark.parametrize(
    ("name", "settings", "said"),
    [
        ("turbo", {"guidance": 7.0}, "stands no guidance beside its own, not 7"),
        ("lcm", {"guidance": 7.0}, "stands guidance from 1 to 2, not 7"),
        ("lcm-full", {"guidance": 40.0}, "stands guidance from 1 to 15, not 40"),
        ("lcm", {"steps": 30}, "takes 1 to 8 steps, not 30"),
        ("lightning", {"steps": 5}, "takes 2 or 4 or 8 steps, not 5"),
        ("lcm", {"start": "inversion"}, "cannot be inverted, as start inversion needs"),
        ("tcd", {"inversion_steps": 2}, "cannot be inverted, as inversion_steps needs"),
        ("turbo", {"negative_prompt": "grey"}, "in which a negative prompt does nothing"),
        ("lcm-full", {"negative_prompt": "grey", "guidance": 4.0}, "in which a negative prompt does nothing"),
        ("turbo", {"steps": 1}, "strength 0.5 of 1 step is less than one"),
        ("lcm-full", {"regime": "none"}, "takes the guidance as an input, which regime none knows nothing of"),
        ("turbo", {"regime": "lcm-full"}, "does not take the guidance as an input, which regime lcm-full is for"),
    ],
)
def test_what_few_step_models_cannot_do_is_refused(name: str, settings: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError) as error:
        of(name).check(look(**settings), model="m")
    assert said in error.value.message
    assert error.value.remedy


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("turbo", {"guidance": 0}),
        ("turbo", {"steps": 1, "strength": 1.0}),
        ("turbo", {"strength": 0.0}),
        ("turbo", {"start": "inversion"}),
        ("lcm", {"guidance": 1.5, "negative_prompt": "grey"}),
        ("turbo", {"guidance": 7.0, "regime": "none"}),
        ("turbo", {"regime": "lcm", "steps": 8}),
    ],
)
def test_what_they_can_do_is_let_through(name: str, settings: dict[str, Any]) -> None:
    of(name).check(look(**settings), model="m")


def test_a_regime_is_one_that_is_known() -> None:
    with pytest.raises(SettingError, match="regime is 'turbos'"):
        look(regime="turbos")
    assert {"lcm", "lcm-full", "turbo", "lightning", "hyper", "tcd"} <= set(regime_names())
    for one in regimes().values():
        assert set(one.presets) == set(QUALITIES)
        assert set(one.presets.values()) <= set(one.steps)
        assert one.guidances[0] <= one.guidance <= one.guidances[1]


def test_the_page_on_models_lists_every_regime() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "models.md").read_text("utf-8")
    assert all(f"| `{name}` |" in page for name in regime_names())


def test_a_note_says_how_and_why_and_the_seed_acts(tmp_path: Path) -> None:
    folder = write_tiny_sd(tmp_path / "sd-turbo", controls=())
    model = resolve(str(folder))
    settled = model.traits.settled(by_recipe(look(controls=()), model))
    assert draws(settled)
    (note,) = few_step_notes([settled, settled], model)
    assert (
        "since the folder of the model is sd-turbo: 2 of 4 steps from the noised source at strength 0.5, guidance 1"
        in note
    )
    assert few_step_notes([look(regime="none")], model) == ()


def test_a_pipeline_that_samples_all_models_alike_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    model = resolve(str(write_tiny_sd(tmp_path / "sd-turbo", controls=())))
    check_few_steps(look(), model)
    monkeypatch.setattr(PIPELINE.__class__, "few_steps", False)
    check_few_steps(look(regime="none"), model)
    with pytest.raises(InputError, match="the pipeline restyle does not sample a model of adversarial"):
        check_few_steps(look(), model)


@pytest.mark.parametrize(
    ("name", "regime"),
    [
        ("juggernautXL_v9Rdphoto2Lightning", "lightning"),
        ("DreamShaperXL_Turbo_v2", "turbo"),
        ("realistic-LCM", "lcm"),
        ("hyperrealism-xl", None),
        ("enlightning", None),
    ],
)
def test_a_name_that_only_speaks_of_few_steps_is_pointed_out(tmp_path: Path, name: str, regime: str | None) -> None:
    file = lora(tmp_path / f"{name}.safetensors")
    model = resolve(str(write_tiny_sd(tmp_path / "plain", controls=())))
    settled = model.traits.settled(look(loras=(LoraSpec(path=file),), controls=()))
    notes = few_step_notes([settled], model)
    assert [f"add --regime {regime}" in note for note in notes] == ([] if regime is None else [True])
    said = model.traits.settled(look(loras=(LoraSpec(path=file),), controls=(), regime="none"))
    assert few_step_notes([said], model) == ()


def test_a_model_whose_name_only_speaks_of_few_steps_is_pointed_out(tmp_path: Path) -> None:
    model = resolve(str(write_tiny_sd(tmp_path / "photo-turbo", controls=())))
    (note,) = few_step_notes([model.traits.settled(look(controls=()))], model)
    assert "the folder photo-turbo speaks of few steps, and yet it is sampled as any other: add --regime turbo" in note
