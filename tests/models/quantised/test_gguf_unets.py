"""A UNet from a GGUF file: the model's own to the bit in half precision, near in blocks; refused where none fits."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch
from click.testing import CliRunner
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from safetensors.torch import load_file, save_file

from tests.support.clips import two_shots
from tests.support.gguf_files import write_gguf
from tests.support.tiers import write_tier
from vedit.cli.app import main
from vedit.errors import ModelError
from vedit.media.writing.sidecar import sidecar_path
from vedit.models.facts import facts_of
from vedit.models.families.sd_keys import UNET, unet_key
from vedit.models.footprint import Scene
from vedit.models.load import load_sd
from vedit.models.loading import Loading
from vedit.models.resolve import resolve
from vedit.options.request import RenderRequest, RestyleOptions
from vedit.render.recorded_request import as_asked, as_recorded
from vedit.testing.tiny_sd import write_tiny_sd
from vedit.testing.tiny_sdxl import write_tiny_sdxl
from vedit.weights.packed import Packed

if TYPE_CHECKING:
    from vedit.models.families.sd import SDModel

WEIGHTS = "unet/diffusion_pytorch_model.safetensors"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model whose UNet is in half precision."""
    made = write_tiny_sd(tmp_path_factory.mktemp("gguf") / "model", controls=())
    save_file({name: tensor.half() for name, tensor in load_file(made / WEIGHTS).items()}, made / WEIGHTS)
    return made


@pytest.fixture(scope="module")
def tensors(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / WEIGHTS)


@pytest.fixture(scope="module")
def eight(folder: Path, tensors: dict[str, torch.Tensor]) -> Path:
    return write_gguf(folder / "unet-Q8_0.gguf", tensors, "Q8_0")


def original(tensors: dict[str, torch.Tensor], folder: Path, prefix: str = "") -> dict[str, torch.Tensor]:
    config = json.loads((folder / "unet" / "config.json").read_text("utf-8"))
    return {prefix + unet_key(name, config): tensor for name, tensor in tensors.items()}


def denoised(model: SDModel) -> torch.Tensor:
    x = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(2))
    return model.denoiser(x, 500.0, model.text("night"), ())


@pytest.mark.parametrize("names", ["diffusers", "original", "checkpoint"])
def test_half_precision_is_the_model_s_own_to_the_bit(
    folder: Path, tensors: dict[str, torch.Tensor], tmp_path: Path, names: str
) -> None:
    prefix = UNET if names == "checkpoint" else ""
    named = tensors if names == "diffusers" else original(tensors, folder, prefix)
    file = write_gguf(tmp_path / "unet.gguf", named, "F16")
    own, other = load_sd(resolve(str(folder))), load_sd(resolve(str(folder), unet=str(file)))
    assert torch.equal(denoised(own), denoised(other))
    assert own.fingerprint == other.fingerprint


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_blocks_stay_blocks_and_each_number_is_within_half_a_step(folder: Path, eight: Path, precision: str) -> None:
    how = Loading(precision=precision)
    own, other = load_sd(resolve(str(folder)), how), load_sd(resolve(str(folder), unet=str(eight)), how)
    layers = {name: layer for name, layer in other.denoiser.unet.named_modules() if isinstance(layer, Packed)}
    assert {part.dtype for layer in layers.values() for part in layer.parts.values()} == {torch.uint8}
    held = sum(part.numel() for layer in layers.values() for part in layer.parts.values())
    assert held == sum(layer.packed_shape.numel() for layer in layers.values()) // 32 * 34
    for name, layer in layers.items():
        wide = own.denoiser.unet.get_parameter(f"{name}.weight").float()
        step = wide.reshape(-1, 32).abs().amax(1, keepdim=True) / 127
        off = (layer.weight.float() - wide).reshape(-1, 32).abs()
        rounding = 0 if precision == "float32" else 2**-8 * 127  # of the number format that is computed in
        assert bool((off <= step * (0.5 + 127 * 2**-11 + rounding) + 1e-8).all())
    first, second = denoised(own), denoised(other)
    assert 0 < float((first - second).norm() / first.norm()) < (0.03 if precision == "float32" else 0.1)
    assert other.precision == precision
    assert own.fingerprint["unet"] != other.fingerprint["unet"]


def test_it_equals_diffusers_own_network_of_the_same_numbers(folder: Path, eight: Path) -> None:
    model = load_sd(resolve(str(folder), unet=str(eight)))
    theirs = UNet2DConditionModel.from_pretrained(folder / "unet", torch_dtype=torch.float32)
    for name, layer in model.denoiser.unet.named_modules():
        if isinstance(layer, Packed):
            theirs.get_parameter(f"{name}.weight").data = layer.weight
    x, text = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(2)), model.text("night").states
    with torch.inference_mode():
        wanted = theirs(x, 500, text.expand(2, -1, -1)).sample
    torch.testing.assert_close(denoised(model), wanted, rtol=0, atol=1e-5)


@pytest.mark.parametrize("layout", ["F16", "Q8_0", "Q4_0"])
def test_a_file_of_the_gguf_package_is_read(
    folder: Path, tensors: dict[str, torch.Tensor], tmp_path: Path, layout: str
) -> None:
    gguf = pytest.importorskip("gguf", reason="gguf is not installed")
    kind, wide = gguf.GGMLQuantizationType[layout], gguf.GGMLQuantizationType.F16
    writer = gguf.GGUFWriter(tmp_path / "unet.gguf", "sd1")
    kinds = {name: kind if one.ndim > 1 and one.shape[-1] % 32 == 0 else wide for name, one in tensors.items()}
    for name, one in tensors.items():
        writer.add_tensor(name, gguf.quants.quantize(one.numpy(), kinds[name]), raw_dtype=kinds[name])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    unet = load_sd(resolve(str(folder), unet=str(tmp_path / "unet.gguf"))).denoiser.unet
    for name, one in tensors.items():
        theirs = torch.from_numpy(gguf.quants.dequantize(gguf.quants.quantize(one.numpy(), kinds[name]), kinds[name]))
        layer = unet.get_submodule(name.rpartition(".")[0])
        ours = layer.weight if isinstance(layer, Packed) and name.endswith(".weight") else unet.get_parameter(name)
        assert torch.equal(ours, theirs.float())


def test_a_model_holds_what_its_footprint_says(folder: Path, eight: Path) -> None:
    scene = Scene(height=64, width=64, batch=2, window=4)
    found = resolve(str(folder), unet=str(eight)).footprint((), scene)
    own = resolve(str(folder)).footprint((), scene)
    assert found is not None
    assert own is not None
    unet = load_sd(resolve(str(folder), unet=str(eight))).denoiser.unet
    assert found.weights["unet"] == sum(one.numel() * one.element_size() for one in unet.state_dict().values())
    assert found.weights["unet"] < 0.35 * own.weights["unet"]
    assert found.stored["unet"] == eight.stat().st_size
    assert found.unpacked == {}
    assert found.denoise.work.moved > own.denoise.work.moved


def test_it_renders_and_the_record_names_it(folder: Path, eight: Path, tmp_path: Path) -> None:
    clip, output = two_shots(tmp_path / "in.mov"), tmp_path / "out.mov"
    words = ["restyle", str(clip), "-p", "night", "--model", str(folder), "--control", "none", "--unet", str(eight)]
    words += ["--range", "#0..#4", "--steps", "1", "--quality", "draft"]
    plan = CliRunner().invoke(main, [*words, "--dry-run"])
    assert plan.exit_code == 0, plan.output
    run = CliRunner().invoke(main, [*words, "-o", str(output)])
    assert run.exit_code == 0, run.output
    told = json.loads(sidecar_path(output).read_text("utf-8"))
    assert "unet-Q8_0.gguf" in json.dumps(told)
    request = RenderRequest(source=clip, options=RestyleOptions(prompt="night"), model=str(folder), unet=str(eight))
    again = as_asked(json.loads(json.dumps(as_recorded(request, tmp_path))), tmp_path)
    assert Path(str(again.unet)).samefile(eight)
    facts = facts_of(eight)
    assert (facts.name, facts.precision) == ("a UNet in GGUF, of Stable Diffusion 1.x", "Q8_0")
    assert facts.given_as == f"--unet {eight}"


def test_what_does_not_fit_is_refused_before_frames_are_read(
    folder: Path, tensors: dict[str, torch.Tensor], eight: Path, tmp_path: Path
) -> None:
    clip = two_shots(tmp_path / "in.mov")

    def refused(file: Path, *words: str, model: str = str(folder)) -> str:
        said = ["restyle", str(clip), "-p", "night", "--model", model, "--control", "none", "--unet", str(file)]
        run = CliRunner().invoke(main, [*said, "--dry-run", *words])
        assert run.exit_code == 2, run.output
        return " ".join(run.output.split())

    lacking = dict(tensors)
    lacking.pop("conv_out.bias")
    assert "lacks 1 of its" in refused(write_gguf(tmp_path / "a.gguf", lacking, "F16"))
    other = {**tensors, "conv_out.bias": torch.zeros(5)}
    assert "'conv_out.bias' of (4,), not (5,)" in refused(write_gguf(tmp_path / "b.gguf", other, "F16"))
    assert "in the format IQ4_XS" in refused(write_gguf(tmp_path / "c.gguf", tensors, "IQ4_XS"))
    short = tmp_path / "d.gguf"
    short.write_bytes(eight.read_bytes()[:-200])
    assert "is cut off" in refused(short)
    xl = write_tiny_sdxl(tmp_path / "xl", controls=())
    assert "lacks" in refused(eight, model=str(xl))
    assert "there is no file" in refused(tmp_path / "absent.gguf")
    weights = shutil.copy(folder / WEIGHTS, tmp_path / "unet.safetensors")
    assert "no UNet in GGUF" in refused(Path(weights))
    assert "takes no UNet of another file" in refused(eight, model="embedded")
    assert "rests as its file has it" in refused(eight, "--quantize", "int8")
    few = tmp_path / "few"
    shutil.copytree(folder, few)
    write_tier(few)
    assert "without few-step weights" in refused(eight, model=str(few))


def test_a_file_of_another_family_is_refused_by_its_name(tmp_path: Path) -> None:
    entry = {"input_blocks.0.0.weight": torch.zeros(320, 4, 3, 3), "label_emb.0.0.weight": torch.zeros(4, 4)}
    wide = {"input_blocks.4.1.transformer_blocks.0.attn2.to_k.weight": torch.zeros(2, 2048)}
    file = write_gguf(tmp_path / "xl.gguf", {**entry, **wide}, "F16", architecture="sdxl")
    assert facts_of(file).name == "a UNet in GGUF, of Stable Diffusion XL"
    with pytest.raises(ModelError, match=r"a UNet in GGUF, of Stable Diffusion XL, not a model; .*--unet FILE"):
        resolve(str(file))
