"""NaN and infinity: found in the stage where they come up, tried again in float32 where fewer bits are why, never
written."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.support.clips import two_shots
from tests.support.loaded import small_frames
from vedit.checks.finite import is_finite
from vedit.diffusion.distilled import from_timesteps
from vedit.diffusion.trajectory import trajectory
from vedit.errors import ModelError, NotFiniteError
from vedit.finishing.upsample import composite, upsample_change
from vedit.media.reading.read import open_video
from vedit.media.writing.sidecar import sidecar_path
from vedit.models.families import sd
from vedit.models.families.sd import SDModel
from vedit.models.families.sd_codec import SDCodec
from vedit.models.load import load_sd
from vedit.models.resolve import resolve
from vedit.options.request import RenderRequest, RestyleOptions
from vedit.pipelines.restyle import own_guides, prepare, restyle_frames
from vedit.ranges import to_integer
from vedit.render.preview import preview
from vedit.render.run import restyle
from vedit.store.units import UnitStore, work_folder
from vedit.testing.tiny_sd import write_tiny_sd
from vedit.types import FrameRange

if TYPE_CHECKING:
    from vedit.types import IntFrames

METHODS: tuple[Literal["guided", "lanczos"], ...] = ("guided", "lanczos")
NOT_FINITE = [math.nan, math.inf, -math.inf]
PARTS = {
    "UNet": "unet/diffusion_pytorch_model.safetensors",
    "autoencoder": "vae/diffusion_pytorch_model.safetensors",
    "text encoder": "text_encoder/model.safetensors",
    "ControlNet tile": "controlnet/diffusion_pytorch_model.safetensors",
    "ControlNet softedge": "controlnet_1/diffusion_pytorch_model.safetensors",
}
OPTIONS = RestyleOptions(prompt="night", steps=1, fixed_point=1, short_side=64, window=4)
Change = Callable[[torch.Tensor], torch.Tensor]


@pytest.fixture(scope="module", autouse=True)
def small() -> Iterator[None]:
    with small_frames():
        yield


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_sd(tmp_path_factory.mktemp("whole") / "model")


@pytest.fixture
def folder(whole: Path, tmp_path: Path) -> Path:
    """A copy, to spoil."""
    return Path(shutil.copytree(whole, tmp_path / "model"))


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return two_shots(tmp_path_factory.mktemp("clip") / "two shots.mov")


def change(path: Path, change_of: Change, name: str | None = None) -> None:
    """Another tensor in the place of one in a file; None is the first that is no bias."""
    weights = load_file(path)
    name = next(key for key in sorted(weights) if key.endswith(name or "weight"))
    save_file({**weights, name: change_of(weights[name]).contiguous()}, path)


def spoiled(value: float) -> Change:
    def with_one(weights: torch.Tensor) -> torch.Tensor:
        weights = weights.clone()
        weights.view(-1)[-1] = value
        return weights

    return with_one


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("value", NOT_FINITE)
def test_one_value_is_enough(dtype: torch.dtype, value: float) -> None:
    values = torch.full((3, 5, 7), torch.finfo(dtype).max / 2, dtype=dtype)
    assert is_finite(values), "their sum is not, but they are"
    assert is_finite(values[:0])
    for at in (0, 52, 104):
        spoilt = values.clone()
        spoilt.view(-1)[at] = value
        assert not is_finite(spoilt)
    assert is_finite(torch.tensor([1, 2]))


@pytest.mark.parametrize("value", NOT_FINITE)
@pytest.mark.parametrize("depth", [8, 10, 16])
def test_no_such_frame_becomes_pixels(value: float, depth: int) -> None:
    frames = torch.full((1, 3, 8, 8), 0.5)
    frames[0, 1, 2, 3] = value
    with pytest.raises(NotFiniteError, match="finished frames are not finite"):
        to_integer(frames, depth)
    source: IntFrames = np.zeros((1, 3, 8, 8), np.uint8) if depth == 8 else np.zeros((1, 3, 8, 8), np.uint16)
    for mask in (None, torch.ones(1, 1, 8, 8)):
        with pytest.raises(NotFiniteError):
            composite(source, frames, mask, depth)
    for method in METHODS:
        with pytest.raises(NotFiniteError, match="working size"):
            upsample_change(source, torch.full((1, 3, 8, 8), 0.5), frames, method=method, bit_depth=depth)


@pytest.mark.parametrize("scaling", [*NOT_FINITE, 0.0, -0.18215])
def test_an_autoencoder_has_a_scaling(folder: Path, scaling: float) -> None:
    vae = load_sd(resolve(str(folder))).codec.vae
    vae.register_to_config(scaling_factor=scaling)
    with pytest.raises(ModelError, match="scaling_factor"):
        SDCodec(vae)
    vae.register_to_config(scaling_factor=0.18215, shift_factor=math.nan)
    with pytest.raises(ModelError, match="shift_factor nan"):
        SDCodec(vae)


@pytest.mark.parametrize(
    "config",
    [
        {"beta_start": math.nan},
        {"beta_end": math.nan},
        {"beta_end": math.inf},
        {"beta_end": 1.5},
        {"beta_start": -0.1},
        {"trained_betas": [0.1, math.nan, 0.2]},
        {"trained_betas": [0.1, 1.0, 0.2]},
        {"prediction_type": "sample"},
    ],
)
def test_a_scheduler_has_noise_levels(config: dict[str, Any]) -> None:
    if "trained_betas" in config:
        config = {**config, "num_train_timesteps": 3}
    for make in (lambda: trajectory(config, steps=2), lambda: from_timesteps(config, [2, 1])):
        with pytest.raises(ModelError, match="the scheduler's config"):
            make()


def test_zero_terminal_snr_is_for_models_of_v() -> None:
    config = {"rescale_betas_zero_snr": True, "timestep_spacing": "trailing"}
    path = trajectory({**config, "prediction_type": "v_prediction"}, steps=4)
    assert path.steps[0].alpha == 0
    with pytest.raises(ModelError, match="noise levels"):
        trajectory(config, steps=4)


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("value", NOT_FINITE)
def test_weights_are_looked_at_as_they_are_loaded(folder: Path, part: str, value: float) -> None:
    change(folder / PARTS[part], spoiled(value))
    with pytest.raises(ModelError, match=f"the {part} has weights that are not finite") as caught:
        load_sd(resolve(str(folder)), controls=("tile", "softedge"))
    assert caught.value.exit_code == 2


def stage_model(folder: Path) -> SDModel:
    return load_sd(resolve(str(folder)), controls=("tile",))


def run(model: SDModel) -> torch.Tensor:
    frames = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    restyler = prepare(model, replace(OPTIONS, controls=()))
    latents = restyle_frames(restyler, frames, range(2), own_guides(restyler)(range(2), frames))
    return model.codec.decode(latents.data)


@pytest.mark.parametrize(
    ("part", "stage"),
    [
        ("text encoder", "text encoder's states of 'a photograph'"),
        ("encoder", "autoencoder's latents of the source"),
        ("UNet", "latents of inversion step 1 of 1"),
        ("decoder", "decoded frames"),
    ],
)
@pytest.mark.parametrize("value", NOT_FINITE)
def test_the_stage_is_named(folder: Path, part: str, stage: str, value: float) -> None:
    """Weights that are fine to look at, and whose sums are not: a bias spoils what comes out."""
    model = stage_model(folder)
    parent, last = {
        "text encoder": (model.text.encoder, "final_layer_norm.bias"),
        "encoder": (model.codec.vae, "encoder.conv_out.bias"),
        "UNet": (model.denoiser.unet, "conv_out.bias"),
        "decoder": (model.codec.vae, "decoder.conv_out.bias"),
    }[part]
    bias = next(bias for name, bias in parent.named_parameters() if name.endswith(last))
    bias.data.fill_(value)
    with pytest.raises(NotFiniteError, match=f"the {stage} are not finite") as caught:
        run(model)
    assert caught.value.exit_code == 1
    assert caught.value.precision == "float32"


def test_a_sampling_step_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = stage_model(folder)
    before, calls = type(model.denoiser).__call__, [0]

    def fails(self: Any, x: torch.Tensor, *rest: Any) -> torch.Tensor:
        calls[0] += 1
        return before(self, x, *rest) * (math.nan if calls[0] == 3 else 1)

    monkeypatch.setattr(type(model.denoiser), "__call__", fails)
    frames = torch.rand(2, 3, 64, 64)
    restyler = prepare(model, replace(OPTIONS, controls=(), steps=3, start="noise", guidance=1))
    with pytest.raises(NotFiniteError, match="latents of sampling step 3 of 3"):
        restyle_frames(restyler, frames, range(2), own_guides(restyler)(range(2), frames))


WIDE = ("encoder", "decoder")
"""Of the autoencoder, which overflows where its config does not say that it would."""
# Each overflows in 16 bits, as sums or as the very weights, and the norm behind it makes sense of it in 32.
OVERFLOWS = {
    "text encoder": (PARTS["text encoder"], "token_embedding.weight", 1e8),
    "encoder": (PARTS["autoencoder"], "encoder.conv_in.weight", 2e5),
    "UNet": (PARTS["UNet"], "conv_in.weight", 1e8),
    "decoder": (PARTS["autoencoder"], "decoder.conv_in.weight", 2e5),
}


def overflow(folder: Path, part: str) -> None:
    """A model of which a part overflows in float16 without having said so."""
    file, name, factor = OVERFLOWS[part]
    change(folder / file, lambda weights: weights * factor, name)
    if part in WIDE:
        config = folder / "vae" / "config.json"
        told = json.loads(config.read_text("utf-8"))
        config.write_text(json.dumps({**told, "force_upcast": False}), "utf-8")


def float16_on(_device: str) -> torch.dtype:
    return torch.float16


@pytest.fixture
def half(monkeypatch: pytest.MonkeyPatch) -> None:
    """A CPU computes in float16, as a GPU does."""
    monkeypatch.setattr(sd, "usual_precision", float16_on)


@pytest.mark.parametrize("part", OVERFLOWS)
@pytest.mark.usefixtures("half")
def test_what_overflows_is_tried_again_in_float32(clip: Path, folder: Path, tmp_path: Path, part: str) -> None:
    overflow(folder, part)
    said: list[str] = []
    request = RenderRequest(source=clip, options=OPTIONS, model=str(folder), output=tmp_path / "out.mkv")
    request = replace(request, frames="#0..#4", writing=replace(request.writing, codec="ffv1"))
    result = restyle(request, on_note=said.append)
    line = next(note for note in result.notes if "again in float32" in note)
    assert "not finite (NaN or infinite, computed in float16)" in line
    told = json.loads(sidecar_path(tmp_path / "out.mkv").read_text("utf-8"))
    assert '"precision": "float32"' in json.dumps(told)
    with open_video(tmp_path / "out.mkv") as reader:
        pixels = reader.read(FrameRange(start=0, stop=4)).frames
    assert pixels.std() > 1, "a picture"
    assert not work_folder(tmp_path / "out.mkv").exists()
    # The same as a render that never tried less.
    with UnitStore(tmp_path / "straight.mkv") as work:
        work.set_precision("float32")
        work.put("a" * 64, torch.zeros(1), frames=(0, 1), computed_on={})
    restyle(replace(request, output=tmp_path / "straight.mkv"))
    with open_video(tmp_path / "straight.mkv") as reader:
        assert np.array_equal(reader.read(FrameRange(start=0, stop=4)).frames, pixels)


@pytest.mark.usefixtures("half")
def test_a_preview_is_tried_again_too(clip: Path, folder: Path, tmp_path: Path) -> None:
    overflow(folder, "decoder")
    request = RenderRequest(
        source=clip, options=OPTIONS, model=str(folder), output=tmp_path / "out.mov", frames="#0..#4"
    )
    assert preview(request).is_file()


@pytest.mark.usefixtures("half")
def test_a_finite_render_stays_in_the_device_s_precision(clip: Path, folder: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.mov"
    result = restyle(RenderRequest(source=clip, options=OPTIONS, model=str(folder), output=output, frames="#0..#2"))
    assert not any("float32" in note for note in result.notes)
    assert '"precision": "float16"' in json.dumps(json.loads(sidecar_path(output).read_text("utf-8")))


def test_in_float32_nothing_is_left_to_try(clip: Path, folder: Path, tmp_path: Path) -> None:
    # Each weight is a number; what they sum up to is none.
    change(folder / PARTS["UNet"], lambda weights: torch.full_like(weights, 3e38), "conv_in.weight")
    output = tmp_path / "out.mov"
    with pytest.raises(NotFiniteError, match=r"latents of inversion step 1 of 1 are not finite .* in float32"):
        restyle(RenderRequest(source=clip, options=OPTIONS, model=str(folder), output=output))
    assert not output.exists()
    assert not work_folder(output).exists()
