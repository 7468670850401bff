"""The keys of a plan file, and the same as a JSON schema for editors."""

from __future__ import annotations

from typing import cast

from vedit.options.look_schema import LOOK, Key, keys_of, table_schema
from vedit.options.request import RenderRequest

TOP: dict[str, Key] = {
    "source": Key(kind="text", about="The clip, from this file's folder."),
    **keys_of(RenderRequest),
}
SHOT: dict[str, Key] = {
    "number": Key(kind="integer", minimum=1, about="Of the shot, from 1 on."),
    "frames": Key(kind="text", about="START..END, END exclusive: the shots cover the clip without gap or overlap."),
    "untouched": Key(kind="boolean", about="The shot passes through, whatever else is said."),
    "locked": Key(kind="boolean", about="The shot stays as it was rendered last, whatever else is said."),
    **LOOK,
}
EDIT: dict[str, Key] = {
    "shots": Key(kind="integer", several=True, minimum=1, about="The shots that it is for, by number."),
    "range": Key(kind="text", about="START..END: the shots that lie in it by half or more."),
    "marker": Key(kind="text", about="The chapter of the source with this title: the shots in it by half or more."),
    "untouched": SHOT["untouched"],
    **LOOK,
}
TABLES: dict[str, dict[str, Key]] = {"default": LOOK, "edit": EDIT, "shot": SHOT}


def plan_schema() -> dict[str, object]:
    """The JSON schema (draft 2020-12) of a plan file."""
    top = table_schema(TOP, ("source", "shot"))
    properties = cast("dict[str, object]", top["properties"])
    properties["default"] = {**table_schema(LOOK), "description": "The look of every shot that says nothing else."}
    properties["edit"] = {
        "type": "array",
        "items": table_schema(EDIT),
        "description": "What some shots say else, in order; each names its shots by number, range or marker.",
    }
    properties["shot"] = {
        "type": "array",
        "items": table_schema(SHOT, ("number", "frames")),
        "description": "The shots of the clip, and what each says for itself.",
    }
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "vedit plan", **top}
