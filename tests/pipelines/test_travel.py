"""A prompt that changes over the clip: each frame has its own, however windows and batches are cut."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from vedit.errors import InputError
from vedit.models.families.sd import SDModel
from vedit.models.load import load_sd
from vedit.models.resolve import resolve
from vedit.options.request import RestyleOptions
from vedit.pipelines.restyle import own_guides, prepare, restyle_frames
from vedit.pipelines.restyle_windows import restyle_window
from vedit.testing.tiny_sd import write_tiny_sd
from vedit.types import FrameRange

OPTIONS = RestyleOptions(
    prompt="#2: ink | #6: a very long fog", negative_prompt="dusk", steps=2, fixed_point=1, guidance=3.0, controls=()
)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> SDModel:
    return load_sd(resolve(str(write_tiny_sd(tmp_path_factory.mktemp("travel") / "tiny"))))


@pytest.fixture(scope="module")
def frames() -> torch.Tensor:
    return torch.rand(9, 3, 64, 64, generator=torch.Generator().manual_seed(0))


def latents(model: SDModel, options: RestyleOptions, frames: torch.Tensor, numbers: range) -> torch.Tensor:
    restyler = prepare(model, options)
    return restyle_frames(
        restyler, frames[numbers.start : numbers.stop], numbers, own_guides(restyler)(numbers, frames)
    ).data


def test_frames_outside_the_moments_are_those_of_one_prompt(model: SDModel, frames: torch.Tensor) -> None:
    single = replace(OPTIONS, attention="none")
    made = latents(model, single, frames, range(9))
    for numbers, prompt in ((range(3), "ink"), (range(6, 9), "a very long fog")):
        # The second moment keeps the prompts as long as they are together.
        held = latents(model, replace(single, prompt=f"#99: {prompt} | #100: a very long fog"), frames, numbers)
        torch.testing.assert_close(made[numbers.start : numbers.stop], held, atol=1e-4, rtol=0)
    assert (
        float((made[:3] - latents(model, replace(single, prompt="a very long fog"), frames, range(3))).abs().max())
        > 1e-3
    )
    between = latents(model, replace(single, prompt="#0: ink | #8: a very long fog"), frames, range(4, 5))
    torch.testing.assert_close(made[4:5], between, atol=1e-4, rtol=0, msg="half of the way")


def test_windows_and_batches_change_no_frame(model: SDModel, frames: torch.Tensor) -> None:
    shot = FrameRange(start=0, stop=9)

    def window(options: RestyleOptions, start: int, stop: int) -> torch.Tensor:
        restyler = prepare(model, options)
        return restyle_window(
            restyler, shot, FrameRange(start=start, stop=stop), lambda part: frames[part.start : part.stop],
            own_guides(restyler),
        ).data  # fmt: skip

    # With cross-frame attention a window's first frame does not see the one before it, whatever the prompt.
    single = replace(OPTIONS, attention="none")
    whole = window(single, 0, 9)
    assert float((whole - window(replace(single, prompt="ink"), 0, 9))[6:].abs().max()) > 1e-3, "the prompt changes"
    for start, stop in ((0, 4), (3, 7), (5, 9)):
        for options in (single, replace(single, batch=1), replace(single, batch=3)):
            torch.testing.assert_close(window(options, start, stop), whole[start:stop], atol=1e-4, rtol=0)
    attending = window(OPTIONS, 0, 9)
    torch.testing.assert_close(window(replace(OPTIONS, batch=2), 0, 9), attending, atol=1e-4, rtol=0)
    assert float((attending - whole)[1:].abs().max()) > 1e-3


def test_the_negative_prompt_changes_too(model: SDModel, frames: torch.Tensor) -> None:
    single = replace(OPTIONS, prompt="ink", attention="none")
    led = latents(model, replace(single, negative_prompt="#0: dusk | #4: "), frames, range(5))
    first = latents(model, replace(single, negative_prompt="dusk"), frames, range(1))
    last = latents(model, replace(single, negative_prompt=""), frames, range(4, 5))
    torch.testing.assert_close(led[:1], first, atol=1e-4, rtol=0)
    torch.testing.assert_close(led[4:], last, atol=1e-4, rtol=0)
    assert float((first - latents(model, replace(single, negative_prompt=""), frames, range(1))).abs().max()) > 1e-4


def test_seconds_need_the_clip(model: SDModel) -> None:
    with pytest.raises(InputError, match="not known to be a frame without the clip"):
        prepare(model, replace(OPTIONS, prompt="0s: ink | 1s: fog"))
