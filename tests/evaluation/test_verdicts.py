"""Verdicts: what figures mean in words, and that no figure at all means none."""

from __future__ import annotations

import pytest

from vedit.evaluation.definition import Definition, Figure
from vedit.evaluation.verdicts import verdicts_of
from vedit.media.contract.report import ContractReport, check


def figures(**values: tuple[float | None, float | None, float | None]) -> dict[str, Figure]:
    """Of (value, the source's own, floor)."""
    return {
        name: Figure(
            metric="made up",
            definition=Definition(
                name=name, title=name, unit="", better="higher" if "psnr" in name else "lower", ideal=None, variant=""
            ),
            value=value,
            why="" if value is not None else "in 5 of 5 steps the result's border does not move as under one camera",
            own=own,
            floors={"re-encoded": floor},
        )
        for name, (value, own, floor) in values.items()
    }


@pytest.mark.parametrize(
    ("found", "subject", "level", "words"),
    [
        ({"motion_error": (0.07, 0, 0.03)}, "motion", "good", "move as in the source (7 %"),
        ({"motion_error": (0.5, 0, 0.03)}, "motion", "fair", "roughly"),
        ({"motion_error": (2.1, 0, 0.03)}, "motion", "bad", "do not move"),
        ({"motion_error": (1.0, 0, 0), "anchoring_screen": (0.95, 0, 0)}, "motion", "bad", "stands still"),
        ({"camera_path": (0.013, 0, 0), "camera_path_end": (0.2, 0, 0)}, "camera", "good", "is the source's"),
        ({"camera_path": (0.5, 0, 0)}, "camera", "bad", "is not the source's"),
        ({"camera_path": (None, 0, 0)}, "camera", "bad", "has no path any more"),
        ({"flicker_detail": (0.13, 0.11, 0.11)}, "steadiness", "good", "1.2 times"),
        ({"flicker_detail": (0.9, 0.11, 0.11)}, "steadiness", "bad", "boils"),
        (
            {"flicker_detail": (0.9, 0.11, 0.11), "motion_error": (1.0, 0, 0), "anchoring_screen": (0.9, 0, 0)},
            "steadiness",
            "bad",
            "does not follow the scene",
        ),
        ({"flicker_frame": (0.3, 0.2, 0.2)}, "brightness", "good", "does not pump"),
        ({"flicker_frame": (6.0, 0.2, 0.2)}, "brightness", "bad", "pumps from frame to frame"),
        ({"anchoring": (0.78, 0.9, 0.2), "anchoring_screen": (0.03, 0, 0)}, "texture", "good", "rides on the scene:"),
        ({"anchoring": (0.03, 0.9, 0.2), "anchoring_screen": (0.97, 0, 0)}, "texture", "bad", "stays on the screen"),
        (
            {
                "anchoring": (0.78, 0.9, 0.2),
                "anchoring_screen": (0.03, 0, 0),
                "anchoring_flat": (0.1, 0.5, 0.2),
                "anchoring_flat_screen": (0.5, 0, 0),
            },
            "texture",
            "bad",
            "in flat parts stays on the screen",
        ),
        (
            {"anchoring": (0.1, 0.9, 0.2), "anchoring_screen": (0.0, 0, 0), "drawn_levels": (2.0, 10, 2)},
            "texture",
            "unknown",
            "Hardly anything is drawn",
        ),
        ({"edge_correlation": (0.6, 1, 1)}, "structure", "good", "stand where"),
        ({"edge_correlation": (0.3, 1, 1)}, "structure", "fair", "loosely"),
        ({"edge_correlation": (0.1, 1, 1)}, "structure", "bad", "not the source's"),
        ({"outside_max": (0, 0, 4)}, "outside the mask", "good", "every pixel is the source's"),
        ({"outside_max": (5, 0, 4), "outside_psnr": (43.0, 100, 42.0)}, "outside the mask", "good", "only encoding"),
        ({"outside_max": (90, 0, 4), "outside_psnr": (30.0, 100, 42.0)}, "outside the mask", "bad", "changed outside"),
        ({"colour_distance": (20, 0, 0.4), "texture_distance": (15, 0, 0.4)}, "look", "good", "The look changed"),
        ({"colour_distance": (0.5, 0, 0.4), "texture_distance": (0.6, 0, 0.4)}, "look", "fair", "hardly changed"),
        ({"lattice": (0.1, 0, 0)}, "grid", "good", "No grid"),
        ({"lattice": (2.0, 0, 0)}, "grid", "bad", "A grid is visible"),
        ({"colour_drift": (1.0, 0, 0)}, "drift", "good", "holds over a shot"),
        ({"colour_drift": (9.0, 0, 0), "sharpness_drift": (12, 0, 0)}, "drift", "bad", "drifts over a shot"),
    ],
)
def test_words(
    found: dict[str, tuple[float | None, float | None, float | None]], subject: str, level: str, words: str
) -> None:
    (one,) = [verdict for verdict in verdicts_of(figures(**found), None) if verdict.subject == subject]
    assert one.level == level and words in one.text
    assert set(one.figures) <= {*found, "warp_error", "camera_path_end", "structure_ssim", "sharpness_drift"}


def test_nothing_measured_is_nothing_said() -> None:
    assert verdicts_of({}, None) == ()


def test_the_contract_comes_first() -> None:
    broken = ContractReport(checks=(check("frame count", 3, 2), check("duration", 1, 1)))
    (first, *_) = verdicts_of(figures(lattice=(0.1, 0, 0)), broken)
    assert (first.subject, first.level) == ("timing and sound", "bad") and "frame count" in first.text
