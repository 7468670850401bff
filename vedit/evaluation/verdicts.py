"""Figures in words: what a supervisor reads first.

The bounds were set on renders as they ship, frozen, shuffled, made frame by frame, and re-encoded, of clips of several
kinds (docs/evaluate.md has the table); they say where a viewer begins to see it, not what a metric can resolve.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vedit.evaluation.report import Level, Verdict

if TYPE_CHECKING:
    from vedit.evaluation.definition import Figure
    from vedit.media.contract.report import ContractReport

STUCK = 0.6
"""Correlation with itself in place, some frames earlier, above which what is drawn stays on the screen."""


UNCHANGED = 1.5
"""Distance in colour (Delta E) and in texture (levels) up to which nothing but encoding need have happened: CRF 23
makes 0.2 to 0.4 of either."""
DRAWN = 4.0
"""Levels of fine detail that is not the source's, below which there is nothing to follow: encoding alone makes 2."""


@dataclass(frozen=True, kw_only=True)
class Found:
    """The figures at hand."""

    figures: Mapping[str, Figure]

    def value(self, name: str) -> float | None:
        """Of the result; None where it was not measured."""
        figure = self.figures.get(name)
        return None if figure is None else figure.value

    def own(self, name: str) -> float | None:
        """Of the source."""
        figure = self.figures.get(name)
        return None if figure is None else figure.own

    def why(self, name: str) -> str:
        """Why there is no value, or what else there is to say of it."""
        figure = self.figures.get(name)
        return "" if figure is None else figure.why

    def floor(self, name: str) -> float | None:
        """The worse of the floors."""
        figure = self.figures.get(name)
        given = [] if figure is None else [value for value in figure.floors.values() if value is not None]
        if not given or figure is None:
            return None
        return (min if figure.definition.better == "higher" else max)(given)

    def told(self, name: str) -> str:
        """A value with its unit."""
        figure = self.figures[name]
        assert figure.value is not None
        return f"{figure.value:.{figure.definition.places}f} {figure.definition.unit}".strip()


Judge = Callable[[Found], "Verdict | None"]


def verdicts_of(figures: Mapping[str, Figure], contract: ContractReport | None) -> tuple[Verdict, ...]:
    """The verdicts that the figures at hand allow, in the order of their subjects."""
    found = Found(figures=figures)
    judged = [judge(found) for judge in _JUDGES]
    return tuple(one for one in (_contract(contract), *judged) if one is not None)


def _contract(contract: ContractReport | None) -> Verdict | None:
    if contract is None:
        return None
    if contract.ok:
        return Verdict(subject="timing and sound", level="good", text="Timing, sound and tags are the source's.")
    names = ", ".join(check.name for check in contract.breaches)
    return Verdict(subject="timing and sound", level="bad", text=f"Not as in the source: {names}.")


def _level(value: float, good: float, fair: float) -> Level:
    return "good" if value <= good else "fair" if value <= fair else "bad"


def _motion(found: Found) -> Verdict | None:
    error = found.value("motion_error")
    if error is None:
        return None
    share = f"{100 * error:.0f} % of the source's motion is lost or wrong"
    if _frozen(found):
        text = f"The result stands still where the source moves ({share})."
    else:
        text = {
            "good": f"Things move as in the source ({share}).",
            "fair": f"Things move roughly as in the source ({share}).",
            "bad": f"Things do not move as in the source ({share}).",
        }[_level(error, 0.25, 0.6)]
    return Verdict(subject="motion", level=_level(error, 0.25, 0.6), text=text, figures=("motion_error",))


def _frozen(found: Found) -> bool:
    error, stuck = found.value("motion_error"), found.value("anchoring_screen")
    return error is not None and 0.9 <= error <= 1.1 and stuck is not None and stuck > STUCK


def _camera(found: Found) -> Verdict | None:
    step, end = found.value("camera_path"), found.value("camera_path_end")
    if step is None:
        why = found.why("camera_path")
        if "the result's border" not in why:
            return None
        return Verdict(
            subject="camera", level="bad", text=f"The camera has no path any more: {why}.", figures=("camera_path",)
        )
    level = _level(step, 0.05, 0.1)
    by_end = "" if end is None else f", {end:.2f} % by the end of a shot"
    told = f"({step:.3f} % of the shorter side a frame{by_end})"
    said = {"good": "is the source's", "fair": "shakes a little", "bad": "is not the source's"}[level]
    text = f"The path of the camera {said} {told}."
    return Verdict(subject="camera", level=level, text=text, figures=("camera_path", "camera_path_end"))


def _steadiness(found: Found) -> Verdict | None:
    value, own = found.value("flicker_detail"), found.own("flicker_detail")
    if value is None or own is None:
        return None
    # Neither what encoding does to a still source nor the model's autoencoder is a render's fault.
    times = value / max(own, found.floor("flicker_detail") or 0.0, 0.02)
    level = _level(times, 2, 3.5)
    told = f"{times:.1f} times as much as in the source"
    text = {
        "good": f"Fine detail is steady: along the scene it changes {told}.",
        "fair": f"Fine detail swims: along the scene it changes {told}.",
        "bad": f"Fine detail boils, as if frames were made one by one: along the scene it changes {told}.",
    }[level]
    if _frozen(found) and level != "good":
        text = f"Fine detail does not follow the scene: along it, it changes {told}."
    return Verdict(subject="steadiness", level=level, text=text, figures=("flicker_detail", "warp_error"))


def _brightness(found: Found) -> Verdict | None:
    value, own = found.value("flicker_frame"), found.own("flicker_frame")
    if value is None or own is None:
        return None
    level = _level(value - own, 0.7, 2)
    told = f"({found.told('flicker_frame')}, the source {own:.2f})"
    said = {"good": "does not pump", "fair": "pumps a little", "bad": "pumps from frame to frame"}[level]
    text = f"The brightness of the picture {said} {told}."
    return Verdict(subject="brightness", level=level, text=text, figures=("flicker_frame",))


def _anchoring(found: Found) -> Verdict | None:
    """Textured parts and flat ones; the worse of the two is what is seen."""
    parts = (("anchoring", "anchoring_screen", "What is drawn"), ("anchoring_flat", "anchoring_flat_screen", _FLAT))
    worst: Verdict | None = None
    drawn = found.value("drawn_levels")
    if drawn is not None and drawn < DRAWN:
        text = f"Hardly anything is drawn ({found.told('drawn_levels')}), so nothing can swim."
        return Verdict(subject="texture", level="unknown", text=text, figures=("drawn_levels",))
    for scene_name, screen_name, what in parts:
        scene, screen = found.value(scene_name), found.value(screen_name)
        if scene is None or screen is None:
            continue
        told = f"it is {scene:.2f} like itself along the scene and {screen:.2f} in place, 8 frames on"
        if screen > STUCK or (screen > 0.3 and screen > scene):
            level: Level = "bad"
            text = f"{what} stays on the screen while the scene moves below it: {told}."
        elif scene < 0.3 or screen > 0.3:
            level, text = "fair", f"{what} rides on the scene only in part: {told}."
        else:
            level, text = "good", f"{what} rides on the scene: {told}."
        if worst is None or _RANK[level] > _RANK[worst.level]:
            worst = Verdict(subject="texture", level=level, text=text, figures=(scene_name, screen_name))
    return worst


_FLAT = "What is drawn in flat parts"
_RANK: Mapping[Level, int] = {"good": 0, "fair": 1, "bad": 2, "unknown": 0}


def _structure(found: Found) -> Verdict | None:
    edges = found.value("edge_correlation")
    if edges is None:
        return None
    level = _level(-edges, -0.45, -0.25)
    text = {
        "good": f"Shapes stand where the source's stand (edges correlate by {edges:.2f}).",
        "fair": f"Shapes follow the source's loosely (edges correlate by {edges:.2f}).",
        "bad": f"Shapes are not the source's (edges correlate by {edges:.2f}).",
    }[level]
    return Verdict(subject="structure", level=level, text=text, figures=("edge_correlation", "structure_ssim"))


def _change(found: Found) -> Verdict | None:
    colour, texture = found.value("colour_distance"), found.value("texture_distance")
    if colour is None or texture is None:
        return None
    changed = colour > UNCHANGED or texture > UNCHANGED
    told = f"colours moved by {found.told('colour_distance')}, texture by {found.told('texture_distance')}"
    if not changed:
        text = f"The picture hardly changed: {told}, about what encoding does."
        return Verdict(subject="look", level="fair", text=text, figures=("colour_distance", "texture_distance"))
    return Verdict(
        subject="look", level="good", text=f"The look changed: {told}.", figures=("colour_distance", "texture_distance")
    )


def _prompt(found: Found) -> Verdict | None:
    """Of the embedded model, whose looks are known: never worse than fair, since a look can be fine and untypical."""
    rank = found.value("look_rank")
    if rank is None:
        return None
    told = found.why("look_rank")
    if rank <= 3:
        text = f"The result wears the look that was asked for (place {rank:.0f} {told})."
        return Verdict(subject="prompt", level="good", text=text, figures=("look_rank", "look_distance"))
    text = f"The result is not typical of the look that was asked for (place {rank:.0f} {told})."
    return Verdict(subject="prompt", level="fair", text=text, figures=("look_rank", "look_distance"))


def _grid(found: Found) -> Verdict | None:
    value = found.value("lattice")
    if value is None:
        return None
    level = _level(value, 0.5, 1.0)
    said = {"good": "No grid is visible", "fair": "A faint grid lies", "bad": "A grid is visible"}[level]
    text = f"{said} in flat parts ({found.told('lattice')})."
    return Verdict(subject="grid", level=level, text=text, figures=("lattice",))


def _drift(found: Found) -> Verdict | None:
    colour, sharpness = found.value("colour_drift"), found.value("sharpness_drift")
    if colour is None:
        return None
    level = _level(colour, 3, 6)
    told = f"colour by {found.told('colour_drift')}" + (
        "" if sharpness is None else f", sharpness by {found.told('sharpness_drift')}"
    )
    text = {
        "good": f"The look holds over a shot ({told} beyond the source).",
        "fair": f"The look drifts a little over a shot ({told} beyond the source).",
        "bad": f"The look drifts over a shot ({told} beyond the source).",
    }[level]
    return Verdict(subject="drift", level=level, text=text, figures=("colour_drift", "sharpness_drift"))


def _outside(found: Found) -> Verdict | None:
    """Beside what encoding costs: a lossy file is not a breach."""
    most, psnr = found.value("outside_max"), found.value("outside_psnr")
    if most is None:
        return None
    told = f"at most {found.told('outside_max')}" + ("" if psnr is None else f", {psnr:.1f} dB")
    if most == 0:
        text = "Outside the mask every pixel is the source's."
        return Verdict(subject="outside the mask", level="good", text=text, figures=("outside_max",))
    floor = found.floor("outside_psnr")
    if psnr is None or floor is None:
        level, text = "unknown", f"Outside the mask the file differs from the source ({told})."
    elif psnr >= floor - 1:
        level, text = (
            "good",
            f"Outside the mask only encoding changed it ({told}; encoding alone {floor:.1f} dB).",
        )
    else:
        level, text = "bad", f"The picture changed outside the mask ({told}; encoding alone {floor:.1f} dB)."
    return Verdict(subject="outside the mask", level=level, text=text, figures=("outside_max", "outside_psnr"))


_JUDGES: tuple[Judge, ...] = (
    _motion,
    _camera,
    _steadiness,
    _brightness,
    _anchoring,
    _structure,
    _outside,
    _change,
    _prompt,
    _grid,
    _drift,
)
