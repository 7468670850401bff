"""T2I-Adapters by their files: told, held against the model before it is loaded, and read in every layout."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.models.checkpoints import REFUSED
from tests.models.layouts import prefixed, sd1_checkpoint, sdxl_checkpoint, write_sparse
from tests.support.clips import two_shots
from tests.support.tiny.motion import write_motion_adapter
from tests.support.tiny.t2i import WIDTHS, Layout, Sort, t2i_adapter, write_t2i, write_three_levels
from vedit.cli import main
from vedit.errors import ModelError
from vedit.models.check import checked
from vedit.models.facts import facts_of
from vedit.models.families.modules import weights_digest
from vedit.models.families.sd_configs import SD1, SDXL
from vedit.models.families.sd_t2i import features_of, load_t2i_adapter
from vedit.models.footprint import Scene
from vedit.models.identify import identify, notes_of
from vedit.models.load import load_sd
from vedit.models.model_folders import model_folders_first
from vedit.models.resolve import resolve
from vedit.models.t2i_adapters import adapter_config, check_t2i_adapter
from vedit.options.request import RenderRequest, RestyleOptions
from vedit.render.recorded_request import as_recorded
from vedit.testing.tiny_sd import write_tiny_sd
from vedit.weights import at_rest

FULL = [320, 640, 1280, 1280]
TRUE: dict[Sort, list[int]] = {"full_adapter": FULL, "light_adapter": FULL[:3], "full_adapter_xl": FULL}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_three_levels(tmp_path_factory.mktemp("t2i") / "model")


def shapes_of(sort: Sort, channels: int, layout: Layout) -> dict[str, tuple[int, ...]]:
    """Of an adapter at its true size: those of a tiny one with other widths and the same names."""
    with torch.device("meta"):
        adapter = t2i_adapter(sort, channels=channels, widths=TRUE[sort])
    found: dict[str, tuple[int, ...]] = {}

    def record(tensors: dict[str, torch.Tensor], _: Path) -> None:
        found.update({name: tuple(tensor.shape) for name, tensor in tensors.items()})

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("tests.support.tiny.t2i.save_file", record)
        write_t2i(Path("nowhere"), adapter, layout)
    return found


@pytest.mark.parametrize("layout", ["diffusers", "bare", "authors"])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("sort", TRUE)
def test_one_of_true_size_is_told_by_its_tensors_and_fits_its_family(
    tmp_path: Path, sort: Sort, channels: int, layout: Layout
) -> None:
    file = write_sparse(tmp_path / "canny.safetensors", shapes_of(sort, channels, layout))
    xl = sort == "full_adapter_xl"
    family, other = ("Stable Diffusion XL", SD1) if xl else ("Stable Diffusion 1.x", SDXL)
    assert (identify(file).name, identify(file).runs) == (f"a T2I-Adapter for {family}", True)
    facts = facts_of(file)
    assert (facts.part, facts.given_as, facts.lacks) == ("t2i-adapter", f"--controlnet KIND={file}", "")
    assert adapter_config(file) == {
        "in_channels": channels,
        "channels": TRUE[sort],
        "num_res_blocks": 2,
        "downscale_factor": 16 if xl else 8,
        "adapter_type": sort,
    }
    check_t2i_adapter(file, "canny", (SDXL if xl else SD1)["unet"], cell=8, model="it")
    with pytest.raises(ModelError, match=r"the T2I-Adapter for canny adds 320, 640, 1280, 1280 channels at cells of"):
        check_t2i_adapter(file, "canny", other["unet"], cell=8, model="it")


@pytest.mark.parametrize("layout", ["diffusers", "bare", "authors"])
@pytest.mark.parametrize("sort", WIDTHS)
def test_every_layout_is_the_folder(tmp_path: Path, sort: Sort, layout: Layout) -> None:
    adapter = t2i_adapter(sort, channels=1)
    folder, file = write_t2i(tmp_path / "folder", adapter), write_t2i(tmp_path / "x.safetensors", adapter, layout)
    to: dict[str, Any] = {"device": torch.device("cpu"), "dtype": torch.float32}
    assert weights_digest(adapter) == weights_digest(load_t2i_adapter(folder, **to))
    assert weights_digest(adapter) == weights_digest(load_t2i_adapter(file, **to))
    assert (identify(folder).name, identify(file).sort) == ("a T2I-Adapter", "t2i-adapter")
    # One that lies beside its config is read by it.
    assert adapter_config(folder / "diffusion_pytorch_model.safetensors")["adapter_type"] == sort


def test_one_in_half_precision_rests_in_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(at_rest, "LEAST_NUMBERS", 64)
    monkeypatch.setattr(at_rest, "LEAST_SAVED", 0)
    file = write_t2i(tmp_path / "half.safetensors", t2i_adapter().half(), "authors")
    to: dict[str, Any] = {"device": torch.device("cpu"), "dtype": torch.float32}
    wide, resting = (load_t2i_adapter(file, **to, rests=rests) for rests in (False, True))
    assert (wide.dtype, resting.dtype) == (torch.float32, torch.float32)
    held = [sum(v.numel() * v.element_size() for v in net.state_dict().values()) for net in (wide, resting)]
    assert held[1] < 0.9 * held[0]
    pictures = torch.rand(2, 3, 64, 96, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        for one, other in zip(features_of(wide, pictures), features_of(resting, pictures), strict=True):
            assert torch.equal(one, other)


def test_it_is_refused_for_a_model_of_another_family_and_as_a_model(tmp_path: Path) -> None:
    sorts: dict[bool, Sort] = {False: "full_adapter", True: "full_adapter_xl"}
    places = {
        xl: write_sparse(tmp_path / f"{xl}.safetensors", shapes_of(sort, 3, "authors")) for xl, sort in sorts.items()
    }
    models = {
        False: write_sparse(tmp_path / "sd.safetensors", sd1_checkpoint()),
        True: write_sparse(tmp_path / "sdxl.safetensors", sdxl_checkpoint()),
    }
    for xl, place in places.items():
        assert resolve(str(models[xl]), {"canny": str(place)}).control_kinds == ("canny",)
        with pytest.raises(ModelError, match=r"is a T2I-Adapter for Stable Diffusion .*, and .* is Stable Diffusion"):
            resolve(str(models[not xl]), {"canny": str(place)})
        with pytest.raises(ModelError, match=r"not a model; give it as --controlnet KIND=PATH, beside a --model"):
            resolve(str(place))


def test_widths_that_the_unet_has_not_are_refused_before_loading(model: Path, tmp_path: Path) -> None:
    for name, adapter in (
        ("wide", t2i_adapter(widths=[32, 64, 96])),
        ("short", t2i_adapter(widths=[32, 64])),
        ("xl", t2i_adapter("full_adapter_xl")),
    ):
        found = resolve(str(model), {"tile": str(write_t2i(tmp_path / name, adapter))})
        with pytest.raises(ModelError, match=r"for tile adds .*, and the UNet of model takes 32, 64, 64 channels at c"):
            checked(found, controls=("tile",))
        checked(found, controls=())


def test_every_tensor_is_accounted_for(model: Path, tmp_path: Path) -> None:
    whole = load_file(write_t2i(tmp_path / "whole.safetensors", t2i_adapter(), "authors"))
    save_file(
        {key: value for key, value in whole.items() if key != "body.1.block2.bias"}, tmp_path / "less.safetensors"
    )
    save_file({**whole, "body.0.skep.weight": torch.zeros(2)}, tmp_path / "more.safetensors")
    for name, said in (
        ("less", r"lacks 1 of its 28 tensors.*body\.1\.block2\.bias"),
        ("more", r"has 1 that have no pl"),
    ):
        with pytest.raises(ModelError, match=f"the T2I-Adapter {said}"):
            load_sd(resolve(str(model), {"tile": str(tmp_path / f"{name}.safetensors")}), controls=("tile",))


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"in_channels": 2}, "in_channels = 2, where 1 or 3 is wanted"),
        ({"adapter_type": "other"}, "adapter_type = 'other', where a network that diffusers knows"),
        ({"channels": []}, "channels = "),
        ({"channels": [4096, 8192, 8192]}, "describes a network of at least"),
        ({"downscale_factor": 10**9}, "downscale_factor = "),
    ],
)
def test_a_damaged_config_is_told(model: Path, tmp_path: Path, said: dict[str, object], told: str) -> None:
    place = write_t2i(tmp_path / "tile", t2i_adapter())
    config = json.loads((place / "config.json").read_text("utf-8"))
    (place / "config.json").write_text(json.dumps({**config, **said}), "utf-8")
    with pytest.raises(ModelError, match=told):
        checked(resolve(str(model), {"tile": str(place)}), controls=("tile",))


def test_a_file_of_another_layout_is_told(model: Path, tmp_path: Path) -> None:
    place = write_sparse(
        tmp_path / "x.safetensors", {"body.0.block1.weight": (32, 32, 3, 3), "conv_in.weight": (32, 5)}
    )
    with pytest.raises(ModelError, match="a T2I-Adapter of a layout that vedit does not know"):
        checked(resolve(str(model), {"tile": str(place)}), controls=("tile",))
    upscaler = write_sparse(tmp_path / "edsr.safetensors", prefixed("body.0.body.", {"0.weight": (64, 64, 3, 3)}))
    assert identify(upscaler).sort != "t2i-adapter"


def test_animatediff_has_no_place_for_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write_tiny_sd(tmp_path / "model", controls=())
    motion = write_motion_adapter(tmp_path / "motion")
    adapter = write_t2i(tmp_path / "tile", t2i_adapter(widths=[32, 64]))
    more = ["--motion-adapter", str(motion), "--controlnet", f"tile={adapter}", "--control", "tile"]
    render = ["restyle", str(two_shots(tmp_path / "in.mov")), "-p", "night", "--model", str(folder), *more]
    capsys.readouterr()  # of what made the model
    for words in (render, [*render, "--dry-run"], ["models", "plan", str(folder), *more]):
        assert main(words, standalone_mode=False) == 2
        said = capsys.readouterr().err
        assert said.startswith(f"vedit: error: {adapter} is a T2I-Adapter, for which AnimateDiff has no place; give a")
        assert len(said.splitlines()) == 1


def test_those_in_a_models_own_folder_are_found(tmp_path: Path) -> None:
    """As diffusers saves a pipeline with several: adapter, adapter_1, each with the name that it was loaded from."""
    folder = write_three_levels(tmp_path / "model")
    (folder / "controls.json").unlink()
    for sub, source in (
        ("adapter", "TencentARC/t2iadapter_depth_sd15v2"),
        ("adapter_1", "TencentARC/t2iadapter_color"),
    ):
        config = write_t2i(folder / sub, t2i_adapter()) / "config.json"
        config.write_text(json.dumps({**json.loads(config.read_text("utf-8")), "_name_or_path": source}), "utf-8")
    found = resolve(str(folder))
    assert found.control_kinds == ("depth",)
    assert [note for note in notes_of(folder) if "adapter_1/ of model" in note]
    assert "T2IAdapter" in type(load_sd(found, controls=("depth",)).denoiser.controlnets["depth"]).__name__


def test_one_is_named_in_the_folders_of_other_programs(model: Path, tmp_path: Path) -> None:
    file = write_t2i(tmp_path / "ui" / "models" / "t2i_adapter" / "depth15.safetensors", t2i_adapter(), "authors")
    with model_folders_first([tmp_path / "ui"]):
        assert resolve(str(model), {"depth": "depth15"}).source.controlnets == {"depth": str(file)}
        look = RestyleOptions(prompt="night")
        asked: dict[str, Any] = {"source": tmp_path / "in.mov", "options": look, "model": str(model)}
        recorded = as_recorded(RenderRequest(**asked, controlnets=(("depth", "depth15"),)), tmp_path)["controlnets"]
        assert recorded == [["depth", "./ui/models/t2i_adapter/depth15.safetensors"]], "where it lies, not its name"
    with pytest.raises(ModelError, match="there is no ControlNet 'depth15'"):
        resolve(str(model), {"depth": "depth15"})


def test_the_plan_counts_it_and_what_it_holds_for_a_window(model: Path, tmp_path: Path) -> None:
    adapter = t2i_adapter()
    found = resolve(str(model), {"tile": str(write_t2i(tmp_path / "tile", adapter))})
    scene = Scene(height=64, width=128, batch=4, window=12)
    with_it, bare = found.footprint(("tile",), scene), found.footprint((), scene)
    assert with_it is not None and bare is not None
    size = sum(value.numel() * value.element_size() for value in adapter.state_dict().values())
    assert dict(with_it.weights) == {**bare.weights, "controlnet:tile": size}
    assert dict(with_it.stored) == {**bare.stored, "controlnet:tile": size}
    sizes, less = found.sizes(("tile",)), found.sizes(())
    assert sizes is not None and less is not None
    assert 4 * (sizes.all - less.all) == size
    assert with_it.denoise.work.convolutions > bare.denoise.work.convolutions
    # Features of 32, 64 and 64 channels at cells of 8, 16 and 32 pixels, held for each further batch of the window.
    cells = 64 * 128 // 64
    held = 4 * 4 * (32 * cells + 64 * cells // 4 + 64 * cells // 16)
    longer = found.footprint(("tile",), replace(scene, window=16))
    assert longer is not None
    assert held <= longer.denoise.peak - with_it.denoise.peak < 2 * held


def test_what_is_no_control_branch_is_refused_still(model: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="not a ControlNet; give a ControlNet or a T2I-Adapter to --controlnet"):
        resolve(str(model), {"tile": str(REFUSED["LoRA of kohya"][0](tmp_path))})
