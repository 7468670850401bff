"""`vedit models search-local`, and the option that names folders of models."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from vedit.cli import params
from vedit.cli.console import count, note, say, show, show_json, size
from vedit.cli.grouped import option


def _first(ctx: click.Context, _: click.Parameter, folders: tuple[Path, ...]) -> None:
    """Put folders before those of the environment until the command has ended."""
    if folders and not ctx.resilient_parsing:
        from vedit.models.model_folders import model_folders_first

        ctx.with_resource(model_folders_first(folders))


model_dir_option: Any = option(
    "--model-dir",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="DIR",
    multiple=True,
    is_eager=True,
    expose_value=False,
    callback=_first,
    stage="model",
    help="A folder of models, of ComfyUI or of AUTOMATIC1111 too, whose files can be named; before $VEDIT_MODEL_DIR. "
    "Repeatable.",
)
"""`--model-dir`, which acts on the names of models and adapters, and is no argument of the command."""


@click.command("search-local", short_help="Find the models on this machine.")
@click.argument("folders", metavar="[DIR...]", nargs=-1, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--runs", "only_runs", is_flag=True, help="Only what vedit can use.")
@model_dir_option
@params.json_option
def search_command(*, folders: tuple[Path, ...], only_runs: bool, as_json: bool) -> None:
    """Find models, ControlNets, LoRAs and other weights in DIR, and say what each is; only headers are read.

    Without DIR, in the hub's cache and in the folders of $VEDIT_MODEL_DIR. In a folder of ComfyUI, what its
    extra_model_paths.yaml names is looked through too.

    \b
    Examples:
      vedit models search-local
      vedit models search-local ~/ComfyUI ~/stable-diffusion-webui
      vedit models search-local /mnt/models --runs --json
    """
    from vedit.models.local_models import MOST, local_models

    found = local_models(folders)
    models = [model for model in found.models if model.runs or not only_runs]
    if as_json:
        show_json({"places": found.places, "models": models, "pickles": found.pickles, "complete": found.complete})
        return
    for model in models:
        show(f"{model.path}")
        told = [model.name, *([model.precision] if model.precision else []), size(model.size_bytes)]
        show(f"  {', '.join(told)}{f'  {model.given_as.split(str(model.path))[0].strip()}' if model.given_as else ''}")
    say(f"{count(len(models), 'model')} in {', '.join(map(str, found.places)) or 'no folder that is there'}")
    if found.pickles:
        note(f"{count(found.pickles, 'pickle')} left alone: vedit opens none")
    if not found.complete:
        note(f"the search ended after {MOST} files: name folders that hold fewer")
