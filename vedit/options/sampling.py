"""What may be said of the sampling: the method, its steps and size, where it begins, and how the source is inverted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from vedit.checks.arguments import checked
from vedit.checks.rationals import shown
from vedit.checks.setting import About, setting
from vedit.errors import SettingError
from vedit.options.injection import Injection, parse_injection
from vedit.registry import pipelines

QualityName = Literal["draft", "standard", "high"]
Start = Literal["inversion", "noise"]
InversionName = Literal["fixed-point", "ddim", "ddpm"]


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


@checked
@dataclass(frozen=True, kw_only=True)
class Sampling:
    """The method that makes the frames, where its trajectory begins, its steps, and the size that it works at."""

    pipeline: str = setting(
        pipelines.OWN[0],
        About(
            "The method that makes the frames.",
            stage="sampling",
            choices=pipelines.OWN,
            plugged=pipelines.pipelines,
            metavar="NAME",
            once=True,
        ),
    )
    variation: float | None = setting(
        None,
        About(
            "How much is drawn from the seed: more gives the look's own strokes, and less of the source's detail.",
            stage="sampling",
            bounds=(0, 1),
            common=True,
            once=True,
            host=True,
            unset="the look's own, mostly 0",
        ),
    )
    """The part of the noise where sampling begins that is drawn, instead of the inverted source's own."""
    seed: int = setting(
        0,
        About(
            "Same seed, same frames; it acts where variation is above 0.",
            stage="sampling",
            bounds=(0, 2**63 - 1),  # TOML and JSON readers take 64 bits with a sign
            common=True,
            once=True,
            host=True,
        ),
    )
    quality: QualityName = setting(
        "standard",
        About(
            "Sets the steps and the size that the model works at.",
            stage="sampling",
            common=True,
            once=True,
            host=True,
        ),
    )
    steps: int | None = setting(
        None,
        About("Sampling steps, instead of the quality's.", stage="sampling", bounds=(1, 1000), once=True, host=True),
    )
    inversion_steps: int | None = setting(
        None,
        About(
            "Steps in which the source is inverted, at most those of the sampling.",
            stage="sampling",
            bounds=(1, 1000),
            option="",
            unset="as many",
        ),
    )
    fixed_point: int | None = setting(
        None,
        About(
            "Fixed-point iterations of each inversion step, instead of the quality's.",
            stage="sampling",
            bounds=(1, 100),
            option="",
        ),
    )
    short_side: int | None = setting(
        None,
        About(
            "Pixels of the shorter side that the model works at, instead of the quality's.",
            stage="sampling",
            bounds=(64, 4096),
            option="size",
            metavar="PIXELS",
            once=True,
        ),
    )
    start: Start | None = setting(
        None,
        About(
            "Where the trajectory begins: the inverted source, or the source plus noise of the seed.",
            stage="sampling",
            option="",
            unset="the inverted source; of a few-step model the noised one",
        ),
    )
    inversion: InversionName = setting(
        "fixed-point",
        About(
            "How the source becomes noise: solved for step by step, by plain DDIM, or by noise maps (edit-friendly "
            "DDPM), which follow the prompt more freely.",
            stage="sampling",
            once=True,
        ),
    )
    inject: str | None = setting(
        None,
        About(
            "Parts of the sampling in which the source's features, and its attention, take the place of the target's; "
            "0.8,0.5 is usual.",
            stage="sampling",
            metavar="FEATURES[,ATTENTION]",
            once=True,
            unset="nothing is injected",
            python='a text: "0.8,0.5"',
        ),
    )

    def __post_init__(self) -> None:
        self._check_inversion()
        if self.steps is not None:  # else the presets of the model's family say how many there are
            self.check_inversion_steps(self.steps)
        if self.start == "noise" and self.variation:
            raise SettingError(
                f"variation is {self.variation:g} with start noise, which is drawn from the seed as it is",
                remedy="leave one of them out",
            )

    def check_inversion_steps(self, steps: int) -> None:
        """Raises SettingError where the source would be inverted in more steps than the `steps` that are sampled."""
        if self.inversion_steps is not None and self.inversion_steps > steps:
            raise SettingError(
                f"inversion_steps is {self.inversion_steps} of {steps} sampling steps",
                remedy="give at most as many, or leave it out",
            )

    def _check_inversion(self) -> None:
        """Raises SettingError where the method of inversion has no use for what else is asked."""
        own = self.inversion == "fixed-point"
        asked = {
            f"inversion is {self.inversion}": not own,
            f"inject is {shown(self.inject or '')}": self.injection is not None,
        }
        if self.start == "noise" and any(asked.values()):
            told = next(told for told, there in asked.items() if there)
            raise SettingError(f"{told} with start noise, which inverts nothing", remedy="leave one of them out")
        if self.fixed_point is not None and not own:
            raise SettingError(
                f"fixed_point is {self.fixed_point} with inversion {self.inversion}, which evaluates each step once",
                remedy="leave fixed_point out, or take the inversion fixed-point",
            )
        if self.inversion_steps is not None and self.inversion == "ddpm":
            raise SettingError(
                f"inversion_steps is {self.inversion_steps} with inversion ddpm, whose noise maps are of the sampling's"
                " own steps",
                remedy="leave inversion_steps out, or take another inversion",
            )

    @property
    def injection(self) -> Injection | None:
        """What `inject` says; None: nothing is injected."""
        return None if self.inject is None else parse_injection(self.inject)

    @property
    def draws(self) -> bool:
        """Whether anything is drawn from the seed where sampling begins."""
        return self.begins == "noise" or bool(self.variation)

    @property
    def begins(self) -> Start:
        """The start; the inversion where nothing is said, as it is of every look that is settled for a model."""
        return self.start or "inversion"

    def resolved(self, qualities: Mapping[str, Quality] = QUALITIES) -> Quality:
        """The preset with this render's own values in it; `qualities` are those of the model's family."""
        preset = qualities[self.quality]
        return Quality(
            steps=self.steps if self.steps is not None else preset.steps,
            fixed_point=self.fixed_point if self.fixed_point is not None else preset.fixed_point,
            short_side=self.short_side if self.short_side is not None else preset.short_side,
        )
