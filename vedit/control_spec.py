"""Which control acts, how strongly, when and where: while a look is sampled, and while its source is inverted.

Importing this does not import torch.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from vedit.checks.arguments import checked
from vedit.checks.bounds import Bound, bounded
from vedit.checks.setting import About, later, setting
from vedit.errors import SettingError

CONTROL_BOUNDS = {
    "scale": Bound(kind="number", low=0, high=10),
    "start": Bound(kind="number", low=0, high=1),
    "end": Bound(kind="number", low=0, high=1),
}
"""Of the numbers of a control."""


@checked
@dataclass(frozen=True, kw_only=True)
class ControlSchedule:
    """How strongly a control acts, and in which part of the sampling: 0 is its noisy beginning.

    Raises:
        SettingError: a number is out of `CONTROL_BOUNDS`, or the part is empty.
    """

    scale: float = 1.0
    start: float = 0.0
    end: float = 1.0

    def __post_init__(self) -> None:
        for name in ("scale", "start", "end"):
            told = f"the {name} of a control in the inversion"
            object.__setattr__(self, name, bounded(told, getattr(self, name), CONTROL_BOUNDS[name]))
        if not self.start < self.end:
            raise SettingError(
                f"a control acts over {self.start:g}-{self.end:g} in the inversion",
                remedy="give a part of the sampling, 0 <= start < end <= 1",
            )

    def __str__(self) -> str:
        return f"{self.scale:g}@{self.start:g}-{self.end:g}"


@checked
@dataclass(frozen=True, kw_only=True)
class ControlSpec:
    """`--control KIND[:SCALE[@START-END]][,invert=SCALE[@START-END]][,mask=FILE]`: which control acts, how strongly,
    when, and where.

    Raises:
        SettingError: a number is out of `CONTROL_BOUNDS`.
    """

    kind: str
    """Name of the preprocessor."""
    scale: float = 1.0
    start: float = 0.0
    end: float = 1.0
    mask: Path | None = None
    """White where it acts: a picture, a video or an image sequence on the source's timing."""
    source: Path | None = setting(
        None,
        About(
            "A control video made elsewhere, on the source's timing, for one of the controls.",
            stage="look",
            metavar="KIND=FILE",
            option="from",
            key="from",
            several=True,
        ),
    )
    """It takes the place of the preprocessor."""
    invert: ControlSchedule | None = later(None)
    """How it acts while the source is inverted; None: as while it is sampled, so that the way there is the way back."""

    @property
    def inverting(self) -> ControlSpec:
        """The control as it acts while the source is inverted."""
        if self.invert is None:
            return self
        return replace(self, scale=self.invert.scale, start=self.invert.start, end=self.invert.end, invert=None)

    def __post_init__(self) -> None:
        for name in ("scale", "start", "end"):
            told = f"the {name} of the control {self.kind}"
            object.__setattr__(self, name, bounded(told, getattr(self, name), CONTROL_BOUNDS[name]))
        if not self.start < self.end:
            raise SettingError(
                f"the control {self.kind} acts over {self.start:g}-{self.end:g}",
                remedy="give a part of the sampling, 0 <= start < end <= 1",
            )

    def __str__(self) -> str:
        files = "".join(f",{name}={path}" for name, path in (("mask", self.mask), ("from", self.source)) if path)
        invert = "" if self.invert is None else f",invert={self.invert}"
        return f"{self.kind}:{self.scale:g}@{self.start:g}-{self.end:g}{invert}{files}"
