"""What `vedit restyle` does with a request: renders it, says what it would do, or makes stills of it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, cast

from vedit.cli.console import count, estimate, jsonable, result_line, show, show_rows
from vedit.cli.inputs import WORDS
from vedit.cli.progress import progress
from vedit.cli.starting import started
from vedit.cli.telling import Telling, talking
from vedit.display.shell_words import shell_line
from vedit.media.rates import NO_RATE
from vedit.options.request import RenderRequest
from vedit.progress.spent import profiled

if TYPE_CHECKING:
    from vedit.render.outcome import RenderPlan
    from vedit.render.variations import Variation


def run_restyle(
    request: RenderRequest,
    *,
    side_by_side: Path | None,
    evaluate: bool,
    profile: bool,
    workers: int | None,
    as_json: bool,
    quiet: bool,
) -> object:
    """Render, and measure the result and the render itself where that is asked for; returns what --json shows."""
    from vedit.render.run import restyle
    from vedit.render.workers import restyle_on_workers

    start = started()
    telling = Telling(quiet=quiet)
    with talking(telling) as heard, profiled() if profile else nullcontext() as spent:
        if workers is None:
            result = restyle(request, side_by_side=side_by_side, **heard)
        else:
            result = restyle_on_workers(request, workers, side_by_side=side_by_side, **heard)
    if start is not None:
        from vedit.render.measured_costs import keep_start

        keep_start(start)
    telling.notes(result.notes)
    if not as_json:
        show(result_line(result))
        if spent is not None:
            for line in str(spent).splitlines():
                show(line)
    beside = None if side_by_side is None else str(side_by_side)
    told = {**cast("dict[str, object]", jsonable(result)), "side_by_side": beside}
    if spent is not None:
        told["profile"] = [asdict(one) for one in spent.stages]
    if evaluate:
        told["evaluation"] = _evaluate(request, Path(result.output), as_json=as_json, quiet=quiet)
    return told


def _evaluate(request: RenderRequest, output: Path, *, as_json: bool, quiet: bool) -> object:
    """Measure a result, keep the report beside it and show its verdicts; returns what --json shows."""
    from vedit.evaluation.run import evaluate
    from vedit.evaluation.text import verdict_lines

    with progress(quiet=quiet) as told:
        report = evaluate(
            request.source,
            output,
            keep=True,
            rate=request.rate,
            track=request.track,
            allow_huge=request.allow_huge,
            interlaced=request.writing.interlaced,
            on_progress=told,
        )
    if not as_json:
        for line in verdict_lines(report):
            show(line)
    return report.as_dict()


def say_plan_of(request: RenderRequest, *, side_by_side: Path | None, as_json: bool, quiet: bool) -> object:
    """Say what would be done; returns what --json shows."""
    from vedit.render.run import plan

    with progress(quiet=quiet) as report:
        planned = plan(request, on_progress=report, side_by_side=side_by_side)
    if not as_json:
        show_rows(_plan_rows(planned))
        for line in planned.notes:
            show(f"note      {line}")
    return planned


def prepare_run(request: RenderRequest, *, as_json: bool, quiet: bool) -> object:
    """Write what others make the units of; returns what --json shows."""
    from vedit.render.by_unit import prepare

    telling = Telling(quiet=quiet)
    with talking(telling, renders=False) as heard:
        run = prepare(request, on_progress=heard["on_progress"], on_note=heard["on_note"])
    if not as_json:
        show(f"{run.folder}: {count(len(run.units), 'unit')}")
    units = [{"shot": unit.shot, "frames": list(unit.frames), "key": unit.key} for unit in run.units]
    return {"run": run.folder, "units": units, "computed_on": dict(run.computed_on)}


def make_preview(request: RenderRequest, *, as_json: bool, quiet: bool) -> object:
    """Make the sheet of stills; returns what --json shows."""
    from vedit.render.preview import preview

    with progress(quiet=quiet) as report:
        path = preview(request, on_progress=report, on_note=Telling(quiet=quiet).note)
    if not as_json:
        show(str(path))
    return {"preview": path}


def make_variations(request: RenderRequest, count: int, at: str | None, *, as_json: bool, quiet: bool) -> object:
    """Make one frame under several seeds and say how to render each; returns what --json shows."""
    from vedit.render.variations import variations

    telling = Telling(quiet=quiet)
    with progress(quiet=quiet) as report:
        made = variations(request, count, at, on_job=lambda job: telling.notes(job.notes), on_progress=report)
    told = [
        {"seed": one.seed, "picture": one.picture, "command": shell_line(["vedit", *chosen(WORDS.get(), one)])}
        for one in made
    ]
    if not as_json:
        for one in told:
            show(str(one["picture"]))
            show(f"  {one['command']}")
    return {"variations": told}


def chosen(words: Sequence[str], variation: Variation) -> list[str]:
    """What was typed for variations as what renders the clip by one of them."""
    found: list[str] = []
    rest = iter(words)
    for word in rest:
        name, given, _ = word.partition("=")
        if name in ("--count", "--at", "--seed", "--variation"):
            if not given:
                next(rest, None)
        elif name != "--overwrite":  # it was for the pictures
            found.append(word)
    said = variation.options.variation
    return [*found, *([] if said is None else ["--variation", f"{said:g}"]), "--seed", str(variation.seed)]


def _plan_rows(plan: RenderPlan) -> dict[str, str]:
    """The plan of a dry run, to be read."""
    frames = {
        "frames": f"{plan.frames}, #{plan.first_frame}..#{plan.first_frame + plan.frames}, at {plan.rate}",
        "shots": f"{count(len(plan.shots), 'shot')}: " + ", ".join(f"#{a}..#{b}" for a, b in plan.shots),
    }
    return {
        "source": plan.source,
        "output": plan.output,
        **({"frames": "one, a still picture"} if plan.rate == NO_RATE else frames),
        "size": "{}x{}, worked at {}x{}".format(*plan.source_size, *plan.working_size),
        "model": plan.network,
        **_drawn_row(plan),
        "steps": f"{plan.steps}, {plan.network_evaluations_per_frame} network evaluations per frame",
        "estimate": estimate(plan, "{time}, {memory} of memory"),
    }


def _drawn_row(plan: RenderPlan) -> dict[str, str]:
    """What is drawn from the seed; nothing where nothing is."""
    variation, seed = plan.settings.get("variation"), plan.settings.get("seed")
    return {"variation": f"{variation:g} of seed {seed}"} if variation else {}
