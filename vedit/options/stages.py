"""What may be said of how the picture changes, by the stage of a render that it decides; each stage checks itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from vedit.checks.arguments import checked
from vedit.checks.rationals import shown
from vedit.checks.setting import About, setting
from vedit.errors import SettingError
from vedit.options.keyframes import AUTO, Spacing, parse_keyframes
from vedit.options.masks import MaskSpec, RegionSpec
from vedit.options.painted import PaintedSpec
from vedit.registry import attention, upscalers
from vedit.types import ControlSpec

Preserve = Literal["structure", "motion", "faces"]
BlackBars = Literal["keep", "paint"]


_TIME = "TIME is a frame number (0, #24), seconds (1.5s) or a timecode"
DEFAULT_CONTROLS = (ControlSpec(kind="tile"), ControlSpec(kind="softedge"))


@checked
@dataclass(frozen=True, kw_only=True)
class Look:
    """What the picture becomes, how far, what of it stays, and where it changes."""

    prompt: str = setting(
        "",
        About(
            "The look to give, for instance 'woodcut'.",
            stage="look",
            short="p",
            common=True,
            plan="a shot without a prompt passes through untouched",
            python="it may stay empty where regions have prompts",
        ),
    )
    negative_prompt: str = setting(
        "", About("What the result should not look like.", stage="look", common=True, once=True, host=True)
    )
    source_prompt: str = setting(
        "a photograph",
        About("What the source shows, in words; the inversion runs under it.", stage="look", once=True, host=True),
    )
    strength: float | None = setting(
        None,
        About(
            "How much is regenerated; 0 is the source.",
            stage="look",
            bounds=(0, 1),
            common=True,
            once=True,
            host=True,
            unset="1, and of a few-step model that begins at the noised source its own",
        ),
    )
    guidance: float | None = setting(
        None,
        About(
            "How strictly the prompt is followed; 1 is without guidance.",
            stage="look",
            bounds=(0, 100),  # what is used is 1 to 20; far beyond, the numbers of the networks overflow
            common=True,
            once=True,
            host=True,
            unset="the model's own",
        ),
    )
    """Of classifier-free guidance."""
    controls: tuple[ControlSpec, ...] = setting(
        DEFAULT_CONTROLS,
        About(
            "What keeps the structure.",
            stage="look",
            metavar="KIND[:SCALE[@START-END]][,invert=SCALE[@START-END]][,mask=FILE]",
            option="control",
            several=True,
            common=True,
            once=True,
            host=True,
            unset="tile, softedge",
            cli="'none' for no control",
            plan="'none' for no control",
            easier="Sequence[ControlSpec | str] | None",
            python='as specifications or as --control has them ("softedge:0.8@0-0.6"), () for none',
        ),
    )
    keep: Preserve | None = setting(
        None,
        About(
            "What the result holds on to: controls by intent.",
            stage="look",
            once=True,
            host=True,
            cli="instead of --control",
            python="instead of controls",
        ),
    )
    mask: MaskSpec | None = setting(
        None,
        About(
            "Where the picture changes.",
            stage="mask",
            metavar="FILE[@TIME], box:X,Y,W,H, subject:WORDS ...",
            option="",
            several=True,
            unset="everywhere",
            easier="MaskSpec | Path | str | None",
            python="a specification, or one mask in a word as --region has it",
        ),
    )
    """Outside it the source's pixels stay."""
    regions: tuple[RegionSpec, ...] = setting(
        (),
        About(
            "A part of the picture with a prompt of its own; where nothing else has a prompt, only it changes.",
            stage="mask",
            metavar="MASK=PROMPT",
            option="region",
            several=True,
            easier="Sequence[RegionSpec | str]",
            python="each as a specification or as --region has it (MASK=PROMPT)",
        ),
    )
    allow_unknown: bool = setting(
        False, About("Render a prompt of which the model knows no word, too.", stage="look", once=True)
    )

    def __post_init__(self) -> None:
        for name in ("prompt", "negative_prompt", "source_prompt"):
            _check_text(name, getattr(self, name))

    @property
    def regenerated(self) -> float:
        """The strength; all where nothing is said, as it is of every look that is settled for a model."""
        return 1.0 if self.strength is None else self.strength


@checked
@dataclass(frozen=True, kw_only=True)
class Consistency:
    """What the frames share with one another."""

    attention: str | None = setting(
        None,
        About(
            "How frames that are sampled together see one another.",
            stage="consistency",
            choices=attention.OWN,
            plugged=attention.attention_methods,
            metavar="NAME",
            once=True,
            unset="the model's own, what it gains by",
        ),
    )
    cross_frame: bool = setting(
        True,
        About(
            "Frames see one another as attention says; false is the same as attention none.",
            stage="consistency",
            option="",
        ),
    )
    anchor: str | None = setting(
        None,
        About(
            "A frame in whatever shot whose look the shots share, as seconds (12.5), timecode or #48.",
            stage="consistency",
            metavar="TIME",
            common=True,
            unset="each shot has a look to itself",
            python='a text: "12.5", "#48"',
        ),
    )
    batch: int = setting(
        8,
        About(
            "Frames per network call: memory and speed, and the frames by a level at most.",
            stage="model",
            bounds=(1, 1_000_000),
            once=True,
            host=True,
        ),
    )
    """It changes the last bits, since the order of sums goes with it."""
    window: int = setting(
        24,
        About(
            "Frames sampled together; decides the frames, like the seed.",
            stage="consistency",
            bounds=(1, 1_000_000),
            once=True,
            host=True,
        ),
    )
    keyframes: str | None = setting(
        None,
        About(
            "Draw some frames, auto or one in N at least, and carry the others between them along the motion.",
            stage="consistency",
            metavar="auto|N",
            common=True,
            once=True,
            host=True,
            unset="the model draws every frame",
            python='a text: "auto", "8"',
        ),
        later=True,
    )
    keyframe: tuple[PaintedSpec, ...] = setting(
        (),
        About(
            "A frame painted by hand, or a folder of `vedit keys export`: kept, and carried to frames around it.",
            stage="consistency",
            metavar="TIME=FILE|FOLDER",
            several=True,
            common=True,
            cli=f"{_TIME}; without a prompt nothing else is drawn",
            plan=f"{_TIME}; a look may have painted frames and no prompt",
            easier="Sequence[PaintedSpec | Path | str]",
            python=f"each as a specification, as --keyframe has it, or a folder's path; {_TIME}",
        ),
        later=True,
    )
    overlap: int | None = setting(
        None,
        About(
            "Frames that neighbouring windows share, at most a third of the window.",
            stage="consistency",
            bounds=(0, 333_333),  # in the window at hand, a third of it: `vedit.diffusion.windows`
            option="",
            unset="4, or that third where it is less",
        ),
    )

    @property
    def spacing(self) -> Spacing | None:
        """How far apart keyframes may lie; None: every frame is drawn."""
        keyframes = AUTO if self.keyframes is None and self.keyframe else self.keyframes
        return None if keyframes is None else parse_keyframes(keyframes)

    @property
    def attention_method(self) -> str:
        """The name of the method that acts; cross-frame where nothing is said, as it was once of every look. Of a look
        that is settled for a model it is always said (`vedit.models.family.Traits.settled`)."""
        return (self.attention or attention.CROSS_FRAME) if self.cross_frame else attention.NONE

    def __post_init__(self) -> None:
        _ = self.spacing
        if not self.cross_frame and self.attention not in (None, attention.CROSS_FRAME, attention.NONE):
            raise SettingError(
                f"attention is {shown(self.attention)} with cross_frame false, under which frames see themselves alone",
                remedy="leave cross_frame out",
            )
        if self.overlap is not None and self.overlap > self.window // 3:
            raise SettingError(
                f"overlap is {self.overlap} of a window of {self.window}",
                remedy=f"give at most a third of the window, {self.window // 3}, or leave it out",
            )


@checked
@dataclass(frozen=True, kw_only=True)
class Finishing:
    """What is made of the model's picture before it is written."""

    upscale: str = setting(
        upscalers.OWN[0],
        About(
            "Back to the source's size: guided by the source's edges, or plain.",
            stage="finishing",
            choices=upscalers.OWN,
            plugged=upscalers.upscalers,
            metavar="NAME",
            once=True,
        ),
    )
    bars: BlackBars = setting(
        "keep",
        About(
            "Black bars around the picture, found in each shot: left as they are, or restyled too.",
            stage="finishing",
            once=True,
        ),
    )
    """Kept they stay the source's to the last bit, and the model does not see them."""


def _check_text(name: str, text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        remedy = "write it in UTF-8, which the terminal or the caller has not done"
        raise SettingError(f"{name} is no text: {shown(text)}", remedy=remedy) from None
