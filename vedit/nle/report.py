"""What a run over a timeline does or has done, as JSON has it: for `--json`, and for the record beside the result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from vedit.errors import InputError
from vedit.media.writing.sidecar import FORMAT, is_record, sidecar_path, source_hash, stage_sidecar
from vedit.media.writing.target import check_name
from vedit.nle.clock import span_timecodes

if TYPE_CHECKING:
    from vedit.nle.jobs import TimelineJob
    from vedit.nle.model import Timeline, TimelineClip
    from vedit.nle.results import TimelineRender


def describe_render(timeline: Timeline, render: TimelineRender, *, done: str) -> dict[str, object]:
    """One render: what of which file, in which look, where the result is, and which clips show it.

    Args:
        timeline: the cut that it is for.
        render: from `timeline_renders`.
        done: what is or will be done: "render", "kept", "in the way", "rendered".
    """
    job = render.job
    return {
        "source": str(job.source),
        "output": str(job.output),
        "frames": [job.frames.start, job.frames.stop],
        "used": [job.used.start, job.used.stop],
        "handles": list(job.handles),
        "rate": str(job.rate),
        "timecode": render.timecode,
        "look": job.look.name,
        "settings": dict(job.look.settings),
        "model": render.request.model,
        "clips": [_clip(timeline, timeline.clips[number - 1]) for number in job.clips],
        "state": done,
    }


def describe_run(
    timeline: Timeline,
    *,
    source: Path,
    output: Path,
    renders: Sequence[Mapping[str, object]],
    skipped: Sequence[tuple[TimelineClip, str]],
    idle: Sequence[str],
    notes: Sequence[str],
) -> dict[str, object]:
    """A whole run.

    Args:
        timeline: the cut.
        source: its file.
        output: the file that shows the results.
        renders: from `describe_render`.
        skipped: clips that get a look and cannot be edited, and why.
        idle: looks that no clip gets.
        notes: what the user should know.
    """
    return {
        "timeline": str(source),
        "output": str(output),
        "format": timeline.format,
        "rate": str(timeline.rate),
        "renders": list(renders),
        "skipped": [{**_clip(timeline, clip), "why": why} for clip, why in skipped],
        "idle_looks": list(idle),
        "notes": list(notes),
    }


def check_record(output: Path) -> None:
    """Raises InputError where a file that is no record of this timeline has the record's name."""
    record = sidecar_path(output)
    check_name(record)
    if record.is_symlink() or (record.exists() and not is_record(record)):
        raise InputError(f"{record} is in the way", remedy="move it, or leave it out: --no-sidecar")


def write_record(source: Path, output: Path, told: Mapping[str, object]) -> Path:
    """Write `OUT.vedit.json`: which stretch of which file lies where, with which handles. Raises OSError."""
    record = sidecar_path(output)
    content = {"format": FORMAT, **told, "output": output.name}
    if source.is_file():
        digest, size = source_hash(source)
        content["timeline"] = {"name": source.name, "sha256": digest, "bytes": size}
    stage_sidecar(record, content).replace(record)
    return record


def span_of(job: TimelineJob) -> str:
    """A job's frames with what of them are handles, to be read: #92..#158 (handles 8+8)."""
    head, tail = job.handles
    return f"#{job.frames.start}..#{job.frames.stop} (handles {head}+{tail})"


def _clip(timeline: Timeline, clip: TimelineClip) -> dict[str, object]:
    begin = timeline.start if clip.sequence in ("", timeline.name) else 0
    rate = clip.sequence_rate or timeline.rate
    record = span_timecodes(clip.record, rate, drop=timeline.drop, offset=begin)
    return {"number": clip.number, "name": clip.name, "track": clip.track, "record": record}
