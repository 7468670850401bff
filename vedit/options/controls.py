"""What `--control` asks for: kinds, scales and schedules, controls by intent, and which a model has."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from vedit.checks.rationals import rational, shown
from vedit.errors import InputError, SettingError
from vedit.options.request import DEFAULT_CONTROLS, Preserve
from vedit.registry.preprocessors import described, preprocessors
from vedit.types import ControlSchedule, ControlSpec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vedit.options.request import RestyleOptions

KEEPS: tuple[Preserve, ...] = get_args(Preserve)
_PRESETS: dict[Preserve, tuple[ControlSpec, ...]] = {
    # Outlines and distance hold the geometry; colour is let go early, so that the look is free.
    "structure": (
        ControlSpec(kind="softedge"),
        ControlSpec(kind="depth", scale=0.8),
        ControlSpec(kind="tile", scale=0.5, end=0.6),
    ),
    # The picture itself, blurred, ties every frame to its source, and so to its neighbours.
    "motion": (
        ControlSpec(kind="tile"),
        ControlSpec(kind="softedge", scale=0.6),
        ControlSpec(kind="pose", scale=0.6),
    ),
    # Features are small and drawn late in the sampling: both act to the end.
    "faces": (
        ControlSpec(kind="tile"),
        ControlSpec(kind="softedge"),
        ControlSpec(kind="lineart", scale=0.5),
        ControlSpec(kind="pose", scale=0.5),
    ),
}

_FORM = "KIND[:SCALE[@START-END]][,invert=SCALE[@START-END]][,mask=FILE], for instance softedge:0.8@0-0.6"
_NUMBER = r"[0-9]*\.?[0-9]+"
_SPEC = re.compile(
    rf"(?P<kind>[A-Za-z][\w-]*)(?::(?P<scale>[^@]+))?(?:@(?P<start>{_NUMBER})-(?P<end>{_NUMBER}))?", re.ASCII
)
_INVERT = re.compile(rf"\s*invert\s*=\s*(?P<scale>{_NUMBER})(?:@(?P<start>{_NUMBER})-(?P<end>{_NUMBER}))?\s*", re.ASCII)


def parse_control(text: str) -> ControlSpec:
    """`KIND[:SCALE[@START-END]][,invert=SCALE[@START-END]][,mask=FILE]` -> a control's settings.

    SCALE is at least 0 (1 is the strength that the model was trained at); START and END are parts of the sampling,
    0 the noisy beginning and 1 the end; behind `invert` stands how it acts while the source is inverted, at the same
    noise levels; FILE is white where the control acts.

    Raises:
        InputError: the text is of another form, a number is out of range, or no preprocessor has that name.
    """
    told, comma, extra = text.strip().partition(",")
    schedule, more, rest = extra.partition(",")
    invert = _INVERT.fullmatch(schedule)
    if invert is not None:
        comma, extra = more, rest
    name, _, file = extra.partition("=")
    if comma and (name.strip() != "mask" or not file.strip()):
        raise InputError(f"the control {shown(text)} cannot be read at {shown(extra)}", remedy=f"write {_FORM}")
    match = _SPEC.fullmatch(told.strip())
    if match is None:
        raise InputError(f"the control {shown(text)} cannot be read", remedy=f"write {_FORM}")
    kind, scale, start, end = match["kind"], match["scale"] or "1", match["start"] or "0", match["end"] or "1"
    if not re.fullmatch(_NUMBER, scale):
        raise InputError(
            f"the control {shown(text)} has the scale {shown(scale)}",
            remedy="give a number from 0 on, usually 0 to 1.5",
        )
    if kind not in preprocessors():
        kind = preprocessors()[kind.lower()].name
    try:
        return ControlSpec(
            kind=kind,
            scale=float(rational(scale)),
            start=float(rational(start)),
            end=float(rational(end)),
            mask=Path(file.strip()) if comma else None,
            invert=None if invert is None else _schedule(invert),
        )
    except SettingError as error:
        raise InputError(f"the control {shown(text)}: {error.message}", remedy=error.remedy) from error
    except ValueError as error:
        raise InputError(f"the control {shown(text)}: {error}", remedy=f"write {_FORM}") from error


def _schedule(match: re.Match[str]) -> ControlSchedule:
    """Raises SettingError where a number is out of bounds."""
    scale, start, end = (float(match[name] or default) for name, default in (("scale", 1), ("start", 0), ("end", 1)))
    return ControlSchedule(scale=scale, start=start, end=end)


def parse_controls(texts: Sequence[str]) -> tuple[ControlSpec, ...]:
    """The controls of several texts, or none at all of the text `none`.

    Raises:
        InputError: as `parse_control`; a kind is given twice, or `none` is not alone.
    """
    if [text.strip() for text in texts] == ["none"]:
        return ()
    if "none" in (text.strip() for text in texts):
        raise InputError("'none' stands alone, it cannot be combined", remedy="leave it out, or leave the others out")
    specs: list[ControlSpec] = []
    for text in texts:
        spec = parse_control(text)
        if spec.kind in (earlier.kind for earlier in specs):
            raise InputError(f"the control {spec.kind!r} is given twice", remedy="name each control once")
        specs.append(spec)
    return tuple(specs)


def parse_source(text: str) -> tuple[str, Path]:
    """`KIND=FILE` -> a control and the video of it that was made elsewhere.

    Raises:
        InputError: the text is of another form, or no preprocessor has that name.
    """
    kind, equals, file = (part.strip() for part in text.partition("="))
    if not (kind and equals and file):
        raise InputError(f"{text!r} is not KIND=FILE", remedy="write for instance depth=depth.mp4")
    return preprocessors()[kind].name, Path(file)


def preset(intent: Preserve) -> tuple[ControlSpec, ...]:
    """The controls of `--keep INTENT`. Raises InputError for an intent that is not one of `KEEPS`."""
    if intent not in _PRESETS:
        raise InputError(f"nothing is known of keeping {intent!r}", remedy=f"use one of {', '.join(KEEPS)}")
    return _PRESETS[intent]


def controls_for_intent(
    intent: Preserve, kinds: Collection[str], *, model: str = "the model"
) -> tuple[ControlSpec, ...]:
    """The controls of `--keep INTENT`, those of them that a model has a branch for.

    Args:
        intent: one of `KEEPS`.
        kinds: the control branches of the model.
        model: its name, for the error.

    Raises:
        InputError: no such intent, or the model has none of its controls.
    """
    specs = preset(intent)
    found = tuple(spec for spec in specs if branch(spec.kind) in kinds)
    if not found:
        wanted = ", ".join(spec.kind for spec in specs)
        raise InputError(
            f"to keep {intent} takes control branches for {wanted}, of which {model} has none; it has {_listed(kinds)}",
            remedy="add one with --controlnet KIND=MODEL, or leave --keep out",
        )
    return found


def settled(options: RestyleOptions, kinds: Collection[str], *, model: str = "the model") -> RestyleOptions:
    """Options whose `controls` are those that will act; where they are settled already, the same once more.

    `keep` takes what the model has of its controls, which is what it is for. Everything that is named stands or falls
    as it is: a control that silently did nothing would be a result that nobody asked for.

    Args:
        options: as they were asked for.
        kinds: the control branches of the model.
        model: its name, for the error.

    Raises:
        InputError: a control that the model has no branch for, with those that it has.
    """
    if options.keep is None:
        specs = options.controls
    else:
        held = controls_for_intent(options.keep, kinds, model=model)
        specs = with_sources(held, _videos(options))
    lacking = [spec.kind for spec in specs if branch(spec.kind) not in kinds]
    if not lacking:
        return replace(options, controls=specs)
    usual = " (taken where none is named)" if options.keep is None and specs == DEFAULT_CONTROLS else ""
    fitting = [name for name in kinds if name in preprocessors()]
    raise InputError(
        f"{model} has no control branch for {', '.join(lacking)}{usual}; it has {_listed(kinds)}",
        remedy=(f"use --control {' --control '.join(fitting)}, " if fitting else "")
        + f"add one with --controlnet {lacking[0]}=MODEL, or render without by --control none "
        '(controls = "none" in a plan)',
    )


def keeping(options: RestyleOptions) -> tuple[str, ...]:
    """What is to be said of settled options that keep something: by which controls, and which the model lacks."""
    if options.keep is None:
        return ()
    held = ", ".join(f"{spec.kind}:{spec.scale:g}" for spec in options.controls)
    lacking = {spec.kind for spec in preset(options.keep)} - {spec.kind for spec in options.controls}
    absent = f"; the model has no branch for {', '.join(sorted(lacking))}" if lacking else ""
    return (f"keeping {options.keep}: {held}{absent}",)


def _listed(kinds: Collection[str]) -> str:
    return ", ".join(kinds) or "none at all"


def _videos(options: RestyleOptions) -> list[tuple[str, Path]]:
    return [(spec.kind, spec.source) for spec in options.controls if spec.source is not None]


def with_sources(specs: Sequence[ControlSpec], sources: Sequence[tuple[str, Path]]) -> tuple[ControlSpec, ...]:
    """The specs, with control videos made elsewhere in place of the preprocessors of their kinds.

    A kind that is not among the specs is added at scale 1. Raises InputError where one is given twice.
    """
    given = dict(sources)
    if len(given) < len(sources):
        kinds = [kind for kind, _ in sources]
        twice = next(kind for kind in kinds if kinds.count(kind) > 1)
        raise InputError(f"{twice!r} is given twice", remedy="name one file for each control")
    known = {spec.kind for spec in specs}
    taken = [replace(spec, source=given.get(spec.kind)) for spec in specs]
    return (*taken, *(ControlSpec(kind=kind, source=path) for kind, path in sources if kind not in known))


def branch(kind: str) -> str:
    """The control branch of a model that the maps of a preprocessor are for."""
    return described(kind).branch or kind
