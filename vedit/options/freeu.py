"""What `--freeu` asks for: the four scales of FreeU (Si et al., FreeU: Free Lunch in Diffusion U-Net, CVPR 2024)."""

from __future__ import annotations

from dataclasses import dataclass

from vedit.checks.rationals import rational, shown
from vedit.errors import SettingError

AUTO = "auto"
"""The values that suit the model's family."""
LARGEST = 10.0


@dataclass(frozen=True, kw_only=True)
class FreeU:
    """What the features of the UNet's two coarsest steps up are multiplied by."""

    b1: float
    """Of half of the channels of the first; above 1 strengthens what is drawn."""
    b2: float
    """The same of the second."""
    s1: float
    """Of the low frequencies that skip to the first; below 1 weakens what smooths details away."""
    s2: float
    """The same of the second."""


FOR_TEXT = {
    768: FreeU(b1=1.5, b2=1.6, s1=0.9, s2=0.2),
    1024: FreeU(b1=1.4, b2=1.6, s1=0.9, s2=0.2),
    2048: FreeU(b1=1.3, b2=1.4, s1=0.9, s2=0.2),
}
"""By the width of the text that a UNet reads: Stable Diffusion 1.x, 2.x and XL, as the authors recommend."""


def parse_freeu(text: str) -> FreeU | None:
    """`B1,B2,S1,S2` -> the scales; None of `auto`, the family's own.

    Raises:
        SettingError: it is neither, or a scale is out of 0 to 10.
    """
    if text.strip() == AUTO:
        return None
    try:
        found = [float(rational(part.strip())) for part in text.split(",")]
    except ValueError:
        found = []
    if len(found) != 4 or not all(0 <= one <= LARGEST for one in found):
        raise SettingError(
            f"freeu is {shown(text)}",
            remedy=f"give B1,B2,S1,S2, each from 0 to {LARGEST:g}, for instance 1.5,1.6,0.9,0.2, or {AUTO}",
        )
    return FreeU(b1=found[0], b2=found[1], s1=found[2], s2=found[3])
