"""`vedit models`: which models there are, and what one can do."""

from __future__ import annotations

from typing import Any, cast

import click
from click.formatting import wrap_text

from vedit.cli import params
from vedit.cli.console import jsonable, show, show_json, show_rows, size


@click.group("models", short_help="List models and what they can do.")
def models_group() -> None:
    """List models and what they can do. Nothing is downloaded.

    \b
    Examples:
      vedit models list
      vedit models info embedded
    """


@models_group.command("list", short_help="List the models that can be named.")
@params.json_option
def list_command(*, as_json: bool) -> None:
    """List the models that --model knows by name, and whether they are on this machine."""
    from vedit.models import known_models

    models = known_models()
    if as_json:
        show_json({"models": models})
        return
    width = max((len(model.name) for model in models), default=0)
    for model in models:
        state = "present" if model.present else "absent"
        show(f"{model.name:<{width}}  {state:<7}  {size(model.size_bytes):>7}  {model.licence}  {model.summary}")


@models_group.command("info", short_help="Say what one model can do.")
@click.argument("name")
@params.json_option
def info_command(*, name: str, as_json: bool) -> None:
    """Say what the model NAME is and can do; for the embedded one, the looks and words it knows."""
    from vedit.models import describe

    facts = cast("dict[str, object]", jsonable(describe(name)))
    if as_json:
        show_json(facts)
        return
    looks = facts.pop("looks", None)
    words = facts.pop("words", None)
    show_rows({key.removesuffix("_bytes").replace("_", " "): _text(key, value) for key, value in facts.items()})
    if isinstance(looks, list):
        show("\nlooks, and how a prompt can word them:")
        found = cast("list[dict[str, Any]]", looks)
        show_rows({f"  {look['name']}": ", ".join(dict.fromkeys(look["wordings"])) for look in found})
    if isinstance(words, list):
        show("\nwords it knows:")
        text = ", ".join(str(word) for word in cast("list[object]", words))
        show(wrap_text(text, width=100, initial_indent="  ", subsequent_indent="  "))


def _text(key: str, value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if key == "size_bytes" and isinstance(value, int):
        return size(value)
    if isinstance(value, list):
        return ", ".join(str(item) for item in cast("list[object]", value))
    return str(value)
