"""Every kind of checkpoint: what vedit runs, and what it refuses by its true name before anything is read."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import cast

import pytest
from diffusers.models.controlnets.controlnet import ControlNetModel

from tests.models.checkpoints import REFUSED, file_of, gguf, pipeline_of
from tests.models.layouts import controlnet, prefixed, sd1_checkpoint, sd2_checkpoint, sdxl_checkpoint, write_sparse
from vedit.errors import ModelError
from vedit.models.families.sd_configs import SD1, SD2, SDXL
from vedit.models.identify import identify
from vedit.models.load import load
from vedit.models.resolve import resolve
from vedit.options.request import RenderRequest, RestyleOptions
from vedit.render.run import plan
from vedit.testing.tiny_sd import write_tiny_sd

REQUEST = RestyleOptions(prompt="night")
XL_CONTROLNET = {
    "add_embedding.linear_1.weight": (1280, 2816),
    "controlnet_cond_embedding.conv_in.weight": (16, 3, 3, 3),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_cannot_run_is_refused_by_its_name_before_the_source_is_opened(kind: str, tmp_path: Path) -> None:
    make, said = REFUSED[kind]
    place = make(tmp_path)
    absent = tmp_path / "no such film.mp4"
    with pytest.raises(ModelError) as error:
        plan(RenderRequest(source=absent, options=REQUEST, model=str(place)))
    assert said in str(error.value)
    assert error.value.exit_code == 2
    assert error.value.remedy
    assert "\n" not in str(error.value)


def test_the_page_on_models_says_what_each_kind_is_told() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "models.md").read_text("utf-8")
    rows = dict(line.strip("| ").split(" | ", 1) for line in page.splitlines() if line.startswith("| "))
    for kind, (_, said) in REFUSED.items():
        assert said.partition(";")[0] in rows[kind]


@pytest.mark.parametrize(
    ("shapes", "metadata", "name"),
    [
        (sd1_checkpoint(), {}, "Stable Diffusion 1.x, a single file"),
        (sd2_checkpoint(), {"modelspec.prediction_type": "v"}, "Stable Diffusion 2.x, a single file"),
        (sdxl_checkpoint(), {}, "Stable Diffusion XL, a single file"),
    ],
)
def test_single_files_that_run(tmp_path: Path, shapes: dict, metadata: dict, name: str) -> None:  # pyright: ignore
    file = write_sparse(tmp_path / "model.safetensors", shapes, metadata=metadata)
    assert (identify(file).name, identify(file).runs) == (name, True)
    assert resolve(str(file)).source.base == str(file)


def test_sd2_runs_with_the_scheduler_beside_it(tmp_path: Path) -> None:
    file = write_sparse(tmp_path / "model.safetensors", sd2_checkpoint())
    assert not identify(file).runs
    beside = tmp_path / "model" / "scheduler" / "scheduler_config.json"
    beside.parent.mkdir(parents=True)
    beside.write_text('{"prediction_type": "v_prediction"}', "utf-8")
    assert identify(file).runs


@pytest.mark.parametrize(("family", "name"), [(SD1, "Stable Diffusion 1.x"), (SD2, "Stable Diffusion 2.x")])
def test_folders_that_run(tmp_path: Path, family: dict, name: str) -> None:  # pyright: ignore
    parts = {part: family[part] for part in ("unet", "vae", "text_encoder")}
    folder = pipeline_of("StableDiffusionPipeline", **parts)(tmp_path)
    assert identify(folder).name == f"{name}, a diffusers folder"
    assert identify(folder).runs


@pytest.mark.parametrize(("source", "name"), [("sdxl-base", ""), ("sdxl-turbo", " Turbo")])
def test_folders_of_xl_run_and_are_of_their_own_family(tmp_path: Path, source: str, name: str) -> None:
    parts = {part: SDXL[part] for part in ("unet", "vae", "text_encoder", "text_encoder_2", "scheduler")}
    index = {"_name_or_path": f"stabilityai/{source}"}
    folder = pipeline_of("StableDiffusionXLPipeline", index=index, **parts)(tmp_path)
    assert identify(folder).name == f"Stable Diffusion XL{name}, a diffusers folder"
    assert resolve(str(folder)).family.name == "sdxl"


@pytest.mark.parametrize(("types", "kind"), [(6, "tile"), (8, "shuffle")])
def test_a_controlnet_of_many_kinds_without_the_one_that_is_asked_for(tmp_path: Path, types: int, kind: str) -> None:
    model = write_sparse(tmp_path / "model.safetensors", sdxl_checkpoint())
    union = write_sparse(tmp_path / "union.safetensors", {**XL_CONTROLNET, "task_embedding": (types, 320)})
    assert identify(union).name == "a ControlNet of many kinds in one for Stable Diffusion XL"
    assert resolve(str(model), {"depth": str(union)}).control_kinds == ("depth",)
    with pytest.raises(ModelError, match=f"of many kinds in one, and {kind} is none of them; it reads canny, depth"):
        resolve(str(model), {kind: str(union)})


def test_a_latent_consistency_model_runs(tmp_path: Path) -> None:
    parts = {part: SD1[part] for part in ("unet", "vae", "text_encoder")}
    parts["unet"] = {**parts["unet"], "time_cond_proj_dim": 256}
    found = identify(pipeline_of("LatentConsistencyModelPipeline", **parts)(tmp_path))
    assert (found.name, found.runs) == (
        "a latent consistency model of Stable Diffusion 1.x, a diffusers folder",
        True,
    )


def test_a_tiny_folder_runs_and_the_embedded_model_is_of_the_layout(tmp_path: Path) -> None:
    assert identify(write_tiny_sd(tmp_path)).runs
    found = resolve("embedded").base
    assert found is not None
    assert identify(found).name == "a model of the Stable Diffusion layout, a diffusers folder"


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("LoRA of kohya", "is a LoRA for Stable Diffusion 1.x, kohya layout, not a ControlNet"),
        ("SDXL refiner, folder", "is the refiner of Stable Diffusion XL, a diffusers folder, not a ControlNet"),
        ("IP-Adapter", "is an IP-Adapter for Stable Diffusion 1.x, not a ControlNet"),
        ("motion adapter, folder", "is a motion adapter of AnimateDiff, not a ControlNet"),
        ("Wan, file", "is the transformer of Wan 2.1 text to video 1.3B alone, not a ControlNet"),
        ("ControlNet, file", "is a ControlNet for Stable Diffusion 1.x, and"),
    ],
)
def test_what_is_no_controlnet_for_the_model_is_refused(kind: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    place = REFUSED[kind][0](tmp_path / "x")
    if place.is_dir() and not (place / "config.json").is_file():
        (place / "config.json").write_text("{}", "utf-8")
    model = "embedded"
    with pytest.raises(ModelError) as error:
        resolve(model, {"tile": str(place)})
    assert said in str(error.value)


def test_a_controlnet_of_another_family_is_refused(tmp_path: Path) -> None:
    model = write_sparse(tmp_path / "model.safetensors", sd1_checkpoint())
    second = write_sparse(
        tmp_path / "tile2.safetensors", prefixed("control_model.", controlnet(cross=1024, linear=True))
    )
    with pytest.raises(ModelError, match=r"a ControlNet for Stable Diffusion 2.x, and .* is Stable Diffusion 1.x"):
        resolve(str(model), {"tile": str(second)})
    xl = write_sparse(tmp_path / "xl.safetensors", XL_CONTROLNET)
    with pytest.raises(ModelError, match="a ControlNet for Stable Diffusion XL, and"):
        resolve(str(model), {"tile": str(xl)})


def test_a_controlnet_of_other_widths_is_refused_when_it_is_loaded(tmp_path: Path) -> None:
    folder = write_tiny_sd(tmp_path / "model", controls=())
    other = write_tiny_sd(tmp_path / "other", controls=("tile",)) / "controlnet"
    config = json.loads((other / "config.json").read_text("utf-8"))
    assert load(resolve(str(folder), {"tile": str(other)}), controls=("tile",)).control_kinds == ("tile",)
    wider = ControlNetModel.from_config({**config, "cross_attention_dim": 48})
    cast("ControlNetModel", wider).save_pretrained(other)
    with pytest.raises(ModelError, match=r"the ControlNet for tile has a cross_attention_dim of 48, the UNet of 32"):
        load(resolve(str(folder), {"tile": str(other)}), controls=("tile",))


def test_a_controlnet_in_the_folder_that_nothing_names_is_told(tmp_path: Path) -> None:
    folder = write_tiny_sd(tmp_path / "model")
    assert resolve(str(folder)).notes == ()
    (folder / "controls.json").unlink()
    assert [line for line in resolve(str(folder)).notes if "--controlnet KIND=" in line and "controlnet_1" in line]


def test_sizes_are_of_the_model_itself(tmp_path: Path) -> None:
    file = write_sparse(tmp_path / "model.safetensors", sd1_checkpoint())
    tile = write_sparse(tmp_path / "tile.safetensors", prefixed("control_model.", controlnet()))
    found = resolve(str(file), {"tile": str(tile)}).sizes(("tile",))
    assert found is not None
    assert (found.unet, found.vae, found.controlnets) == (859_520_964, 83_653_863, 361_279_120)
    tiny = write_tiny_sd(tmp_path / "tiny")
    both, one = resolve(str(tiny)).sizes(("tile", "softedge")), resolve(str(tiny)).sizes(("tile",))
    assert both is not None
    assert one is not None
    assert both.unet == one.unet < 1_000_000
    assert both.controlnets == 2 * one.controlnets


def test_nothing_is_known_of_what_is_not_on_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    assert resolve("owner/name").sizes() is None
    named = resolve("sd15").sizes(("tile", "softedge"))
    assert named is not None
    assert named.network == 859_520_964 + 2 * 361_279_120


def test_what_lies_in_the_hubs_cache_is_known_for_what_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    repository = tmp_path / "models--owner--wan"
    snapshot = repository / "snapshots" / "abc"
    pipeline_of("WanPipeline", transformer={"_class_name": "WanTransformer3DModel"})(snapshot)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("abc", "utf-8")
    with pytest.raises(ModelError, match=r"is Wan 2.1 text to video, a diffusers folder, which vedit cannot run"):
        resolve("owner/wan")


def test_a_damaged_gguf_and_a_header_of_nonsense_are_told(tmp_path: Path) -> None:
    file = gguf("wan")(tmp_path)
    file.write_bytes(file.read_bytes()[:30])
    assert identify(file).name == "a GGUF file of an unknown network"
    model = file_of({"a": (2,)})(tmp_path)
    model.write_bytes(model.read_bytes().replace(b'"shape": [2]', b'"shape": "x"'))
    with pytest.raises(ModelError, match="damaged header"):
        identify(model)


def test_what_a_file_is_takes_no_torch(tmp_path: Path) -> None:
    file = write_sparse(tmp_path / "model.safetensors", sd1_checkpoint())
    code = "from vedit.models.identify import identify; from pathlib import Path; identify(Path(sys.argv[1]))"
    check = "heavy = {'torch', 'diffusers', 'transformers', 'safetensors'} & set(sys.modules); assert not heavy, heavy"
    program = [sys.executable, "-c", f"import sys\n{code}\n{check}", str(file)]
    done = subprocess.run(program, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
