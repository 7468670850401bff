"""Control maps as videos on the source's timing."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from vedit.controls import control_maps
from vedit.geometry import fit, working_fit
from vedit.media.choices import Interlaced, OutputOptions
from vedit.media.plan import plan_output
from vedit.media.read import open_video
from vedit.media.timecode import parse_range
from vedit.media.write import VideoWriter
from vedit.options import OnProgress, Progress, ignore_progress
from vedit.ranges import to_integer
from vedit.registry import preprocessors
from vedit.shots import detect_shots
from vedit.types import ControlSpec, FrameRange, VideoMetadata

if TYPE_CHECKING:
    from vedit.types import IntFrames

CONTROL_FRAMES = 8


def write_controls(
    source: Path,
    kinds: Sequence[str],
    output: Path,
    *,
    frames: str | None = None,
    overwrite: bool = False,
    short_side: int | None = None,
    rate: Fraction | None = None,
    allow_huge: bool = False,
    interlaced: Interlaced = "deinterlace",
    on_progress: OnProgress = ignore_progress,
) -> list[Path]:
    """Write control maps as videos with the source's size, timing and sound.

    Args:
        source: the clip.
        kinds: one or more; with several, each kind's name is put before the extension of `output`.
        output: the file to write.
        frames: START..END as `restyle` takes it; None is the whole clip.
        overwrite: replace files that exist.
        short_side: pixels at which the maps are computed, as the model sees them; None is the source's size.
        rate: frames per second of an image sequence; None is 25.
        allow_huge: read frames and clips beyond the limits of `vedit.media.limits`.
        interlaced: what is done with interlaced material.
        on_progress: told as frames are written.

    Raises:
        InputError: a kind is unknown, or a file cannot be read or written.
    """
    entries = [preprocessors()[kind].name for kind in kinds]
    with open_video(source, rate=rate, allow_huge=allow_huge, interlaced=interlaced) as reader:
        metadata, index = reader.metadata, reader.index()
        part = FrameRange(start=0, stop=len(index))
        if frames is not None:
            part = parse_range(frames, index, metadata.timecode)
        size = min(metadata.width, metadata.height)
        place = working_fit((metadata.height, metadata.width), short_side=short_side or size, multiple_of=1)
        paths = [output if len(entries) == 1 else output.with_stem(f"{output.stem}.{kind}") for kind in entries]
        plans = [
            plan_output(
                p,
                metadata,
                index,
                frames=part,
                options=OutputOptions(overwrite=overwrite, label=False, sidecar=False, interlaced=interlaced),
            )
            for p in paths
        ]
        shots = detect_shots(reader, frames=part)
        for kind, output_plan in zip(entries, plans, strict=True):
            with VideoWriter(output_plan) as writer:
                for shot in shots:
                    # Motion needs the frame before: chunks share one frame, whose map is computed twice.
                    for clip in reader.chunks(shot.frames, CONTROL_FRAMES):
                        lead = clip.start > shot.frames.start
                        seen = FrameRange(start=clip.start - lead, stop=clip.start + len(clip))
                        small = fit(reader.read(seen), place)
                        (made,) = control_maps([ControlSpec(kind=kind)], small)
                        writer.write(_resized(made.frames[int(lead) :], metadata))
                        done = clip.start + len(clip) - part.start
                        on_progress(
                            Progress(stage=kind, done=done, total=len(part), shot=shot.number, shots=len(shots))
                        )
                writer.finish()
    return [output_plan.path for output_plan in plans]


def _resized(frames: torch.Tensor, metadata: VideoMetadata) -> IntFrames:
    size = (metadata.height, metadata.width)
    if frames.shape[-2:] != size:
        frames = torch.nn.functional.interpolate(frames, size, mode="bicubic", antialias=True)
    return to_integer(frames, metadata.bit_depth)
