"""What a user may ask of a render, as small frozen option sets, and what each quality preset stands for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Literal, get_args

from vedit.checks.arguments import checked
from vedit.checks.bounds import bound_fields, one_of
from vedit.checks.rationals import shown
from vedit.errors import SettingError
from vedit.media.output import OutputOptions
from vedit.options.masks import MaskSpec, RegionSpec
from vedit.types import ControlSpec, Shot

QualityName = Literal["draft", "standard", "high"]
Preserve = Literal["structure", "motion", "faces"]
Start = Literal["inversion", "noise"]
Upscale = Literal["guided", "lanczos"]
BlackBars = Literal["keep", "paint"]
OVERLAP = 4
"""Frames that neighbouring windows share where nothing else is asked; a third of the window where that is less."""
_NUMBERS = (
    "strength",
    "guidance",
    "variation",
    "seed",
    "steps",
    "inversion_steps",
    "fixed_point",
    "short_side",
    "batch",
    "window",
    "overlap",
)


@dataclass(frozen=True, kw_only=True)
class Quality:
    """The cost of a render: sampling steps, fixed-point iterations per inversion step, working short side."""

    steps: int
    fixed_point: int
    short_side: int
    """Pixels of the shorter side at which the model works; the source's own where that is smaller."""


QUALITIES: dict[str, Quality] = {
    "draft": Quality(steps=4, fixed_point=1, short_side=192),
    "standard": Quality(steps=10, fixed_point=2, short_side=256),
    "high": Quality(steps=20, fixed_point=2, short_side=384),
}
"""Of the model's own trajectory; one with few-step weights has other steps for some of them
(`vedit.models.distilled`)."""

DEFAULT_CONTROLS = (ControlSpec(kind="tile"), ControlSpec(kind="softedge"))


@checked
@dataclass(frozen=True, kw_only=True)
class RestyleOptions:
    """How the picture changes. `None` takes the quality preset's value.

    Raises:
        SettingError: a number is out of the bounds of `vedit.checks.bounds`, or a word is none of those that are known.
    """

    prompt: str = ""
    negative_prompt: str = ""
    source_prompt: str = "a photograph"
    """Describes the source; the inversion runs under it."""
    strength: float = 1.0
    """[0, 1]: the part of the trajectory that is regenerated; 0 passes the source through untouched."""
    guidance: float | None = None
    """Classifier-free guidance scale; 1 is none, None the model's own."""
    controls: tuple[ControlSpec, ...] = DEFAULT_CONTROLS
    keep: Preserve | None = None
    """What the result holds on to: sets the controls, of those that the model has."""
    mask: MaskSpec | None = None
    """Where the picture changes; outside it the source's pixels stay. None is everywhere."""
    regions: tuple[RegionSpec, ...] = ()
    """Parts of the picture with prompts of their own; with an empty `prompt` only they change."""
    variation: float | None = None
    """[0, 1]: how much of the noise where sampling begins is drawn from the seed, instead of the inverted source's own;
    None is none. With it the seed acts."""
    seed: int = 0
    """Decides what is drawn: where `variation` is above 0, or with `start` "noise"."""
    quality: QualityName = "standard"
    steps: int | None = None
    inversion_steps: int | None = None
    """Steps in which the source is inverted, at most as many as are sampled; None is as many."""
    fixed_point: int | None = None
    short_side: int | None = None
    allow_unknown: bool = False
    """Render a prompt of which the model knows no word, too, as if it said nothing."""
    start: Start = "inversion"
    """Where the trajectory begins: the inverted source, or the source plus noise of the seed."""
    cross_frame: bool = True
    anchor: str | None = None
    """The moment of the frame whose look the shots under these options share: seconds, timecode or #frame; in whatever
    shot. None: each shot has a look to itself."""
    batch: int = 8
    """Frames per network call; changes memory and speed, and the last bits: the order of sums goes with it."""
    window: int = 24
    """Frames sampled together; with `overlap` part of the settings that decide the frames."""
    overlap: int | None = None
    """Frames that neighbouring windows share, at most a third of them; None is 4, or that third where it is less."""
    upscale: Upscale = "guided"
    bars: BlackBars = "keep"
    """Black bars around the picture, found in each shot: they stay the source's to the last bit, and the model does not
    see them; or they are restyled with the picture."""

    def __post_init__(self) -> None:
        for name in ("prompt", "negative_prompt", "source_prompt"):
            _check_text(name, getattr(self, name))
        bound_fields(self, _NUMBERS)
        one_of("quality", self.quality, tuple(QUALITIES))
        one_of("start", self.start, get_args(Start))
        one_of("upscale", self.upscale, get_args(Upscale))
        one_of("bars", self.bars, get_args(BlackBars))
        if self.keep is not None:
            one_of("keep", self.keep, get_args(Preserve))
        if self.inversion_steps is not None and self.inversion_steps > self.resolved().steps:
            raise SettingError(
                f"inversion_steps is {self.inversion_steps} of {self.resolved().steps} sampling steps",
                remedy="give at most as many, or leave it out",
            )
        if self.start == "noise" and self.variation:
            raise SettingError(
                f"variation is {self.variation:g} with start noise, which is drawn from the seed as it is",
                remedy="leave one of them out",
            )
        if self.overlap is not None and self.overlap > self.window // 3:
            raise SettingError(
                f"overlap is {self.overlap} of a window of {self.window}",
                remedy=f"give at most a third of the window, {self.window // 3}, or leave it out",
            )

    @property
    def draws(self) -> bool:
        """Whether anything is drawn from the seed where sampling begins."""
        return self.start == "noise" or bool(self.variation)

    def at_quality(self, quality: QualityName) -> RestyleOptions:
        """The same look at a preset's cost, whatever it says itself of what the preset decides."""
        return replace(self, quality=quality, steps=None, inversion_steps=None, fixed_point=None, short_side=None)

    @property
    def files(self) -> tuple[Path, ...]:
        """The masks and control videos that are named, each once."""
        specs = [*([self.mask] if self.mask else []), *(region.mask for region in self.regions)]
        masks = [file.path for spec in specs for file in spec.files]
        controls = [path for spec in self.controls for path in (spec.source, spec.mask) if path is not None]
        return tuple(dict.fromkeys([*masks, *controls]))

    def resolved(self) -> Quality:
        """The preset with this render's own values in it."""
        preset = QUALITIES[self.quality]
        return Quality(
            steps=self.steps if self.steps is not None else preset.steps,
            fixed_point=self.fixed_point if self.fixed_point is not None else preset.fixed_point,
            short_side=self.short_side if self.short_side is not None else preset.short_side,
        )


def _check_text(name: str, text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        remedy = "write it in UTF-8, which the terminal or the caller has not done"
        raise SettingError(f"{name} is no text: {shown(text)}", remedy=remedy) from None


@checked
@dataclass(frozen=True, kw_only=True)
class RenderRequest:
    """One render, as the command line or a caller states it."""

    source: Path
    options: RestyleOptions
    """Of every shot, where `looks` is None."""
    looks: Mapping[int, RestyleOptions] | None = None
    """Shot number -> how that shot changes. The shots that are not listed pass through, to the last bit of the decoded
    picture; None renders every shot under `options`."""
    shots: tuple[Shot, ...] | None = None
    """The shots of the whole clip, without gap or overlap; None detects them."""
    locked: frozenset[int] = frozenset()
    """Numbers of shots that stay as the last render with `keep_frames` left them, whatever their look says now."""
    output: Path | None = None
    """None: NAME.vedit.EXT beside the source."""
    frames: str | None = None
    """START..END in seconds, timecode or #frame, END exclusive; None is the whole clip."""
    model: str = "embedded"
    """A name from the list of models, a diffusers folder, a .safetensors file, or a hub id."""
    controlnets: tuple[tuple[str, str], ...] = ()
    """Further control branches: (kind, folder, file or hub id)."""
    device: str = "auto"
    writing: OutputOptions = field(default_factory=OutputOptions)
    """The written file: codec, preset, what may be left out."""
    rate: Fraction | None = None
    """Frames per second of an image sequence."""
    track: int | None = None
    """Number of the source's video stream; None is the film."""
    allow_huge: bool = False
    """Read sources beyond the limits on frame size and length."""
    fresh: bool = False
    """Do not go on from what an earlier run has kept."""
    keep_work: bool = False
    """Keep the finished units when the result is written, so that a render with other output settings is quick."""
    purpose: Mapping[str, object] | None = None
    """What the caller knows the result by, as JSON has it: written into the result and its sidecar with the recipe."""
    keep_frames: bool = False
    """Keep each shot's finished frames too, losslessly, so that a render which changes one shot only encodes the others
    anew. Takes about as much space as a lossless copy of the clip."""

    @property
    def all_looks(self) -> tuple[RestyleOptions, ...]:
        """The look of every shot that has one."""
        return (self.options,) if self.looks is None else tuple(self.looks.values())

    def __post_init__(self) -> None:
        try:
            json.dumps(self.purpose, allow_nan=False)
        except (TypeError, ValueError, RecursionError) as error:
            raise SettingError(f"purpose is not JSON: {error}", remedy="give plain texts, numbers and lists") from None
