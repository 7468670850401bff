"""What a user may ask of a render: how the picture changes, of which clip, with which model, written how."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Literal, get_args

from vedit.checks.arguments import checked
from vedit.checks.setting import About, same_as, setting
from vedit.errors import SettingError
from vedit.media.output import OutputOptions
from vedit.options.adapting import Adapting
from vedit.options.sampling import QUALITIES as QUALITIES
from vedit.options.sampling import InversionName as InversionName
from vedit.options.sampling import Quality as Quality
from vedit.options.sampling import QualityName as QualityName
from vedit.options.sampling import Sampling
from vedit.options.sampling import Start as Start
from vedit.options.source import SourceOptions
from vedit.options.stages import DEFAULT_CONTROLS as DEFAULT_CONTROLS
from vedit.options.stages import BlackBars as BlackBars
from vedit.options.stages import Consistency, Finishing, Look
from vedit.options.stages import Preserve as Preserve
from vedit.types import Shot

OVERLAP = 4
"""Frames that neighbouring windows share where nothing else is asked; a third of the window where that is less."""
PARTS = ("pipeline", "attention", "upscale")
"""The fields of options that name a part by which the picture is made, see `vedit.render.parts`."""
DEVICES = ("auto", "cpu", "cuda", "mps")
Precision = Literal["auto", "float32", "float16", "bfloat16"]
PRECISIONS: tuple[Precision, ...] = get_args(Precision)
Quantize = Literal["none", "int8", "fp8", "int4", "nf4"]
QUANTIZED: tuple[Quantize, ...] = get_args(Quantize)
Offload = Literal["none", "model", "group"]
OFFLOADS: tuple[Offload, ...] = get_args(Offload)
AttentionBackend = Literal["auto", "flash", "efficient", "cudnn", "math"]
ATTENTION_BACKENDS: tuple[AttentionBackend, ...] = get_args(AttentionBackend)


@checked
@dataclass(frozen=True, kw_only=True)
class RestyleOptions(Finishing, Consistency, Sampling, Adapting, Look):
    """How the picture changes, all stages in one. `None` takes the quality preset's value.

    Raises:
        SettingError: a number is out of its bounds, or a word is none of those that are known.
    """

    def __post_init__(self) -> None:
        Look.__post_init__(self)
        Adapting.__post_init__(self)
        Sampling.__post_init__(self)
        Consistency.__post_init__(self)
        inverting = next((spec.kind for spec in self.controls if spec.invert is not None), None)
        if self.start == "noise" and inverting is not None:
            raise SettingError(
                f"the control {inverting} has an invert with start noise, which inverts nothing",
                remedy="leave one of them out",
            )

    def at_quality(self, quality: QualityName) -> RestyleOptions:
        """The same look at a preset's cost, whatever it says itself of what the preset decides."""
        return replace(self, quality=quality, steps=None, inversion_steps=None, fixed_point=None, short_side=None)

    @property
    def files(self) -> tuple[Path, ...]:
        """The masks, control videos, reference pictures and painted frames that are named, each once."""
        specs = [*([self.mask] if self.mask else []), *(region.mask for region in self.regions)]
        specs += [lora.mask for lora in self.loras if lora.mask is not None]
        masks = [file.path for spec in specs for file in spec.files]
        controls = [path for spec in self.controls for path in (spec.source, spec.mask) if path is not None]
        references = [spec.path for spec in self.references]
        painted = [spec.path for spec in self.keyframe]
        return tuple(dict.fromkeys([*masks, *controls, *references, *painted]))

    @property
    def says_prompts(self) -> bool:
        """Whether anything says what the picture shall become in words."""
        return bool(self.prompt.strip() or self.regions)

    @property
    def only_painted(self) -> bool:
        """Whether it changes by painted frames alone: no model draws anything of it."""
        return bool(self.keyframe) and not self.says_prompts


@checked
@dataclass(frozen=True, kw_only=True)
class RenderRequest:
    """One render, as the command line or a caller states it."""

    source: Path
    options: RestyleOptions
    """Of every shot, where `looks` is None."""
    looks: Mapping[int, RestyleOptions] | None = setting(
        None,
        About(
            "Number of a shot, from 1 -> how it changes; the others pass through.",
            stage="look",
            option="",
            key="",
            python="None: every shot under the settings",
        ),
    )
    """A shot that passes through does to the last bit of the decoded picture."""
    shots: tuple[Shot, ...] | None = setting(
        None,
        About(
            "The shots of the whole clip, without gap or overlap; None detects them.",
            stage="source",
            option="",
            key="",
            easier="Sequence[Shot] | None",
        ),
    )
    locked: frozenset[int] = setting(
        frozenset(),
        About(
            "Numbers of shots that stay as the last render with keep_frames left them, whatever their look says now.",
            stage="run",
            option="",
            key="",
        ),
    )
    output: Path | None = setting(
        None,
        About(
            "The result.",
            stage="output",
            short="o",
            common=True,
            unset="NAME.vedit.EXT beside the source",
            cli="or FOLDER/ for NAME.LOOK.EXT in it",
            easier="Path | str | None",
            python="or a folder that is there for NAME.LOOK.EXT in it",
        ),
    )
    frames: str | None = same_as(SourceOptions, "frames")
    model: str = setting(
        "embedded",
        About(
            "Listed name, diffusers folder, .safetensors file or hub id.",
            stage="model",
            common=True,
            once=True,
            host=True,
        ),
    )
    controlnets: tuple[tuple[str, str], ...] = setting(
        (),
        About(
            "A further control branch for the model (ControlNet or T2I-Adapter): listed name, folder, .safetensors "
            "file or hub id.",
            stage="model",
            metavar="KIND=MODEL",
            option="controlnet",
            key="",
            several=True,
            once=True,
            easier="Mapping[str, str] | Sequence[tuple[str, str]]",
            python="as kind -> place",
        ),
    )
    ip_adapter: str | None = setting(
        None,
        About(
            "An IP-Adapter for the model, which reads the references: listed name, .safetensors file, or hub id.",
            stage="model",
            metavar="FILE",
            key="",
        ),
        later=True,
    )
    image_encoder: str | None = setting(
        None,
        About(
            "What the IP-Adapter looks at pictures with: the folder of a CLIP image encoder, or a hub id.",
            stage="model",
            metavar="FOLDER",
            key="",
            unset="image_encoder/ near the IP-Adapter",
        ),
        later=True,
    )
    motion_adapter: str | None = setting(
        None,
        About(
            "A motion adapter of AnimateDiff for the model, which draws frames together: listed name, folder, "
            ".safetensors file or hub id.",
            stage="model",
            metavar="PATH",
            key="",
        ),
        later=True,
    )
    unet: str | None = setting(
        None,
        About(
            "A UNet in the place of the model's own, in GGUF: it rests in the blocks of its file.",
            stage="model",
            metavar="FILE.gguf",
            key="",
        ),
        later=True,
    )
    device: str = setting(
        "auto", About("Where to run.", stage="model", choices=DEVICES, once=True, shared=True, host=True)
    )
    precision: Precision = setting(
        "auto",
        About(
            "What the networks compute in; auto is float16 on a GPU, and on a CPU float32, or bfloat16 where the CPU "
            "is faster in it and the model bears it.",
            stage="model",
            once=True,
        ),
        later=True,
    )
    quantize: Quantize = setting(
        "none",
        About(
            "Hold the network's weights in 8 or 4 bits: less memory, slower, and frames near those without.",
            stage="model",
            once=True,
        ),
        later=True,
    )
    offload: Offload = setting(
        "none",
        About(
            "What waits in host memory beside a GPU: model takes turns of network and autoencoder, group brings the "
            "blocks of the networks one by one.",
            stage="model",
            once=True,
        ),
        later=True,
    )
    attention_backend: AttentionBackend = setting(
        "auto",
        About(
            "The kernel that computes attention where it can; auto is torch's choice.",
            stage="model",
            once=True,
        ),
        later=True,
    )
    writing: OutputOptions = field(default_factory=OutputOptions)
    """The written file: codec, preset, what may be left out."""
    rate: Fraction | None = same_as(SourceOptions, "rate")
    track: int | None = same_as(SourceOptions, "track")
    allow_huge: bool = same_as(SourceOptions, "allow_huge")
    fresh: bool = setting(
        False, About("Do not go on from what an earlier run has kept in OUT.vedit.", stage="run", key="")
    )
    keep_work: bool = setting(
        False,
        About(
            "Keep what the model made: the same result with another codec or upscale does not run it again.",
            stage="run",
            key="",
            once=True,
        ),
    )
    purpose: Mapping[str, object] | None = setting(
        None,
        About(
            "What the caller knows the result by, as JSON has it; written into the result and its sidecar.",
            stage="output",
            option="",
            key="",
        ),
    )
    keep_frames: bool = setting(
        False,
        About(
            "Keep every shot's finished frames, so that changing one shot only encodes the others anew.",
            stage="run",
            option="",
            key="",
        ),
    )
    """Losslessly: it takes about as much space as a lossless copy of the clip."""

    @property
    def all_looks(self) -> tuple[RestyleOptions, ...]:
        """The look of every shot that has one."""
        return (self.options,) if self.looks is None else tuple(self.looks.values())

    @property
    def drawn_looks(self) -> tuple[RestyleOptions, ...]:
        """Those of them that a model draws something of."""
        return tuple(look for look in self.all_looks if not look.only_painted)

    @property
    def only_painted(self) -> bool:
        """Whether all that changes is painted by hand: no model is needed."""
        return bool(self.all_looks) and not self.drawn_looks

    def __post_init__(self) -> None:
        try:
            json.dumps(self.purpose, allow_nan=False)
        except (TypeError, ValueError, RecursionError) as error:
            raise SettingError(f"purpose is not JSON: {error}", remedy="give plain texts, numbers and lists") from None
