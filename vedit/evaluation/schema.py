"""The JSON schema of a report, for programs that read it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Schema = dict[str, Any]

_TEXT: Schema = {"type": "string"}
_NUMBER: Schema = {"type": "number"}
_SWITCH: Schema = {"type": "boolean"}
_SPAN: Schema = {"type": "array", "items": {"type": "integer"}, "minItems": 2, "maxItems": 2}


def _about(schema: Mapping[str, Any], text: str) -> Schema:
    return {**schema, "description": text}


def _maybe(schema: Mapping[str, Any]) -> Schema:
    return {**schema, "type": [schema["type"], "null"]}


def _list(items: Mapping[str, Any], text: str = "") -> Schema:
    return {"type": "array", "items": items, **({"description": text} if text else {})}


def _table(values: Mapping[str, Any], text: str) -> Schema:
    return {"type": "object", "additionalProperties": values, "description": text}


def _object(properties: Mapping[str, Any]) -> Schema:
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(properties),
        "additionalProperties": False,
    }


_FIGURE = _object(
    {
        "metric": _about(_TEXT, "The metric that gives it."),
        "title": _TEXT,
        "value": _about(_maybe(_NUMBER), "null: it could not be measured, and `why` says why."),
        "why": _TEXT,
        "source": _about(_maybe(_NUMBER), "The same of the source against itself."),
        "floors": _table(_maybe(_NUMBER), "The same of the source after losses that no render avoids."),
        "unit": _TEXT,
        "better": {"enum": ["lower", "higher", "neither"]},
        "ideal": _about(_maybe(_NUMBER), "The value of a source against itself; null where it depends on the source."),
        "variant": _about(_TEXT, "The exact definition."),
        "paper": _TEXT,
        "series": _table(_NUMBER, "The same over time, by frame of the source."),
        "source_series": _table(_NUMBER, "The source's own over time."),
    }
)
_CONTRACT = _object(
    {
        "ok": _SWITCH,
        "checks": _list(_object({"name": _TEXT, "expected": _TEXT, "found": _TEXT, "ok": _SWITCH})),
        "notes": _list(_TEXT),
    }
)
_VERDICT = _object(
    {
        "subject": _TEXT,
        "level": {"enum": ["good", "fair", "bad", "unknown"]},
        "text": _TEXT,
        "figures": _list(_TEXT, "Names of the figures that it rests on."),
    }
)


def report_schema() -> Schema:
    """The JSON schema (draft 2020-12) of what `Report.as_dict` gives."""
    report = _object(
        {
            "format": _about({"const": 1}, "A change of the meaning of a key raises it."),
            "source": _TEXT,
            "result": _TEXT,
            "label": _TEXT,
            "frames": _about(_SPAN, "Of the source that the result shows; the second is exclusive."),
            "rate": _about(_maybe(_TEXT), "Frames a second as a fraction; null: they do not lie on one grid."),
            "shots": _list(_SPAN),
            "joins": _list({"type": "integer"}, "Frames at which a window of the render began inside a shot."),
            "measured_at": _about(_SPAN, "Width and height."),
            "flow": _TEXT,
            "quick": _SWITCH,
            "contract": _about(_maybe(_CONTRACT), "Timing, sound and tags; null where they were not checked."),
            "verdicts": _list(_VERDICT),
            "figures": _table(_FIGURE, "By name."),
            "floor_frames": _table(_SPAN, "The frames that each floor was measured on."),
            "required": _list(_object({"requirement": _TEXT, "met": _SWITCH, "found": _TEXT})),
            "notes": _list(_TEXT),
            "recipe": {"type": ["object", "null"], "description": "Of the render, as its record says it."},
            "seconds": _about(_NUMBER, "That the measurement took."),
        }
    )
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "vedit report", **report}
