"""A fake family of video models, for tests and for authors of families: a latent for each four frames, the first alone.

Everything about it is closed-form, and no frame is lost in its latents: what a render makes of frame n can be told from
what it makes of any other. It predicts the velocity of straight trajectories, denoises a window at once, and its text
encoder makes two tensors of a prompt.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch.nn import functional as F

from vedit.diffusion import flow_matching
from vedit.errors import ModelError
from vedit.latent_shape import ScaleFactors
from vedit.models.family import Adapters, Traits
from vedit.options.request import Quality
from vedit.testing.fakes import FakeTextEncoder
from vedit.types import PromptEmbeds

if TYPE_CHECKING:
    from vedit.diffusion.solvers import Trajectory
    from vedit.models.family import FewSteps, FewStepSchedule
    from vedit.models.footprint import Scene
    from vedit.models.loading import Loading
    from vedit.models.sizes import Sizes
    from vedit.models.source import ModelSource
    from vedit.options.request import RestyleOptions
    from vedit.registry.regimes import Regime
    from vedit.types import ControlInput

FACTORS = ScaleFactors(time=4, height=8, width=8, first_frame_alone=True)
KINDS = ("tile", "softedge")
TRAITS = Traits(
    size_multiple=16,
    minimum_side=32,
    guidance=1.0,
    qualities={
        "draft": Quality(steps=2, fixed_point=1, short_side=64),
        "standard": Quality(steps=4, fixed_point=1, short_side=96),
        "high": Quality(steps=6, fixed_point=2, short_side=128),
    },
    factors=FACTORS,
    control_kinds=KINDS,
    regions=False,
    cross_frame=False,
)
_INDEX, _CLASS = "model_index.json", "FakeVideoPipeline"


def write_fake_video(folder: Path) -> Path:
    """Write a model of this family into a new folder."""
    folder.mkdir(parents=True)
    (folder / _INDEX).write_text(json.dumps({"_class_name": _CLASS}), "utf-8")
    return folder


@dataclass(frozen=True, kw_only=True)
class FakeVideoCodec:
    """A `VideoCodec`: a latent cell holds the mean colours of a block in four frames, in [-1, 1]; decoding repeats it.

    The lone first frame is in all four. A decoder that carries something on would get it from the latent before.
    """

    factors: ScaleFactors = FACTORS
    context: int = 1

    @property
    def channels(self) -> int:
        """Three colours for each of the frames."""
        return 3 * self.factors.time

    def encode(self, frames: torch.Tensor) -> torch.Tensor:
        """(T, 3, H, W) in [0, 1] -> (T', 12, h, w). Raises ValueError where a side is no multiple of 8."""
        count, _, height, width = frames.shape
        if height % self.factors.height or width % self.factors.width or not count:
            raise ValueError(f"a clip is of whole cells and at least a frame, got {tuple(frames.shape)}")
        time = self.factors.time
        colours = F.avg_pool2d(frames, (self.factors.height, self.factors.width)) * 2 - 1
        filled = self.factors.frames(self.factors.latents(count)) - count
        groups = torch.cat([colours[:1].expand(time, -1, -1, -1), colours[1:], *[colours[-1:]] * filled])
        return groups.reshape(-1, self.channels, *groups.shape[2:])

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        """(T', 12, h, w) -> (1 + 4 (T' - 1), 3, H, W), clipped to [0, 1]; the first latent is a lone frame's."""
        count, _, height, width = latents.shape
        frames = latents.reshape(count, self.factors.time, 3, height, width)
        colours = torch.cat([frames[0].mean(0, keepdim=True), *frames[1:]])
        size = (height * self.factors.height, width * self.factors.width)
        return F.interpolate(((colours + 1) / 2).clamp(0, 1), size, mode="nearest")


@dataclass(frozen=True, kw_only=True)
class FakeVideoTextEncoder:
    """A `TextEncoder` of two tensors: states, and what is pooled of them, by which the denoiser goes."""

    states: FakeTextEncoder = field(default_factory=FakeTextEncoder)

    def __call__(self, text: str) -> PromptEmbeds:
        """The same tensors for the same text."""
        states = self.states(text).states
        return PromptEmbeds(states=states, others={"pooled": states.mean(2)})

    def unknown_words(self, text: str) -> tuple[str, ...]:
        """None: any text means something."""
        return ()


@dataclass(frozen=True, kw_only=True)
class FakeVideoDenoiser:
    """A `Denoiser` that knows its data: every latent value is a Gaussian of deviation 1 around a mean.

    With x = (1 - s) x0 + s e and x0 ~ N(m, 1) the expected picture is
    m + (1 - s) (x - (1 - s) m) / ((1 - s)^2 + s^2), and the velocity is what leads from there to x. The mean is moved
    by what is pooled of the prompt, and by each control's brightness about 0.5 in the frames of a latent.
    """

    joint: bool = True

    def __call__(
        self, x: torch.Tensor, level: float, prompt: PromptEmbeds, controls: Sequence[ControlInput]
    ) -> torch.Tensor:
        """Raises ValueError for controls that are not of the frames that x stands for."""
        mean = prompt.others["pooled"].mean(1).view(-1, 1, 1, 1).expand_as(x)
        for control in controls:
            if len(control.frames) != 1 and FACTORS.latents(len(control.frames)) != len(x):
                raise ValueError(f"{len(control.frames)} frames of a control for {len(x)} latents")
            change = F.adaptive_avg_pool2d(control.frames.mean(1, keepdim=True), (x.shape[-2], x.shape[-1])) - 0.5
            if len(change) > 1:
                change = change[list(FACTORS.first_frames(len(change)))]
            mean = mean + 0.1 * control.scale * change
        sigma = level / flow_matching.TRAIN_STEPS
        signal = 1 - sigma
        clean = mean + signal * (x - signal * mean) / (signal**2 + sigma**2)
        return (x - clean) / sigma


@dataclass(frozen=True, kw_only=True)
class FakeVideoModel:
    """A `vedit.models.family.Model` of this family."""

    name: str
    traits: Traits = TRAITS
    denoiser: FakeVideoDenoiser = field(default_factory=FakeVideoDenoiser)
    codec: FakeVideoCodec = field(default_factory=FakeVideoCodec)
    text: FakeVideoTextEncoder = field(default_factory=FakeVideoTextEncoder)
    control_kinds: tuple[str, ...] = KINDS
    adapters: Adapters = field(default_factory=Adapters)
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    precision: str = "float32"
    can_offload: bool = False

    @property
    def fingerprint(self) -> Mapping[str, str]:
        """There are no weights; the class is all there is."""
        return {"model": hashlib.sha256(_CLASS.encode()).hexdigest()}

    def schedule(self, *, steps: int, strength: float = 1.0, regime: Regime | None = None) -> Trajectory:
        """Even steps, moved a little towards the noise."""
        return flow_matching.straight(steps=steps, strength=strength, shift=1.5)

    def through(self, levels: Sequence[float]) -> Trajectory:
        """See `vedit.diffusion.flow_matching.through`."""
        return flow_matching.through(levels)

    def fast_for(self, options: RestyleOptions) -> tuple[FewSteps, FewStepSchedule] | None:
        """It has none."""
        return None

    def set_memory(self, *, batch: int, tiled: bool, offloaded: bool) -> None:
        """It takes next to none."""


class FakeVideoFamily:
    """See `vedit.models.family.Family`."""

    name = "fake-video"

    def matches(self, base: Path) -> bool:
        """A folder as `write_fake_video` writes it."""
        try:
            return json.loads((base / _INDEX).read_text("utf-8")).get("_class_name") == _CLASS
        except (OSError, ValueError, AttributeError):
            return False

    def check(self, source: ModelSource, controls: Collection[str], *, fast: bool) -> None:
        """Raises ModelError where the folder is gone."""
        if not self.matches(Path(source.base)):
            raise ModelError(f"{source.base} is no {self.name} model", remedy="write it anew")

    def check_look(self, source: ModelSource, options: RestyleOptions) -> None:
        """Takes nothing of a look."""

    def traits(self, source: ModelSource) -> Traits:
        """The same for all."""
        return TRAITS

    def sizes(self, source: ModelSource, kinds: Collection[str]) -> Sizes | None:
        """Not known: there are no weights."""
        return None

    def footprint(self, source: ModelSource, kinds: Collection[str], scene: Scene) -> None:
        """Not known: there are no networks."""

    def notes(self, source: ModelSource) -> tuple[str, ...]:
        """None."""
        return ()

    def words_cut(self, source: ModelSource, text: str) -> tuple[str, ...]:
        """None: it reads everything."""
        return ()

    def tokens_read(self, source: ModelSource) -> None:
        """There is no end to it."""

    def load(
        self, source: ModelSource, loading: Loading, *, name: str, controls: Sequence[str], fast: bool
    ) -> FakeVideoModel:
        """Every control that is asked for and that it has."""
        model = FakeVideoModel(name=name, device=torch.device(loading.device))
        return replace(model, control_kinds=tuple(kind for kind in KINDS if kind in controls))


FAMILY = FakeVideoFamily()
