"""What `--inject` asks for: how long the source's features and attention take the place of the target's."""

from __future__ import annotations

import re
from dataclasses import dataclass

from vedit.checks.rationals import shown
from vedit.errors import SettingError

INJECTED = ("features", "attention")
"""What there is to inject, by the names of `Injection`'s fields."""
_NUMBER = r"\s*([0-9]*\.?[0-9]+)\s*"
_FORM = re.compile(rf"{_NUMBER}(?:,{_NUMBER})?", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class Injection:
    """Until when the sampling takes parts of the source's own states, as parts of the sampling in [0, 1]; 0 is never.

    Tumanyan et al. 2023 (Plug-and-Play, tau_f and tau_A): 0.8 of the sampling for features, 0.5 for attention.
    """

    features: float
    """Of a residual block of the decoder: layout and shapes."""
    attention: float = 0.0
    """Queries and keys of self-attention in the decoder: what belongs together."""

    def steps_of(self, count: int) -> int:
        """In how many of the sampling's steps anything is injected: each costs a further evaluation."""
        return _steps_until(max(self.features, self.attention), count)

    def check_steps(self, count: int) -> None:
        """Raises SettingError where a part that is asked for is less than one of the sampling's steps."""
        for name, part in (("features", self.features), ("attention", self.attention)):
            if count and part and not _steps_until(part, count):
                steps = f"{count} sampling steps" if count > 1 else "the one sampling step"
                raise SettingError(
                    f"inject is {part:g} for {name}, which is less than {'one of ' if count > 1 else ''}{steps}",
                    remedy=f"give at least {-(-100 // count) / 100:g}, 0 for none of it, or more steps",
                )


def _steps_until(part: float, count: int) -> int:
    """The steps of `count` that end in the first `part` of the sampling."""
    return sum((index + 1) / count <= part for index in range(count))


def parse_injection(text: str) -> Injection:
    """`FEATURES[,ATTENTION]` -> until when each is injected; ATTENTION is 0 where it is left out.

    Raises:
        SettingError: the text is of another form, a part lies outside [0, 1], or both are 0.
    """
    match = _FORM.fullmatch(text)
    remedy = "give parts of the sampling from 0 to 1, FEATURES or FEATURES,ATTENTION, for instance 0.8,0.5"
    if match is None:
        raise SettingError(f"inject is {shown(text)}", remedy=remedy)
    features, attention = float(match[1]), float(match[2] or 0)
    if max(features, attention) > 1:
        raise SettingError(
            f"inject is {shown(text)}, of which {max(features, attention):g} lies above 1", remedy=remedy
        )
    if features == attention == 0:
        raise SettingError(f"inject is {shown(text)}, which injects nothing", remedy="leave it out, or give 0.8,0.5")
    return Injection(features=features, attention=attention)
