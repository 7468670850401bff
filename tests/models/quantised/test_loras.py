"""LoRAs on packed weights: added where a weight is unpacked, equal to sums that were made beforehand, and taken off."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.support.gguf_files import write_gguf
from tests.support.lora_files import CONV, FC1, pair, weights_of
from vedit.errors import ModelError
from vedit.models.load import load_sd
from vedit.models.loading import Loading
from vedit.models.resolve import resolve
from vedit.options.loras import LoraSpec
from vedit.options.request import RestyleOptions
from vedit.testing.tiny_sdxl import write_tiny_sdxl
from vedit.weights.packed import Packed

if TYPE_CHECKING:
    from vedit.models.families.sd import SDModel

ATTENTION = "down_blocks.1.attentions.0.transformer_blocks.0"
TO_K, TO_OUT = f"{ATTENTION}.attn2.to_k", f"{ATTENTION}.attn1.to_out.0"
PLAIN = RestyleOptions(prompt="night", controls=())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_sdxl(tmp_path_factory.mktemp("packed") / "model", controls=())


@pytest.fixture(scope="module")
def look(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> RestyleOptions:
    """A look with a LoRA of linear layers and of a convolution of the UNet, and of the second text encoder."""
    unet, text = weights_of(folder, "unet"), weights_of(folder, "text_encoder_2")
    places = {f"unet.{name}": unet[f"{name}.weight"] for name in (TO_K, TO_OUT, CONV)}
    places[f"text_encoder_2.text_model.{FC1}"] = text[f"{FC1}.weight"]
    tensors: dict[str, torch.Tensor] = {}
    for number, (name, weight) in enumerate(places.items()):
        down, up = pair(weight, seed=number)
        tensors |= {f"{name}.lora_A.weight": down, f"{name}.lora_B.weight": up}
    file = tmp_path_factory.mktemp("loras") / "ink.safetensors"
    save_file(tensors, file)
    return RestyleOptions(prompt="night", controls=(), loras=(LoraSpec(path=file, weight=0.5),))


def outputs(model: SDModel, options: RestyleOptions) -> tuple[torch.Tensor, torch.Tensor]:
    """(states of the prompt, output of the network) under a look."""
    encoding, sampling = model.adapters.encoding, model.adapters.sampling
    assert encoding is not None
    assert sampling is not None
    x = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(2))
    with encoding(options):
        prompt = model.text("night")
    with sampling(options):
        return prompt.states, model.denoiser(x, 500.0, prompt, ())


def unpacked(model: SDModel, into: SDModel) -> None:
    """The numbers that packed weights stand for, as the weights of a model that is not."""
    wide = {"unet": into.denoiser.unet, **into.text.encoders}
    for part, network in {"unet": model.denoiser.unet, **model.text.encoders}.items():
        for name, layer in network.named_modules():
            if isinstance(layer, Packed):
                wide[part].get_parameter(f"{name}.weight").data = layer.weight.clone()


def packed(folder: Path, how: str, place: Path) -> SDModel:
    if how != "gguf":
        return load_sd(resolve(str(folder)), Loading(quantize=how))
    (file,) = (folder / "unet").glob("*.safetensors")
    return load_sd(resolve(str(folder), unet=str(write_gguf(place / "unet.gguf", load_file(file), "Q8_0"))))


@pytest.mark.parametrize("how", ["int8", "nf4", "gguf"])
def test_they_are_those_of_a_model_with_the_same_numbers(
    folder: Path, look: RestyleOptions, tmp_path: Path, how: str
) -> None:
    model, wide = packed(folder, how, tmp_path), load_sd(resolve(str(folder)))
    before, digest = outputs(model, PLAIN), dict(model.fingerprint)
    unpacked(model, wide)
    states, out = outputs(model, look)
    wanted_states, wanted = outputs(wide, look)
    torch.testing.assert_close(states, wanted_states, rtol=0, atol=1e-5)
    torch.testing.assert_close(out, wanted, rtol=0, atol=1e-5)
    assert float((out - before[1]).norm() / before[1].norm()) > 0.01
    after = outputs(model, PLAIN)
    assert torch.equal(after[0], before[0])
    assert torch.equal(after[1], before[1])
    layers = [layer for layer in model.denoiser.unet.modules() if isinstance(layer, Packed)]
    assert layers
    assert all(not layer.changes for layer in layers)
    del model.__dict__["_digests"]
    assert model.fingerprint == digest


def test_they_are_taken_off_after_an_exception(folder: Path, look: RestyleOptions) -> None:
    model = packed(folder, "nf4", folder)
    before = outputs(model, PLAIN)
    sampling = model.adapters.sampling
    assert sampling is not None
    with pytest.raises(RuntimeError, match="stop"), sampling(look), sampling(look):
        raise RuntimeError("stop")
    assert torch.equal(outputs(model, PLAIN)[1], before[1])


def test_one_that_does_not_fit_is_refused(folder: Path, tmp_path: Path) -> None:
    model = packed(folder, "int8", tmp_path)
    wrong = {f"unet.{TO_OUT}.lora_A.weight": torch.zeros(2, 5), f"unet.{TO_OUT}.lora_B.weight": torch.zeros(7, 2)}
    save_file(wrong, tmp_path / "wrong.safetensors")
    options = RestyleOptions(prompt="night", controls=(), loras=(LoraSpec(path=tmp_path / "wrong.safetensors"),))
    with pytest.raises(ModelError, match="does not fit the model"):
        outputs(model, options)
