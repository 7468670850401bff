"""Motion: what is left of the source's movement, beside what plain noise leaves; and flicker."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from statistics import fmean

import av
import torch
from trainer.looks import Look

from scores.data import prompt_of, read_frames, small_square
from scores.metrics import motion_error, moving_share, warp_error
from scores.rendering import Subject
from scores.report import Bar, Cell, Table
from vedit.finishing.deflicker import steady
from vedit.ranges import to_integer

CLIPS = (
    ("tokenflow__woman-running.mp4", 20),
    ("tune-a-video__car-turn.mp4", 40),
    ("imageio-binaries__cockatoo.mp4", 140),
    ("carnd-lanelines-p1__solidWhiteRight.mp4", 20),
    ("gpmf-parser__max-heromode.mp4", 20),
    ("learning-area__elf.webm", 120),
)
"""Name and first frame of clips that move; the first `--clips` of them are measured."""
LEAST_MOVING = 0.2
LIMIT = 0.4
NOISE_LIMIT = 0.7
RENDERED_LIMIT = 0.25
FLICKER_LIMIT = 1.3
ROUND_TRIP_CRF = "23"

Log = Callable[[str], None]


def motion_table(
    subject: Subject,
    looks: Sequence[Look],
    folder: Path,
    *,
    clips: int,
    frames: int,
    across: int,
    settings: str,
    log: Log,
) -> Table:
    """Every clip under every look; the first `across` looks also with cross-frame attention."""
    rows: list[tuple[Cell, ...]] = []
    tally = _Tally()
    for name, start in CLIPS[:clips]:
        source = small_square(read_frames(folder / name, start=start, count=frames))
        share = moving_share(source)
        counted = share >= LEAST_MOVING
        own = warp_error(source, source)
        label = f"{name} ({share:.0%} moves{'' if counted else ', not counted'})"
        rows.append((label, "source", 0.0, "", "", 1000 * own, "", ""))
        for floor, again in (("H.264", _round_trip(source)), ("autoencoder", subject.through_autoencoder(source))):
            off = 1000 * warp_error(source, again)
            rows.append((label, f"floor: {floor}", motion_error(source, again), "", "", off, "", ""))
            log(f"motion {name}, floor {floor}: {rows[-1][2]:.3f}")
        for number, look in enumerate(looks):
            prompt = prompt_of(look)
            result = subject.frames(subject.options(prompt), source)
            noise = subject.frames(subject.options(prompt, start="noise"), source)
            rendered = steady(source, result)
            found, plain, still = (motion_error(source, made) for made in (result, noise, rendered))
            off, calm, on = warp_error(source, result), warp_error(source, rendered), None
            tally.flicker.append(calm / own)
            if number < across:
                on = warp_error(source, subject.frames(subject.options(prompt, attention="cross-frame"), source))
                tally.on.append(on)
                tally.off.append(off)
            if counted:
                tally.raw.setdefault(name, []).append(found)
                tally.noisy.setdefault(name, []).append(plain)
                tally.rendered.setdefault(name, []).append(still)
            rows.append(
                (label, look.name, found, plain, still, 1000 * off, "" if on is None else 1000 * on, 1000 * calm)
            )
            log(f"motion {name}, {look.name}: {found:.3f}, noise {plain:.3f}, rendered {still:.3f}, {calm / own:.1f}")
    return Table(
        title="Motion",
        settings=settings,
        columns=(
            "clip",
            "look",
            "inversion",
            "plain noise",
            "inversion, rendered",
            "warp error x 1000",
            "with cross-frame attention",
            "rendered",
        ),
        rows=tuple(rows),
        bars=tally.bars(),
    )


@dataclass
class _Tally:
    """What the bars are made of: motion errors by clip, each look's; and warp errors of all."""

    raw: dict[str, list[float]] = field(default_factory=dict[str, list[float]])
    noisy: dict[str, list[float]] = field(default_factory=dict[str, list[float]])
    rendered: dict[str, list[float]] = field(default_factory=dict[str, list[float]])
    on: list[float] = field(default_factory=list[float])
    off: list[float] = field(default_factory=list[float])
    flicker: list[float] = field(default_factory=list[float])
    """Rendered, over the source's own."""

    def bars(self) -> tuple[Bar, ...]:
        """Each clip's mean over looks is held against the limits, so that no easy clip hides a hard one."""
        bars: list[Bar] = []
        for name, values in self.raw.items():
            bars.append(Bar(what=f"motion error, {name}", figure=fmean(values), sign="<", limit=LIMIT))
            share = fmean(values) / fmean(self.noisy[name])
            bars.append(Bar(what=f"of plain noise's, {name}", figure=share, sign="<=", limit=NOISE_LIMIT))
            still = fmean(self.rendered[name])
            bars.append(Bar(what=f"motion error as rendered, {name}", figure=still, sign="<", limit=RENDERED_LIMIT))
        if not self.raw:
            nan = float("nan")
            bars.append(Bar(what="motion error", figure=nan, sign="<", limit=LIMIT, remark="no clip moves enough"))
        flicker = fmean(self.flicker)
        what = "warp error as rendered over the source's own, mean of looks and clips"
        bars.append(Bar(what=what, figure=flicker, sign="<=", limit=FLICKER_LIMIT))
        if self.off:
            ratio = fmean(self.on) / fmean(self.off)
            bars.append(Bar(what="warp error, cross-frame attention on over off", figure=ratio, sign="<", limit=1.0))
        return tuple(bars)


def _round_trip(frames: torch.Tensor) -> torch.Tensor:
    """The frames as H.264 gives them back: what a re-encoding alone costs."""
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=Fraction(25), options={"crf": ROUND_TRIP_CRF})
        stream.height, stream.width = frames.shape[-2:]
        stream.pix_fmt = "yuv420p"
        for picture in to_integer(frames, 8):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture.transpose(1, 2, 0).copy(), "rgb24")))
        container.mux(stream.encode(None))
    file.seek(0)
    with av.open(file, "r") as written:
        decoded = [torch.from_numpy(frame.to_ndarray(format="rgb24")) for frame in written.decode(video=0)]
    return torch.stack(decoded).permute(0, 3, 1, 2).float().contiguous() / 255
