"""`vedit controls`: control maps as video or data, what a clip offers to controls, and which kinds there are."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vedit.cli import completion, params
from vedit.cli.console import say, show, show_json, size
from vedit.cli.grouped import Grouped
from vedit.cli.inputs import input_argument
from vedit.cli.mask_params import mask_options
from vedit.cli.progress import progress
from vedit.cli.setting_options import gathered, option_of
from vedit.cli.shared_options import overwrite_option, reading_options
from vedit.media.output import OutputOptions
from vedit.options.table import setting_of

if TYPE_CHECKING:
    from vedit.control_maps.listing import KindInfo
    from vedit.control_maps.report import CheckReport, ShotReport
    from vedit.options.masks import MaskSpec

# `vedit.control_maps.export_paths.FORMATS`, which this may not import before a command runs.
_FORMATS = ("video", "png", "png16", "exr", "flo")


class KindOption(click.Option):
    """`--kind`, whose help names the kinds that are registered at the time."""

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        """The option and its help, as click shows it."""
        from vedit.registry.preprocessors import preprocessors

        record = super().get_help_record(ctx)
        names = ", ".join(entry.name for entry in preprocessors())
        return None if record is None else (record[0], f"{record[1]} {names}.")


_FILES = (
    click.option(
        "--format",
        "file_format",
        type=params.Choice(_FORMATS),
        help="png: pictures; exr: floats (raw inverse depth, flow in pixels); flo, png16 (KITTI): flow.  "
        "[default: by the extension; video for a folder]",
    ),
    click.option(
        "--sheet", type=params.FILE, metavar="FILE.png", help="Contact sheet: frames of the clip and their maps."
    ),
    click.option(
        "--short-side",
        "side",
        type=click.IntRange(min=16),
        help="Pixels of the shorter side at which maps are computed.  [default: the kind's own, else the source's]",
    ),
    option_of(setting_of(OutputOptions, "preset"), default="archive"),
    overwrite_option,
)
"""What `vedit.control_maps.run.controls` takes of these names."""


@click.command("controls", cls=Grouped, short_help="Write control maps, or check what a clip offers to them.")
@input_argument(required=False)
@click.option(
    "--kind",
    "kind_text",
    cls=KindOption,
    shell_complete=completion.kinds,
    metavar="KIND[,KIND...]",
    help="Which maps; with --check the default is softedge,flow,depth,pose. Known:",
)
@click.option(
    "-o",
    "--output",
    metavar="DIR|FILE",
    help="A folder (NAME.KIND.mp4 in it, and a contact sheet), a video, or numbered files (depth_%04d.png); "
    "of several kinds each takes the place of {kind} in the name, or joins it.",
)
@click.option("--check", is_flag=True, help="Write nothing; measure every shot and warn where a control would hurt.")
@click.option("--strict", is_flag=True, help="With --check: exit 1 where there is a warning.")
@click.option("--list", "listed", is_flag=True, help="List the kinds, what they need, and whether it is here.")
@gathered("files", _FILES)
@mask_options
@reading_options
@params.json_option
@params.quiet_option
def controls_command(
    *,
    source: Path | None,
    kind_text: str | None,
    output: str | None,
    check: bool,
    strict: bool,
    listed: bool,
    files: dict[str, Any],
    mask: MaskSpec | None,
    reading: dict[str, Any],
    as_json: bool,
    quiet: bool,
) -> int:
    """Write control maps of INPUT with INPUT's timing, one video, image sequence or run of data files for each kind.

    Every shot is one stream: depth has one range over it, flow never crosses a cut. The maps can be edited and given
    back with `vedit restyle --from KIND=FILE`.

    \b
    Examples:
      vedit controls --list
      vedit controls input.mp4 --kind softedge,flow -o maps/
      vedit controls input.mp4 --kind softedge -o edges.mov --range 0..2
      vedit controls input.mp4 --kind depth -o depth_%04d.exr
      vedit controls input.mp4 --kind flow --format flo -o motion/
      vedit controls input.mp4 --check
      vedit controls input.mp4 --check --kind softedge,pose --strict --json
      vedit controls input.mp4 --check --mask person.mp4
    """
    if listed:
        _list(as_json=as_json)
        return 0
    if source is None:
        raise click.UsageError("name the clip: vedit controls INPUT --kind KIND -o DIR|FILE, or --check, or --list")
    if check:
        if output is not None or files["sheet"] is not None:
            raise click.UsageError("--check writes nothing: leave out -o and --sheet")
        kinds = params.kinds(kind_text) if kind_text is not None else None
        return _check(source, kinds, mask=mask, strict=strict, as_json=as_json, quiet=quiet, **reading)
    if mask is not None:
        raise click.UsageError("a mask is measured with --check; maps are of the whole picture")
    if kind_text is None or output is None:
        raise click.UsageError("name the maps and where they go: --kind KIND -o DIR|FILE; --list says which there are")
    from vedit.control_maps.run import controls

    kinds = params.kinds(kind_text)
    with progress(quiet=quiet) as report:
        written = controls(source, kinds, output, on_progress=report, **files, **reading)
    if not quiet:
        for note in written.notes:
            say(f"note: {note}")
    if as_json:
        show_json({"outputs": written.outputs, "sheet": written.sheet, "notes": written.notes})
        return 0
    for path in (*written.outputs, *([written.sheet] if written.sheet else [])):
        show(str(path))
    return 0


def _check(
    source: Path,
    kinds: tuple[str, ...] | None,
    *,
    mask: MaskSpec | None,
    strict: bool,
    as_json: bool,
    quiet: bool,
    **common: Any,
) -> int:
    from vedit.control_maps.report import DEFAULT_KINDS
    from vedit.control_maps.run import check_controls

    with progress(quiet=quiet) as report:
        found = check_controls(source, kinds or DEFAULT_KINDS, mask=mask, on_progress=report, **common)
    if not quiet:
        for note in (*found.notes, *found.unchecked):
            say(f"note: {note}")
    if as_json:
        show_json(_as_json(found))
    else:
        _show_report(found)
    return 1 if strict and found.warned else 0


def _show_report(report: CheckReport) -> None:
    """A row for each shot, then the warnings."""
    columns = ("shot", "frames", "luma", "edges", "flow", "depth", "people", "mask")
    rows = [columns, *(_row(shot) for shot in report.shots)]
    used = [n for n, name in enumerate(columns) if n < 3 or any(row[n] for row in rows[1:]) or name == "edges"]
    widths = {n: max(len(row[n]) for row in rows) for n in used}
    for row in rows:
        show("  ".join(f"{row[n] or '-':<{widths[n]}}" for n in used).rstrip())
    for shot in report.shots:
        for warning in shot.warnings:
            show(f"shot {shot.shot.number}: {warning}")
    if not report.warned:
        show("nothing to warn of")


def _row(report: ShotReport) -> tuple[str, ...]:
    figures = report.figures
    sure = [value for value, people in zip(figures.confidence, figures.people, strict=True) if people]
    people = ""
    if figures.people:
        people = _span(figures.people, "d") + (f" ({sum(sure) / len(sure):.2f})" if sure else "")
    low, high = min((d[0] for d in figures.depth), default=0.0), max((d[1] for d in figures.depth), default=0.0)
    return (
        str(report.shot.number),
        f"#{figures.frames.start}..#{figures.frames.stop}",
        _mean(figures.brightness),
        _mean(figures.edges),
        f"{sum(figures.flow) / len(figures.flow):.0%}" if figures.flow else "",
        f"{low:.3g}..{high:.3g}" if figures.depth else "",
        people,
        _span([100 * share for share in figures.mask], ".0f") + "%" if figures.mask else "",
    )


def _mean(values: tuple[float, ...]) -> str:
    return f"{sum(values) / len(values):.3f}" if values else ""


def _span(values: Any, form: str) -> str:
    low, high = format(min(values), form), format(max(values), form)
    return low if low == high else f"{low}..{high}"


def _as_json(report: CheckReport) -> dict[str, object]:
    return {
        "shots": [
            {
                "number": shot.shot.number,
                "start": shot.figures.frames.start,
                "stop": shot.figures.frames.stop,
                "brightness": shot.figures.brightness,
                "contrast": shot.figures.contrast,
                "edges": shot.figures.edges,
                "flow_valid": shot.figures.flow,
                "depth": shot.figures.depth,
                "people": shot.figures.people,
                "pose_confidence": shot.figures.confidence,
                "mask_area": shot.figures.mask,
                "warnings": shot.warnings,
            }
            for shot in report.shots
        ],
        "unchecked": report.unchecked,
        "notes": report.notes,
        "ok": not report.warned,
    }


def _list(*, as_json: bool) -> None:
    from vedit.control_maps.listing import control_kinds

    kinds = control_kinds()
    if as_json:
        show_json({"kinds": [{**_fields(kind), "ready": kind.ready, "commands": kind.commands} for kind in kinds]})
        return
    width = max((len(kind.name) for kind in kinds), default=0)
    for kind in kinds:
        show(f"{kind.name:<{width}}  {'ready' if kind.ready else 'absent':<6}  {kind.summary}")
        for needed in kind.weights:
            terms = f"{size(needed.size_bytes)}, {needed.licence}{'' if needed.commercial else ', no commercial use'}"
            here = "present" if needed.present else f"absent: vedit models pull {needed.name}"
            show(f"{'':<{width}}          weights {needed.name} ({terms}): {here}")
        if kind.extra is not None:
            here = "present" if kind.extra_present else f"absent: pip install 'vedit[{kind.extra}]'"
            show(f"{'':<{width}}          extra {kind.extra}: {here}")


def _fields(kind: KindInfo) -> dict[str, object]:
    return {name: getattr(kind, name) for name in kind.__dataclass_fields__}
