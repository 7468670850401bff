"""`vedit looks`: the looks of a model as a list, or one frame of a clip under each of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from vedit.cli import completion, params
from vedit.cli.configured import Configured
from vedit.cli.console import count, jsonable, note, say, show, show_json, show_rows, span
from vedit.cli.inputs import input_argument
from vedit.cli.models_local import model_dir_option
from vedit.cli.progress import progress
from vedit.cli.setting_options import gathered, held, option_of, options_of
from vedit.cli.settings import SHARED
from vedit.cli.shared_options import Messages, messages_options, overwrite_option
from vedit.options.request import PARTS, QualityName, RenderRequest, RestyleOptions
from vedit.options.table import setting_of

if TYPE_CHECKING:
    from vedit.gallery.files import GalleryFiles
    from vedit.gallery.pictures import GalleryPlan
    from vedit.models.looks import Chosen
    from vedit.models.ref import ModelRef
    from vedit.models.words import Look

SIDE = 640
"""Pixels of the longer side of a picture."""


class ConfiguredLooks(Configured):
    """The command shows what a render would look like: model, controls and parts may be said once for both."""

    keys = (*SHARED, "model", "controlnet", "control", *PARTS)


def _base(
    *, variation: float | None, quality: QualityName, control_texts: tuple[str, ...], **parts: Any
) -> RestyleOptions:
    """How all pictures are made."""
    controls = params.controls(control_texts)
    base = RestyleOptions(quality=quality, variation=variation, **parts)
    return base if controls is None else replace(base, controls=controls)


@click.command("looks", cls=ConfiguredLooks, short_help="Show a frame under every look, or list the looks.")
@input_argument("source", "[CLIP]", required=False)
@click.option(
    "--at",
    metavar="TIME",
    help="The frame: seconds (1.5), timecode (01:00:02:00) or frame (#36).  [default: the middle of the clip]",
)
@click.option(
    "--of",
    "asked",
    multiple=True,
    shell_complete=completion.looks,
    metavar="NAME[,NAME...]",
    help="Which looks, by name or as a prompt; repeatable. Of a model that lists none, each is one prompt.  "
    "[default: every look of the model]",
)
@click.option(
    "--seeds",
    type=click.IntRange(min=1, max=16),
    default=1,
    show_default=True,
    metavar="N",
    help="Pictures of each look, of the seeds 0, 1, 2 ...; at --variation 0.6 where the look itself draws nothing.",
)
@gathered(
    "base",
    (
        option_of(
            setting_of(RestyleOptions, "variation"), help="How much is drawn from the seed.  [default: 0]", default=None
        ),
        option_of(setting_of(RestyleOptions, "quality"), default="draft"),
        option_of(setting_of(RestyleOptions, "controls")),
        *options_of(RestyleOptions, *PARTS),
    ),
    _base,
)
@held(
    "job",
    RenderRequest,
    "model",
    "controlnets",
    "device",
    "precision",
    "quantize",
    "offload",
    "attention_backend",
    "rate",
    "track",
    "allow_huge",
)
@model_dir_option
@click.option(
    "-o",
    "--output",
    metavar="FOLDER",
    help="Where CLIP.looks.png and CLIP.looks.html go; it is made where it is not there.  [default: beside the clip]",
)
@overwrite_option
@click.option("--dry-run", is_flag=True, help="Say what would be shown and written, and stop.")
@messages_options
def looks_command(
    *,
    source: Path | None,
    at: str | None,
    asked: tuple[str, ...],
    seeds: int,
    base: RestyleOptions,
    job: dict[str, Any],
    output: str | None,
    overwrite: bool,
    dry_run: bool,
    messages: Messages,
) -> None:
    """Show one frame of CLIP under every look of the model; without CLIP, list the looks.

    \b
    Examples:
      vedit looks
      vedit looks input.mp4
      vedit looks input.mp4 --at 12.5 --of woodcut,night,bronze
      vedit looks input.mp4 --of "oil painting" --seeds 4
      vedit looks input.mov --quality standard -o looks/
      vedit looks input.mp4 --model sd15 --of "claymation, soft light" --of "line art"

    Two files are written: a contact sheet (PNG), and a page (HTML) that needs no other file. On the page each picture
    has a slider to the source, and the 'vedit restyle' command that gives the whole clip this look. A picture is what
    that command makes of this frame alone; in a render a frame also takes after the first of its shot.
    """
    from vedit.models.looks import choose_looks
    from vedit.models.resolve import model_of, resolve

    if source is None:
        given = {"--at": at, "--of": asked, "-o": output, "--dry-run": dry_run}
        idle = next((name for name, value in given.items() if value), None)
        if idle is not None:
            raise click.UsageError(f"{idle} is for a clip: name one, or leave it out to list the looks")
        _list(resolve(job["model"]), as_json=messages.as_json)
        return
    from vedit.pipelines.seeds import draws

    if seeds > 1 and base.variation == 0 and not draws(base):
        raise click.UsageError("--seeds needs a --variation above 0: with 0 nothing is drawn from the seed")
    from vedit.gallery.files import check_files, gallery_files

    request = RenderRequest(source=source, options=base, **job)
    model = model_of(request)
    looks = choose_looks(model, asked)
    files = gallery_files(source, output)
    check_files(files, source, overwrite=overwrite)
    wanted = [
        (look.name if seeds == 1 else f"{look.name}, seed {seed}", look, _drawn(base, look, seed, seeds, model))
        for look in looks
        for seed in range(seeds)
    ]
    if dry_run:
        _dry_run(request, wanted, at, files, as_json=messages.as_json, quiet=messages.quiet)
    else:
        _gallery(request, model, wanted, at, files, overwrite=overwrite, as_json=messages.as_json, quiet=messages.quiet)


Wanted = list[tuple[str, "Chosen", RestyleOptions]]
"""What a picture is called, the look, and how it is made."""


def _drawn(base: RestyleOptions, look: Chosen, seed: int, seeds: int, model: ModelRef) -> RestyleOptions:
    """A look from a seed, which acts where there are several."""
    from vedit.pipelines.seeds import drawing

    options = replace(base, prompt=look.prompt, seed=seed)
    return options if seeds == 1 else drawing(options, model)


def _gallery(
    request: RenderRequest,
    model: ModelRef,
    wanted: Wanted,
    at: str | None,
    files: GalleryFiles,
    *,
    overwrite: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    from vedit.gallery.files import shown_pictures, write_gallery
    from vedit.gallery.pictures import make_gallery

    def tell(plan: GalleryPlan) -> None:
        if not quiet:
            made = f"{count(len(wanted), 'picture')} at {plan.quality} quality"
            say(f"frame {plan.frame} at {float(plan.seconds):.3f} s, {made}")
            for line in plan.notes:
                note(line)

    with progress(quiet=quiet) as report:
        options = [options for _, _, options in wanted]
        gallery = make_gallery(request, options, at, side=SIDE, on_plan=tell, on_progress=report)
        pictures = shown_pictures(gallery, request, model, wanted)
        write_gallery(gallery, pictures, files, overwrite=overwrite)
    if as_json:
        told = [{"name": one.name, "kind": one.kind, "prompt": one.prompt, "command": one.command} for one in pictures]
        show_json({"sheet": files.sheet, "page": files.page, **_facts(gallery.plan), "looks": told})
        return
    for path in files.all:
        show(str(path))


def _dry_run(
    request: RenderRequest, wanted: Wanted, at: str | None, files: GalleryFiles, *, as_json: bool, quiet: bool
) -> None:
    from vedit.gallery.pictures import plan_gallery

    with progress(quiet=quiet) as report:
        plan = plan_gallery(request, [options for _, _, options in wanted], at, on_progress=report)
    names = [name for name, _, _ in wanted]
    if as_json:
        show_json({"sheet": files.sheet, "page": files.page, **_facts(plan), "looks": names})
        return
    show_rows(
        {
            "source": str(plan.source),
            "frame": f"{plan.frame}, at {float(plan.seconds):.3f} s",
            "size": "{}x{}, worked at {}x{}".format(*plan.source_size, *plan.working_size),
            "model": f"{plan.model} on {plan.device}, {plan.quality} quality",
            "pictures": f"{len(names)}: {', '.join(names)}",
            "takes": "not known" if plan.takes is None else f"about {span(plan.takes)}",
            "sheet": str(files.sheet),
            "page": str(files.page),
        }
    )
    for line in plan.notes:
        show(f"note      {line}")


def _facts(plan: GalleryPlan) -> dict[str, object]:
    return {name: getattr(plan, name) for name in plan.__dataclass_fields__}


def _list(model: ModelRef, *, as_json: bool) -> None:
    from vedit.errors import InputError
    from vedit.models.looks import TITLES, usual_prompt

    known = model.vocabulary
    if known is None or not known.looks:
        raise InputError(
            f"{model.name} lists no looks: it takes any prompt",
            remedy='see some on a clip: vedit looks CLIP --of "line art"',
        )
    if as_json:
        told = [{**cast("dict[str, object]", jsonable(look)), "prompt": usual_prompt(look)} for look in known.looks]
        show_json({"model": model.name, "looks": told})
        return
    width = max(len(_marked(look)) for look in known.looks)
    for kind in dict.fromkeys((*TITLES, *(look.kind for look in known.looks))):
        own = [look for look in known.looks if look.kind == kind]
        if own:
            show(TITLES.get(kind, kind.capitalize()))
            for look in own:
                show(f"  {_marked(look):<{width}}  {', '.join(look.wordings)}".rstrip())
            show("")
    show("The wordings are prompts; `vedit looks CLIP` shows a frame in the first of each look.")
    if any(look.weak for look in known.looks):
        show("Looks that are marked as weak stay far from what their names promise.")


def _marked(look: Look) -> str:
    return f"{look.name} (weak)" if look.weak else look.name
