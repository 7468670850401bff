"""ControlNets are evaluated no more often than what goes in changes, and the result is what plain calls give."""

import gc
import weakref
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

import pytest
import torch

from vedit.control_maps.maps import control_maps
from vedit.diffusion.conditioning import Conditioning, Control, bind
from vedit.diffusion.trajectory import trajectory
from vedit.models.families.sd import SDModel
from vedit.models.families.sd_branches import ignores_text
from vedit.models.families.sd_controls import ControlBranches
from vedit.models.load import load_sd
from vedit.models.resolve import resolve
from vedit.options.controls import parse_control
from vedit.types import ControlInput


@pytest.fixture(scope="module")
def model() -> SDModel:
    return load_sd(resolve("embedded"), controls=("tile", "softedge"))


@pytest.fixture
def frames() -> torch.Tensor:
    return torch.rand(5, 3, 64, 64, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def calls(model: SDModel) -> Iterator[Counter[str]]:
    """How often each network is run."""
    counted: Counter[str] = Counter()
    parts = {"unet": model.denoiser.unet}
    for kind, net in model.denoiser.controlnets.items():
        parts |= {kind: net, f"{kind} embedding": net.controlnet_cond_embedding}

    def counting(name: str) -> Callable[[torch.nn.Module, object, object], None]:
        return lambda module, given, made: counted.update([name])

    hooks = [part.register_forward_hook(counting(name)) for name, part in parts.items()]
    yield counted
    for hook in hooks:
        hook.remove()


def controls(frames: torch.Tensor, *texts: str) -> tuple[Control, ...]:
    specs = [parse_control(text) for text in texts]
    return tuple(Control(spec=s, map=m) for s, m in zip(specs, control_maps(specs, frames), strict=True))


@torch.inference_mode()
def plain(model: SDModel, x: torch.Tensor, timestep: int, prompt: str, given: Sequence[Control]) -> torch.Tensor:
    """Every network called by itself, as diffusers' pipeline does."""
    text = model.text(prompt).states.expand(len(x), -1, -1)
    nets = model.denoiser.controlnets
    outputs = [
        nets[one.spec.kind](x, timestep, text, one.map.frames, conditioning_scale=one.spec.scale, return_dict=False)
        for one in given
    ]
    down = [sum(residuals[1:], residuals[0]) for residuals in zip(*(output[0] for output in outputs), strict=True)]
    middle = sum((output[1] for output in outputs[1:]), outputs[0][1])
    unet = model.denoiser.unet
    return unet(x, timestep, text, down_block_additional_residuals=down, mid_block_additional_residual=middle)[0]


def test_a_guided_step_runs_each_controlnet_once_and_embeds_each_picture_once(
    model: SDModel, frames: torch.Tensor, calls: Counter[str]
) -> None:
    given = controls(frames, "tile:0.8", "softedge:0.6")
    look = Conditioning(prompt=model.text("night"), negative=model.text(""), guidance=2.0, controls=given)
    denoise = bind(model.denoiser, look, batch=2)
    steps = trajectory(model.scheduler_config, steps=3, strength=1.0).steps
    x = torch.randn(5, 16, 8, 8, generator=torch.Generator().manual_seed(1))
    found = [denoise(x, step) for step in steps]
    batches = 3
    assert calls["unet"] == 2 * len(steps) * batches
    for kind in ("tile", "softedge"):
        assert calls[kind] == len(steps) * batches
        assert calls[f"{kind} embedding"] == batches
    for step, guided in zip(steps, found, strict=True):
        night, empty = (plain(model, x, step.timestep, prompt, given) for prompt in ("night", ""))
        torch.testing.assert_close(guided, empty + 2.0 * (night - empty), rtol=0, atol=2e-4)


def test_other_latents_steps_pictures_and_scales_are_evaluated_anew(model: SDModel, frames: torch.Tensor) -> None:
    branches = model.denoiser
    x = torch.randn(5, 16, 8, 8, generator=torch.Generator().manual_seed(1))
    text = model.text("night")
    base = ControlInput(branch="tile", frames=frames)
    first = branches(x, 500, text, [base])
    others = (
        branches(x + 0.5, 500, text, [base]),
        branches(x, 499, text, [base]),
        branches(x, 500, text, [ControlInput(branch="tile", frames=frames.flip(3))]),
        branches(x, 500, text, [ControlInput(branch="tile", frames=frames, scale=0.5)]),
        branches(x, 500, text, [ControlInput(branch="softedge", frames=frames)]),
    )
    assert not any(torch.equal(first, other) for other in others)
    assert torch.equal(first, branches(x, 500, text, [base]))


def test_nothing_is_kept_once_the_tensors_are_gone(model: SDModel, frames: torch.Tensor) -> None:
    branches = ControlBranches(model.denoiser.controlnets)
    x, text = torch.randn(2, 16, 8, 8), model.text("").states.expand(2, -1, -1)
    picture = frames[:2].clone()
    with torch.inference_mode():
        made = branches(x, 500, text, [ControlInput(branch="tile", frames=picture)])
    assert made is not None
    kept = weakref.ref(made.middle)
    del made
    assert kept() is not None
    del x
    gc.collect()
    assert kept() is None


def test_the_controlnets_stay_as_they_were(model: SDModel, frames: torch.Tensor) -> None:
    net = model.denoiser.controlnets["tile"]
    embedding = net.controlnet_cond_embedding
    x = torch.randn(5, 16, 8, 8)
    model.denoiser(x, 500, model.text(""), [ControlInput(branch="tile", frames=frames)])
    assert net.controlnet_cond_embedding is embedding
    with pytest.raises(RuntimeError):
        model.denoiser(x[:, :3], 500, model.text(""), [ControlInput(branch="tile", frames=frames)])
    assert net.controlnet_cond_embedding is embedding


def test_channels_in_reverse_order_reach_the_network_in_that_order(frames: torch.Tensor) -> None:
    from diffusers.models.controlnets.controlnet import ControlNetModel

    torch.manual_seed(0)
    net = ControlNetModel(
        in_channels=4,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        block_out_channels=(8, 16),
        layers_per_block=1,
        norm_num_groups=4,
        cross_attention_dim=8,
        attention_head_dim=4,
        conditioning_embedding_out_channels=(8, 16, 32, 64),
        controlnet_conditioning_channel_order="bgr",
    ).eval()
    for parameter in net.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    assert not ignores_text(net.config)
    x, text = torch.randn(5, 4, 8, 8), torch.randn(5, 3, 8)
    with torch.inference_mode():
        made = ControlBranches({"canny": net})(x, 300, text, [ControlInput(branch="canny", frames=frames)])
        down, middle = net(x, 300, text, frames, return_dict=False)
    assert made is not None
    torch.testing.assert_close(made.middle, middle)
    for ours, theirs in zip(made.down, down, strict=True):
        torch.testing.assert_close(ours, theirs)
