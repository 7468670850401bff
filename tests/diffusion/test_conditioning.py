"""What each network call is given: frames with their own maps and masks, regions under the prompt alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
import torch

from vedit.diffusion.conditioning import Conditioning, Control, FrameConditioning, RegionConditioning, bind
from vedit.diffusion.trajectory import PreservingStep
from vedit.testing.fakes import FakeDenoiser, FakeTextEncoder
from vedit.types import ControlInput, ControlMap, ControlSpec, PromptEmbeds

FRAMES = 5
STEP = PreservingStep(index=2, count=10, level=700, alpha=0.1, alpha_cleaner=0.2)
TEXT = FakeTextEncoder()


@dataclass
class Recorder:
    """A denoiser and regional prompts that write down what they are given."""

    calls: list[tuple[PromptEmbeds, list[torch.Tensor], tuple[ControlInput, ...]]] = field(default_factory=list)  # pyright: ignore[reportUnknownVariableType]
    shown: list[torch.Tensor] = field(default_factory=list[torch.Tensor])
    joint: bool = False

    def show(self, regions: Sequence[RegionConditioning]) -> None:
        self.shown = [region.mask for region in regions]

    def __call__(
        self, x: torch.Tensor, level: float, prompt: PromptEmbeds, controls: Sequence[ControlInput]
    ) -> torch.Tensor:
        self.calls.append((prompt, self.shown, tuple(controls)))
        return x


def numbered(*shape: int) -> torch.Tensor:
    """A tensor (FRAMES, *shape) whose values say the frame."""
    return torch.arange(FRAMES).float().view(-1, 1, 1, 1).expand(FRAMES, *shape) / FRAMES


def test_every_call_gets_its_frames_and_the_negative_no_region() -> None:
    control = Control(
        spec=ControlSpec(kind="tile", scale=0.5),
        map=ControlMap(kind="tile", frames=numbered(3, 16, 16)),
        mask=numbered(1, 16, 16),
    )
    late = Control(spec=ControlSpec(kind="tile", start=0.5), map=control.map)
    recorder, prompt, negative = Recorder(), TEXT("ink"), TEXT("")
    conditioning = Conditioning(
        prompt=prompt,
        negative=negative,
        guidance=2.0,
        controls=(control, control, late),
        regions=(RegionConditioning(prompt=TEXT("oil"), mask=numbered(1, 16, 16)),),
    )
    denoise = bind(recorder, conditioning, batch=2, regional=recorder)
    denoise(torch.zeros(FRAMES, 4, 2, 2), STEP)
    assert [len(shown) for _, shown, _ in recorder.calls] == [1, 1, 1, 0, 0, 0]
    assert [told is negative for told, _, _ in recorder.calls] == [False] * 3 + [True] * 3
    for i, (_, shown, controls) in enumerate(recorder.calls):
        first = 2 * (i % 3)
        part = slice(first, first + 2)
        assert [c.branch for c in controls] == ["tile", "tile"], "two of one branch; the late one does not act yet"
        for c in controls:
            assert c.scale == 0.5
            assert c.mask is not None
            assert torch.equal(c.frames, control.map.frames[part])
            assert torch.equal(c.mask, numbered(1, 16, 16)[part])
        assert all(torch.equal(mask, numbered(1, 16, 16)[part]) for mask in shown)


def test_a_control_acts_inside_its_mask() -> None:
    """The fake's answer is exact: outside the mask it is the one without the control."""
    left = torch.zeros(FRAMES, 1, 16, 16)
    left[..., :8] = 1
    frames = ControlMap(kind="tile", frames=torch.ones(FRAMES, 3, 16, 16))
    x = torch.zeros(FRAMES, 4, 2, 2)
    none, whole, masked = (
        bind(FakeDenoiser(), Conditioning(prompt=TEXT("ink"), controls=controls), batch=2)(x, STEP)
        for controls in (
            (),
            (Control(spec=ControlSpec(kind="tile"), map=frames),),
            (Control(spec=ControlSpec(kind="tile"), map=frames, mask=left),),
        )
    )
    assert torch.equal(masked[..., 0], whole[..., 0])
    assert torch.equal(masked[..., 1], none[..., 1])
    assert not torch.equal(whole, none)


def test_what_cannot_be_bound() -> None:
    plain = Conditioning(prompt=TEXT("ink"))
    with pytest.raises(ValueError, match="batch must be at least 1"):
        bind(FakeDenoiser(), plain, batch=0)
    regions = (RegionConditioning(prompt=TEXT("oil"), mask=torch.ones(1, 1, 8, 8)),)
    with pytest.raises(ValueError, match="regional prompts"):
        bind(FakeDenoiser(), Conditioning(prompt=TEXT("ink"), regions=regions), batch=1)


def test_every_frame_may_have_a_prompt_of_its_own_and_all_one_map() -> None:
    prompts = [TEXT(word) for word in ("ink", "oil", "night", "neon", "gold")]
    control = Control(spec=ControlSpec(kind="tile"), map=ControlMap(kind="tile", frames=torch.rand(1, 3, 16, 16)))
    x = torch.randn(FRAMES, 4, 2, 2, generator=torch.Generator().manual_seed(0))
    together = Conditioning(
        prompt=PromptEmbeds(states=torch.cat([one.states for one in prompts])),
        negative=TEXT("noise"),
        guidance=2.0,
        controls=(control,),
    )
    whole = bind(FakeDenoiser(), together, batch=2)(x, STEP)
    for number, prompt in enumerate(prompts):
        alone = Conditioning(prompt=prompt, negative=TEXT("noise"), guidance=2.0, controls=(control,))
        own = bind(FakeDenoiser(), alone, batch=2)(x[number : number + 1], STEP)
        torch.testing.assert_close(whole[number : number + 1], own)


def test_a_map_of_several_frames_is_not_taken_for_that_of_others() -> None:
    control = Control(spec=ControlSpec(kind="tile"), map=ControlMap(kind="tile", frames=torch.rand(2, 3, 16, 16)))
    with pytest.raises(IndexError):
        bind(FakeDenoiser(), Conditioning(prompt=TEXT("ink"), controls=(control,)), batch=2)(
            torch.zeros(4, 4, 2, 2), STEP
        )


def test_a_joint_denoiser_gets_a_window_at_once_and_prompts_of_their_own_apart() -> None:
    x = numbered(4, 2, 2)
    control = Control(spec=ControlSpec(kind="tile"), map=ControlMap(kind="tile", frames=torch.rand(17, 3, 16, 16)))
    recorder = Recorder(joint=True)
    bind(recorder, Conditioning(prompt=TEXT("ink"), controls=(control,)), batch=2)(x, STEP)
    ((prompt, _, (given,)),) = recorder.calls
    assert len(prompt) == 1
    assert torch.equal(given.frames, control.map.frames), "a clip has more frames than latents"
    recorder.calls.clear()
    states = torch.cat([TEXT(word).states for word in ("ink", "oil", "night", "neon", "gold")])
    together = PromptEmbeds(states=states, others={"pooled": states.mean(2)})
    bind(recorder, Conditioning(prompt=together), batch=2)(x, STEP)
    assert [len(prompt) for prompt, *_ in recorder.calls] == [FRAMES], "a prompt that changes over the clip"
    recorder.calls.clear()
    bind(recorder, Conditioning(prompt=together, apart=True), batch=2)(x, STEP)
    assert [len(prompt) for prompt, *_ in recorder.calls] == [1] * FRAMES
    for number, (prompt, *_) in enumerate(recorder.calls):
        assert torch.equal(prompt.states, states[number : number + 1])
        assert torch.equal(prompt.others["pooled"], together.others["pooled"][number : number + 1])


def test_the_conditioning_of_some_frames() -> None:
    control = Control(
        spec=ControlSpec(kind="tile"),
        map=ControlMap(kind="tile", frames=torch.rand(1, 3, 16, 16)),
        mask=numbered(1, 16, 16),
    )
    region = RegionConditioning(prompt=TEXT("oil"), mask=numbered(1, 16, 16))
    whole = FrameConditioning(controls=(control,), mask=numbered(1, 16, 16), regions=(region,), noise=numbered(4, 2, 2))
    part = whole.at([1, 3])
    assert torch.equal(part.controls[0].map.frames, control.map.frames), "one map is that of all"
    for found, of in (
        (part.controls[0].mask, control.mask),
        (part.mask, whole.mask),
        (part.regions[0].mask, region.mask),
        (part.noise, whole.noise),
    ):
        assert found is not None and of is not None
        assert torch.equal(found, of[[1, 3]])
    assert FrameConditioning().at([0]) == FrameConditioning()
