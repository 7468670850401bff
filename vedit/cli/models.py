"""`vedit models`: which models and weights there are, what one can do, and fetching them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import click
from click.formatting import wrap_text

from vedit.cli import completion, params
from vedit.cli.console import jsonable, say, show, show_json, show_rows, size
from vedit.cli.mistyped import Group
from vedit.errors import ModelError

if TYPE_CHECKING:
    from vedit.registry.weights import WeightsInfo


@click.group("models", cls=Group, short_help="List, explain and fetch models and weights.")
def models_group() -> None:
    """List, explain and fetch models, and the weights of preprocessors. Only `pull` downloads anything.

    \b
    Examples:
      vedit models list
      vedit models info embedded
      vedit models pull depth-anything-v2-small
      vedit models where
    """


@models_group.command("list", short_help="List the models and weights that can be named.")
@params.json_option
def list_command(*, as_json: bool) -> None:
    """List the models that --model knows by name, then the weights that preprocessors can be given."""
    from vedit.models.resolve import known_models
    from vedit.weights.store import known_weights

    models = known_models()
    weights = [_state(entry) for entry in known_weights()]
    if as_json:
        show_json({"models": models, "weights": weights})
        return
    width = max(len(name) for name in [model.name for model in models] + [str(entry["name"]) for entry in weights])
    for model in models:
        state = "present" if model.present else "absent"
        show(f"{model.name:<{width}}  {state:<7}  {size(model.size_bytes):>7}  {model.licence}  {model.summary}")
    show("")
    show("weights, for controls and subjects:")
    for entry in weights:
        state = "present" if entry["present"] else "absent"
        terms = f"{entry['licence']}{'' if entry['commercial'] else ' (no commercial use)'}"
        show(
            f"{entry['name']:<{width}}  {state:<7}  {size(cast('int', entry['size_bytes'])):>7}  {terms}  "
            f"{entry['summary']}"
        )


@models_group.command("info", short_help="Say what one model can do, or what weights are.")
@click.argument("name", shell_complete=completion.pulled)
@params.json_option
def info_command(*, name: str, as_json: bool) -> None:
    """Say what the model or the weights NAME are; for the embedded model, the looks and words it knows."""
    from vedit.checks.nearest import suggest
    from vedit.models.resolve import describe, known_models
    from vedit.weights.store import info, known_weights

    models, weights = ([entry.name for entry in listed] for listed in (known_models(), known_weights()))
    if name not in [*models, *weights]:
        raise ModelError(f"there is neither a model nor weights named {name!r}", remedy=suggest(name, models + weights))
    facts = cast("dict[str, object]", jsonable(_state(info(name)) if name in weights else describe(name)))
    if as_json:
        show_json(facts)
        return
    looks = facts.pop("looks", None)
    words = facts.pop("words", None)
    show_rows({key.removesuffix("_bytes").replace("_", " "): _text(key, value) for key, value in facts.items()})
    if isinstance(looks, list):
        show("")
        show("looks, and how a prompt can word them:")
        found = cast("list[dict[str, Any]]", looks)
        named = {look["name"]: f"  {look['name']}{' (weak)' if look.get('weak') else ''}" for look in found}
        show_rows({named[look["name"]]: ", ".join(dict.fromkeys(look["wordings"])) for look in found})
        weak = {f"  {look['name']}": look.get("reason", "") for look in found if look.get("weak")}
        if weak:
            show("")
            show("weak looks, by what was measured:")
            show_rows(weak)
    if isinstance(words, list):
        show("")
        show("words it knows:")
        text = ", ".join(str(word) for word in cast("list[object]", words))
        for line in wrap_text(text, width=100, initial_indent="  ", subsequent_indent="  ").splitlines():
            show(line)


@models_group.command("pull", short_help="Fetch models and weights from the hub.")
@click.argument("names", metavar="NAME...", nargs=-1, required=True, shell_complete=completion.pulled)
@click.option("--dry-run", is_flag=True, help="Only say what would be fetched.")
@click.option("--force", is_flag=True, help="Fetch again what is there.")
@params.json_option
def pull_command(*, names: tuple[str, ...], dry_run: bool, force: bool, as_json: bool) -> None:
    """Fetch the models or weights NAME from the hub, safetensors only, and check them.

    NAME is one that 'vedit models list' shows, or the id of a model or ControlNet on the hub: owner/name,
    owner/name@revision or owner/name/FILE.safetensors. Nothing but this command downloads anything.

    \b
    Examples:
      vedit models pull depth-anything-v2-small
      vedit models pull sd15 --dry-run
      vedit models pull owner/name

    They go into $VEDIT_MODEL_DIR/NAME where that is set, else into the hub's cache (HF_HOME); models always into the
    latter. VEDIT_OFFLINE=1 forbids it.
    """
    from vedit.models.pull import plan, pull

    plans = [plan(name, force=force) for name in dict.fromkeys(names)]  # an unknown name ends it before any download
    for each in plans:
        state = "is there already" if each.present and not force else "would be fetched" if dry_run else "is fetched"
        say(f"{each.name} ({each.terms}) of {each.source} {state}")
    folders = {} if dry_run else {each.name: pull(each.name, force=force) for each in plans}
    if as_json:
        show_json({"pulled": [{**_plain(each), "folder": folders.get(each.name)} for each in plans]})
    else:
        for folder in folders.values():
            show(str(folder))


@models_group.command("where", short_help="Say where models and weights lie.")
@params.json_option
def where_command(*, as_json: bool) -> None:
    """Say which folders are looked through for models and weights, and what of them is there.

    \b
    Examples:
      vedit models where
      VEDIT_MODEL_DIR=/mnt/weights vedit models where --json
    """
    from vedit.models.pull import places

    found = places()
    if as_json:
        show_json(found)
        return
    show_rows({name: str(value) for name, value in found.items() if name != "present"})
    for name, folder in cast("dict[str, object]", found["present"]).items():
        show(f"  {name}: {folder}")


def _state(entry: WeightsInfo) -> dict[str, object]:
    """What is known of weights, and what of them is on this machine."""
    from vedit.weights.store import find, revision

    folder = find(entry.name)
    return {
        **_plain(entry),
        "revision": revision(entry.name) or entry.revision,
        "present": folder is not None,
        "folder": folder,
    }


def _plain(value: object) -> dict[str, object]:
    return cast("dict[str, object]", jsonable(value))


def _text(key: str, value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if key == "size_bytes" and isinstance(value, int):
        return size(value)
    if isinstance(value, list):
        return ", ".join(str(item) for item in cast("list[object]", value))
    if isinstance(value, dict):
        return ", ".join(f"{name} {item}" for name, item in cast("dict[str, object]", value).items())
    return "" if value is None else str(value)
