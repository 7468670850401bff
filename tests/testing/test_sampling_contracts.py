"""The contracts of pipelines, attention methods and upscalers: vedit's own keep them, and what breaks one is told."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.support.plugged import plugged_in
from vedit.diffusion.adapters import self_attention
from vedit.errors import InputError
from vedit.models.attention import CROSS_FRAME, Together
from vedit.models.resolve import resolve
from vedit.options.request import RestyleOptions
from vedit.pipelines.restyle import prepare
from vedit.pipelines.restyle_pipeline import PIPELINE, RestyledWindows
from vedit.registry import attention, families, pipelines, upscalers
from vedit.testing.contracts import check_attention, check_pipeline, check_upscaler
from vedit.testing.tiny_sd import write_tiny_sd
from vedit.testing.tiny_sdxl import write_tiny_sdxl
from vedit.testing.video_family import write_fake_video
from vedit.types import FrameRange, Latents


@pytest.fixture
def video(tmp_path: Path) -> Iterator[str]:
    """A model of a latent for four frames, whose family is plugged in."""
    with plugged_in(families.families, "vedit.families", {"fake-video": "vedit.testing.video_family:FAMILY"}):
        yield str(write_fake_video(tmp_path / "model"))


@pytest.mark.parametrize("name", attention.OWN)
def test_own_attention_methods_keep_the_contract(name: str) -> None:
    check_attention(name)


@pytest.mark.parametrize("write", [write_tiny_sd, write_tiny_sdxl], ids=["sd15", "sdxl"])
@pytest.mark.parametrize("name", attention.PLACED)
def test_own_attention_methods_keep_it_on_stable_diffusion(
    name: str, write: Callable[[Path], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(self_attention, "LARGE", 16)
    check_attention(name, str(write(tmp_path / "tiny")))


@pytest.mark.parametrize("name", attention.PLACED)
def test_a_model_without_a_place_for_a_method_refuses_it_before_it_is_loaded(name: str, video: str) -> None:
    look, found = RestyleOptions(prompt="night", attention=name), resolve(video)
    with pytest.raises(InputError, match=f"has no place for the attention {name}"):
        found.traits.check(look, model="it")
    with pytest.raises(InputError, match="no self-attention"):
        check_attention(name, video)


def test_the_own_pipeline_keeps_the_contract() -> None:
    check_pipeline("restyle")


def test_the_own_parts_keep_the_contract_on_a_video_model(video: str) -> None:
    check_attention("cross-frame", video)
    check_pipeline("restyle", video)


@pytest.mark.parametrize("name", upscalers.OWN)
def test_own_upscalers_keep_the_contract(name: str) -> None:
    check_upscaler(name)


class Forgets:
    """A method whose memory clears nothing."""

    needs_flow, cost = False, 1.0

    @contextmanager
    def open(self, model: Any, together: Together) -> Generator[object]:
        with CROSS_FRAME.open(model, together) as memory:
            kept: Any = memory
            kept.clear = lambda: None
            yield kept


class LeavesATrace:
    """A method that is not undone."""

    needs_flow, cost = False, 1.0

    def open(self, model: Any, together: Together) -> AbstractContextManager[Any]:
        weights = model.denoiser.unet.conv_in.weight
        with torch.no_grad():
            weights.mul_(1.5)
        return nullcontext()


class SeesWhatIsInTheCall:
    """A method that mixes the frames of a call, so that it depends on how many there are."""

    needs_flow, cost = False, 1.0

    @contextmanager
    def open(self, model: Any, together: Together) -> Generator[None]:
        def mixed(layer: object, given: object, output: torch.Tensor) -> torch.Tensor:
            return output + output.mean(0, keepdim=True)

        hook = model.denoiser.unet.conv_in.register_forward_hook(mixed)
        yield
        hook.remove()


class FollowsTheFlow:
    """A method that is given what it asked for."""

    needs_flow, cost = True, 2.0
    given: tuple[int, ...] = ()

    def open(self, model: Any, together: Together) -> AbstractContextManager[None]:
        assert together.flow is not None
        FollowsTheFlow.given = tuple(together.flow.forward.shape)
        return nullcontext()


class Dear:
    """A method that says nothing of use to estimates."""

    needs_flow, cost = False, -1.0

    def open(self, model: Any, together: Together) -> AbstractContextManager[None]:
        return nullcontext()


FORGETS, TRACE, IN_CALL, FLOW, DEAR = Forgets(), LeavesATrace(), SeesWhatIsInTheCall(), FollowsTheFlow(), Dear()


@pytest.fixture
def methods() -> Iterator[None]:
    names = ("FORGETS", "TRACE", "IN_CALL", "FLOW", "DEAR", "ORIGIN")
    with plugged_in(attention.attention_methods, "vedit.attention", {name: f"{__name__}:{name}" for name in names}):
        yield


ORIGIN = "no method at all"


@pytest.mark.usefixtures("methods")
@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("FORGETS", "clear forgets too little"),
        ("TRACE", "leaves something in the model"),
        ("IN_CALL", "the parts in which frames come"),
        ("DEAR", "positive number"),
    ],
)
def test_an_attention_method_that_breaks_the_protocol_is_told(name: str, told: str) -> None:
    with pytest.raises(AssertionError, match=told):
        check_attention(name)


@pytest.mark.usefixtures("methods")
def test_a_method_that_needs_the_flow_is_given_it() -> None:
    check_attention("FLOW")
    assert FollowsTheFlow.given[:2] == (3, 2)


@pytest.mark.usefixtures("methods")
def test_what_is_no_method_is_refused() -> None:
    with pytest.raises(InputError, match="'ORIGIN' of vedit-other is no attention method but str"):
        check_attention("ORIGIN")


class Broken:
    """Vedit's own pipeline, with one thing changed."""

    inverts, few_steps, enters_adapters = True, True, False
    check = PIPELINE.check

    def draws(self, options: Any) -> bool:
        return PIPELINE.draws(options)

    def __init__(self, kind: type[RestyledWindows]) -> None:
        self.kind = kind

    def prepare(self, model: Any, options: Any, inversions: Any = None) -> RestyledWindows:
        made = prepare(model, options, inversions)
        return self.kind(**{name: getattr(made, name) for name in made.__dataclass_fields__})


class Carries(RestyledWindows):
    """Each window is another one the second time."""

    def window(self, shot: FrameRange, window: FrameRange, *rest: Any, **more: Any) -> Latents:
        made = super().window(shot, window, *rest, **more)
        seen.append(window)
        return replace(made, data=made.data + len(seen))


class Short(RestyledWindows):
    """A window without its last latent."""

    def window(self, *args: Any, **more: Any) -> Latents:
        return super().window(*args, **more).part(0, -1)


class Silent(RestyledWindows):
    """Nobody hears of steps."""

    def window(
        self, shot: Any, window: Any, frames_of: Any, guides_of: Any, on_step: Any = None, **more: Any
    ) -> Latents:
        return super().window(shot, window, frames_of, guides_of, **more)


class Unsaid(RestyledWindows):
    """What decides its windows is no JSON."""

    @property
    def facts(self) -> dict[str, object]:
        return {"path": Path()}


class RefusesLate(Broken):
    """What it refuses, it refuses when the model is there."""

    def prepare(self, model: Any, options: Any, inversions: Any = None) -> RestyledWindows:
        if options.regions:
            raise InputError("no regions")
        return super().prepare(model, options, inversions)


class SeedSaid(Broken):
    """It says that the seed acts where nothing is drawn."""

    def draws(self, options: Any) -> bool:
        return True


seen: list[FrameRange] = []
LATE, SEED = RefusesLate(RestyledWindows), SeedSaid(RestyledWindows)
CARRIES, SHORT, SILENT, UNSAID = Broken(Carries), Broken(Short), Broken(Silent), Broken(Unsaid)
AS_OWN = PIPELINE


@pytest.fixture
def broken() -> Iterator[None]:
    names = ("CARRIES", "SHORT", "SILENT", "UNSAID", "LATE", "SEED", "AS_OWN")
    with plugged_in(pipelines.pipelines, "vedit.pipelines", {name: f"{__name__}:{name}" for name in names}):
        yield


@pytest.mark.usefixtures("broken")
@pytest.mark.parametrize(
    ("name", "error", "told"),
    [
        ("CARRIES", AssertionError, "depend on the window before"),
        ("SHORT", AssertionError, "latents of 5 frames"),
        ("SILENT", AssertionError, "each step is told"),
        ("UNSAID", TypeError, "JSON"),
        ("SEED", AssertionError, "draws says other than what is drawn"),
    ],
)
def test_a_pipeline_that_breaks_the_protocol_is_told(name: str, error: type[Exception], told: str, video: str) -> None:
    with pytest.raises(error, match=told):
        check_pipeline(name, video)


@pytest.mark.usefixtures("broken")
def test_a_pipeline_that_refuses_only_with_a_model_at_hand_is_told() -> None:
    with pytest.raises(AssertionError, match="prepare refuses what check does not: no regions"):
        check_pipeline("LATE")


@pytest.mark.usefixtures("broken")
def test_a_pipeline_that_is_found_by_its_entry_point_keeps_it(video: str) -> None:
    check_pipeline("AS_OWN", video)


def of_another_size(source: torch.Tensor, seen: torch.Tensor, result: torch.Tensor) -> torch.Tensor:
    return result


def by_chance(source: torch.Tensor, seen: torch.Tensor, result: torch.Tensor) -> torch.Tensor:
    return source + torch.rand_like(source) / 100


def in_place(source: torch.Tensor, seen: torch.Tensor, result: torch.Tensor) -> torch.Tensor:
    return source.mul_(1.0).add_(0.01)


def brighter(source: torch.Tensor, seen: torch.Tensor, result: torch.Tensor) -> torch.Tensor:
    return source + 0.1


def infinite(source: torch.Tensor, seen: torch.Tensor, result: torch.Tensor) -> torch.Tensor:
    return source / 0


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("of_another_size", "not \\(3, 48, 64\\)"),
        ("by_chance", "changed the world"),
        ("in_place", "input was changed"),
        ("brighter", "flat does not stay"),
        ("infinite", "finite"),
    ],
)
def test_an_upscaler_that_breaks_the_protocol_is_told(name: str, told: str) -> None:
    with (
        plugged_in(upscalers.upscalers, "vedit.upscalers", {name: f"{__name__}:{name}"}),
        pytest.raises(AssertionError, match=told),
    ):
        check_upscaler(name)
