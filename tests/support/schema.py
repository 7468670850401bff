"""As much of a JSON schema validator as the project's own schemas need."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

_KINDS: dict[str, type | tuple[type, ...]] = {
    "object": dict,
    "array": list,
    "string": str,
    "boolean": bool,
    "integer": int,
    "number": (int, float),
    "null": type(None),
}


def faults(value: Any, schema: dict[str, Any], place: str = "$") -> Iterator[str]:
    """Where a value breaks a schema, a line each."""
    if "const" in schema and value != schema["const"]:
        yield f"{place} is {value!r}, not {schema['const']!r}"
    if "enum" in schema and value not in schema["enum"]:
        yield f"{place} is {value!r}, none of {schema['enum']}"
    kinds = schema.get("type", ())
    kinds = [kinds] if isinstance(kinds, str) else list(kinds)
    if kinds and not any(_is(value, kind) for kind in kinds):
        yield f"{place} is {type(value).__name__}, not {' or '.join(kinds)}"
        return
    if isinstance(value, dict):
        properties: dict[str, Any] = schema.get("properties", {})
        yield from (f"{place} lacks {name}" for name in schema.get("required", ()) if name not in value)
        others = schema.get("additionalProperties", {})
        for name, item in value.items():
            inner = properties.get(name, others)
            if inner is False:
                yield f"{place} has {name}, which is not known"
            else:
                yield from faults(item, inner, f"{place}.{name}")
    if isinstance(value, list) and "items" in schema:
        for number, item in enumerate(value):
            yield from faults(item, schema["items"], f"{place}[{number}]")
        if len(value) < schema.get("minItems", 0) or len(value) > schema.get("maxItems", len(value)):
            yield f"{place} has {len(value)} items"


def _is(value: Any, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    return isinstance(value, _KINDS[kind])
