"""`vedit models`: which models and weights there are, what one can do, and fetching them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click
from click.formatting import wrap_text

from vedit.cli import completion, params
from vedit.cli.console import jsonable, say, show, show_json, show_rows, size
from vedit.cli.mistyped import Group
from vedit.cli.model_plan import plan_command
from vedit.cli.models_local import model_dir_option, search_command
from vedit.cli.models_pulled import remove_command, verify_command
from vedit.errors import ModelError

if TYPE_CHECKING:
    from vedit.models.pull import PullPlan
    from vedit.registry.weights import WeightsInfo

_PLURAL = {
    "controlnet": "ControlNets",
    "lora": "LoRAs",
    "ip-adapter": "IP-Adapters",
    "t2i-adapter": "T2I-Adapters",
    "embedding": "embeddings",
    "motion": "motion adapters",
}


@click.group("models", cls=Group, short_help="List, explain and fetch models and weights.")
def models_group() -> None:
    """List, explain, fetch and check models, and the weights of preprocessors. Only `pull` downloads anything.

    \b
    Examples:
      vedit models list
      vedit models info embedded
      vedit models info style.safetensors
      vedit models plan sd15 --size 512 --frames 240
      vedit models search-local ~/ComfyUI
      vedit models pull depth-anything-v2-small
      vedit models where
    """


@models_group.command("list", short_help="List the models and weights that can be named.")
@params.json_option
def list_command(*, as_json: bool) -> None:
    """List what options know by name: models, ControlNets, LoRAs and adapters, then the weights of preprocessors."""
    from vedit.models.resolve import known_names
    from vedit.weights.store import known_weights

    models = known_names()
    weights = [_state(entry) for entry in known_weights()]
    if as_json:
        show_json({"models": models, "weights": weights})
        return
    width = max(len(name) for name in [model.name for model in models] + [str(entry["name"]) for entry in weights])
    for part in dict.fromkeys(model.part for model in models):
        if part != "model":
            show("")
            show(f"{_PLURAL[part]}:")
        for model in (model for model in models if model.part == part):
            terms = _terms(model.licence, model.commercial, model.limits)
            show(_row(model.name, width, model.present, model.size_bytes, terms, model.summary))
    show("")
    show("weights, for controls and subjects:")
    for entry in weights:
        terms = _terms(str(entry["licence"]), bool(entry["commercial"]))
        size_bytes = cast("int", entry["size_bytes"])
        show(_row(str(entry["name"]), width, bool(entry["present"]), size_bytes, terms, str(entry["summary"])))


def _row(name: str, width: int, present: bool, size_bytes: int, terms: str, summary: str) -> str:
    return f"{name:<{width}}  {'present' if present else 'absent':<7}  {size(size_bytes):>7}  {terms}  {summary}"


def _terms(licence: str, commercial: bool | None, limits: str = "") -> str:
    told = [*(["no commercial use"] if commercial is False else []), *([limits] if limits else [])]
    return f"{licence} ({'; '.join(told)})" if told else licence


@models_group.command("info", short_help="Say what a model, a file of weights or a folder is.")
@click.argument("name", metavar="NAME|PATH|ID", shell_complete=completion.described)
@model_dir_option
@params.json_option
def info_command(*, name: str, as_json: bool) -> None:
    """Say what NAME is, or the file or folder PATH, or what the hub's cache has under ID (owner/name): family, part,
    precision, size, and which option takes it.

    Of the embedded model it says the looks and words it knows. Headers and configs are read, never the weights.

    \b
    Examples:
      vedit models info embedded
      vedit models info sdxl
      vedit models info ~/ComfyUI/models/loras/ink.safetensors
      vedit models info path/to/diffusers-folder --json
    """
    from vedit.checks.nearest import suggest
    from vedit.models.model_folders import found_anywhere
    from vedit.models.resolve import describe, known_names
    from vedit.weights.hub_cache import hub_place
    from vedit.weights.store import info, known_weights

    models, weights = ([entry.name for entry in listed] for listed in (known_names(), known_weights()))
    if name not in [*models, *weights]:
        path = found_anywhere(name)
        if path is None:
            fetched = f"vedit models pull {name}, or " if hub_place(name) is not None else ""
            raise ModelError(
                f"there is neither a model nor weights named {name!r}, nor such a file",
                remedy=fetched + suggest(name, models + weights),
            )
        _show_facts(path, as_json=as_json)
        return
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


def _show_facts(path: Path, *, as_json: bool) -> None:
    from vedit.models.facts import facts_of

    facts = cast("dict[str, object]", jsonable(facts_of(path)))
    if as_json:
        show_json(facts)
        return
    facts["parameters"] = f"{cast('int', facts['parameters']):,}"
    facts["formats"] = {name: f"{count:,}" for name, count in cast("dict[str, int]", facts["formats"]).items()}
    facts |= cast("dict[str, object]", facts.pop("lora"))
    told = {key: value for key, value in facts.items() if value not in ("", None, {})}
    show_rows({key.removesuffix("_bytes").replace("_", " "): _text(key, value) for key, value in told.items()})


@models_group.command("pull", short_help="Fetch models and weights from the hub.")
@click.argument("names", metavar="NAME...", nargs=-1, required=True, shell_complete=completion.pulled)
@click.option("--dry-run", is_flag=True, help="Only say what would be fetched.")
@click.option("--force", is_flag=True, help="Fetch again what is there.")
@click.option("--accept-licence", is_flag=True, help="You have read a licence that forbids something, and keep to it.")
@click.option("--offline", is_flag=True, help="Do not touch the network: only say where what is there lies.")
@params.json_option
def pull_command(
    *, names: tuple[str, ...], dry_run: bool, force: bool, accept_licence: bool, offline: bool, as_json: bool
) -> None:
    """Fetch the models or weights NAME from the hub, safetensors only, and check them.

    NAME is one that 'vedit models list' shows, or the id of a model or ControlNet on the hub: owner/name,
    owner/name@revision or owner/name/FILE.safetensors. Nothing but this command downloads anything.

    \b
    Examples:
      vedit models pull depth-anything-v2-small
      vedit models pull sd15 --dry-run
      vedit models pull owner/name

    They go into $VEDIT_MODEL_DIR/NAME where that is set, else into the hub's cache (HF_HOME); models always into the
    latter. The same command goes on where an interrupted one has stopped, within a file too. A licence that forbids
    commercial use, or that does not hold everywhere, is asked for once. VEDIT_OFFLINE=1, HF_HUB_OFFLINE=1 and --offline
    forbid the network.
    """
    from vedit.models.pull import check_licence, check_offline, plan, pull

    if offline and force:
        raise click.UsageError("--force fetches again what is there, and --offline fetches nothing: leave one out")
    plans = [plan(name, force=force) for name in dict.fromkeys(names)]  # an unknown name ends it before any download
    wanted = [each for each in plans if force or not each.present]
    for each in plans if offline and not dry_run else []:
        check_offline(each)  # all of them before the first is told of
    for each in plans:
        state = "is there already" if each.present and not force else "would be fetched" if dry_run else "is fetched"
        say(f"{each.name} ({each.terms}) of {each.source} {state}")
    for each in [] if dry_run else wanted:
        accepted = accept_licence or _accepts(each)
        check_licence(each, accept=accepted)  # of all of them before the first is fetched
    told: dict[str, bool] = {"force": force, "offline": offline, "accept_licence": True}
    folders = {} if dry_run else {each.name: pull(each.name, **told) for each in plans}
    if as_json:
        show_json({"pulled": [{**_plain(each), "folder": folders.get(each.name)} for each in plans]})
    else:
        for folder in folders.values():
            show(str(folder))


@models_group.command("where", short_help="Say where models and weights lie.")
@model_dir_option
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


def _accepts(plan: PullPlan) -> bool:
    """Whether a user who can be asked accepts a licence that forbids something."""
    from vedit.models.pull import is_accepted

    if is_accepted(plan) or not sys.stdin.isatty():
        return False
    said = f"{plan.name}: {plan.licence}: {plan.asked}. Have you read it, and do you keep to it?"
    return click.confirm(said, default=False, err=True)


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


models_group.add_command(search_command)
models_group.add_command(verify_command)
models_group.add_command(remove_command)
models_group.add_command(plan_command)
