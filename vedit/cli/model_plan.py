"""`vedit models plan`: what a model would take, before a clip is there and before anything of it is loaded."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vedit.cli import params
from vedit.cli.console import count, show_json, show_rows, size
from vedit.cli.setting_options import held
from vedit.media.reading.facts import span
from vedit.options.request import DEFAULT_CONTROLS, RenderRequest, RestyleOptions
from vedit.types import ControlSpec

if TYPE_CHECKING:
    from vedit.models.ref import ModelRef
    from vedit.render.model_plan import ModelPlan

_LARGEST_SIDE = 16384


class Picture(click.ParamType):
    """`768x512`, or one number of pixels for a square."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        """Return (width, height); raise BadParameter for anything else."""
        if isinstance(value, tuple):
            return value  # pyright: ignore[reportUnknownVariableType]
        found = re.fullmatch(r"(\d{1,5})(?:x(\d{1,5}))?", str(value).strip().lower())
        sides = (0, 0) if found is None else (int(found[1]), int(found[2] or found[1]))
        if not all(8 <= side <= _LARGEST_SIDE for side in sides):
            self.fail(f"{value!r} is no size of a picture; give 768x512, or 512 for a square", param, ctx)
        return sides


class Memory(click.ParamType):
    """`8GB`, `24GiB`, `900MB`, or a number of bytes."""

    name = "memory"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return bytes; raise BadParameter for what is no amount above none."""
        found = re.fullmatch(r"(\d{1,15}(?:\.\d{1,6})?)\s*(?:([kmgt])(i?))?b?", str(value).strip().lower())
        power = 0 if found is None or not found[2] else "kmgt".index(found[2]) + 1
        amount = 0 if found is None else int(float(found[1]) * (1024 if found[3] else 1000) ** power)
        if amount < 1:
            self.fail(f"{value!r} is no amount of memory; give 8GB, 24GiB or 900MB", param, ctx)
        return amount


@click.command("plan", short_help="Say what memory and time a model takes.")
@click.argument("name", metavar="MODEL")
@click.option(
    "--size",
    "picture",
    type=Picture(),
    default="512",
    show_default=True,
    metavar="WxH|PIXELS",
    help="Size that the model works at.",
)
@click.option("--frames", type=click.IntRange(1, 10_000_000), default=24, show_default=True, help="Length of the shot.")
@click.option(
    "--control",
    "kinds",
    multiple=True,
    metavar="KIND",
    help="A control branch that is used; repeatable. 'none' for no control.  [default: tile, softedge, if it has them]",
)
@click.option("--steps", type=click.IntRange(1, 1000), help="Sampling steps.  [default: the standard quality's]")
@click.option("--batch", type=click.IntRange(1, 10**6), default=8, show_default=True, help="Frames per network call.")
@click.option("--window", type=click.IntRange(1, 10**6), default=24, show_default=True, help="Frames sampled together.")
@held(
    "of_model",
    RenderRequest,
    "controlnets",
    "motion_adapter",
    "unet",
    "ip_adapter",
    "image_encoder",
    "device",
    "precision",
    "quantize",
    "offload",
    "attention_backend",
)
@click.option(
    "--device-memory",
    "memory",
    type=Memory(),
    metavar="8GB",
    help="Memory that there is for it, of the GPU or else of the host: say what fits.",
)
@params.json_option
def plan_command(*, name: str, kinds: tuple[str, ...], of_model: dict[str, Any], as_json: bool, **given: Any) -> None:
    """Say what the model MODEL takes: the bytes of its weights, of each pass through them, of host and device memory at
    the peak, and the time on this machine. Its shapes tell; nothing is loaded, and for the memory of a GPU none need be
    here.

    \b
    Examples:
      vedit models plan sd15 --size 512 --frames 240
      vedit models plan ./model --size 768x512 --control none
      vedit models plan sd15 --device cuda --device-memory 8GB
    """
    from vedit.models.loading import loading_of
    from vedit.models.resolve import model_of
    from vedit.render.model_plan import plan_model
    from vedit.render.settle import pick_device

    # What is said of the model counts, and there is no clip.
    request = RenderRequest(source=Path(), options=RestyleOptions(), model=name, **of_model)
    model = model_of(request)
    device = pick_device("auto") if request.device == "auto" else request.device
    loading = loading_of(request, device).on_this_machine(bears_bfloat16=model.traits.bears_bfloat16)
    options = RestyleOptions(
        controls=_controls(model, kinds), steps=given["steps"], batch=given["batch"], window=given["window"]
    )
    found = plan_model(model, given["picture"], given["frames"], options, loading, memory=given["memory"])
    if as_json:
        show_json(found)
    else:
        _show(found, given["memory"])


def _controls(model: ModelRef, kinds: tuple[str, ...]) -> tuple[ControlSpec, ...]:
    """What was said, or the usual controls that the model has."""
    if kinds:
        return () if kinds == ("none",) else tuple(ControlSpec(kind=kind) for kind in dict.fromkeys(kinds))
    return tuple(spec for spec in DEFAULT_CONTROLS if spec.kind in model.control_kinds)


def _show(found: ModelPlan, memory: int | None) -> None:
    """The plan as rows."""
    from vedit.models.loading import loading_of

    rows = {
        "model": f"{found.model} {loading_of(found, found.device)}",
        "worked at": f"{found.size[0]}x{found.size[1]}, {count(found.frames, 'frame')}, "
        f"batches of {found.batch}, windows of {found.window}",
        "weights": f"{size(sum(found.weights.values()))}: "
        + ", ".join(f"{part} {size(held)}" for part, held in found.weights.items()),
        "beside them": f"encode {size(found.encode)}, denoise {size(found.denoise)}, decode {size(found.decode)}"
        + (f", an image encoder {size(found.reader)}" if found.reader else ""),
        "host memory": f"{size(found.peak_memory_bytes)} at the peak",
    }
    if found.peak_device_bytes is not None:
        rows["device memory"] = f"{size(found.peak_device_bytes)} at the peak"
    took = f"not known: there is no {found.device} here" if found.seconds is None else f"about {span(found.seconds)}"
    rows["time"] = f"{took}; {found.evaluations} network evaluations a frame"
    if memory is not None:
        rows[f"in {size(memory)}"] = "it fits" if found.fits else found.advice
    show_rows(rows)
