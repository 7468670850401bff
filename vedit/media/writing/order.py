"""The times of copied packets, made to increase where a source's step back, which no container takes."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Mapping

    from av.audio.stream import AudioStream
    from av.packet import Packet
    from av.stream import Stream

SMALL = Fraction(1, 10)
"""Seconds: a step back of up to this is a packet out of place; a longer one is where another recording begins."""


@dataclass
class Steps:
    """What had to be done with one stream."""

    dropped: int = 0
    """Packets that are not played: an edit list begins behind them, and they would come in twice."""
    moved: int = 0
    """Packets whose time was not behind that of the one before; they are put behind it."""
    joined: int = 0
    """Places where the times begin anew: what follows is put behind what came before."""
    first: Fraction | None = None
    """Second of the source at which a time was first changed."""


@dataclass
class _Clock:
    base: Fraction
    """Seconds of a tick."""
    keeps_time: bool
    """It has no pauses: sound or a picture, whose end is where a joined recording begins."""
    last: int | None = None
    """Time of the last packet that was let through, in ticks of the stream."""
    end: int = 0
    """When it ends."""
    begin: Fraction | None = None
    """Second of the first sample, where samples have a fixed size."""
    samples: int = 0
    """So far."""
    shift: int = 0
    """Ticks that are added to each time."""


class Order:
    """Lets the packets of a file through in increasing time, stream by stream; the same for every reader of it.

    Two kinds of file step back: an edit list of several entries makes the demuxer begin each a little early, with
    packets that it marks as not to be played; and joined recordings, whose clock begins anew in the middle.
    """

    def __init__(self) -> None:
        self.steps: dict[int, Steps] = {}
        """By number of the stream; only those in which something was changed."""
        self.pauses: dict[int, Fraction] = {}
        """The second at which samples of PCM first do not follow on the ones before, by number of the stream."""
        self._clocks: dict[int, _Clock] = {}

    def __call__(self, packet: Packet[Stream]) -> bool:
        """Whether the packet is to be copied; its times are changed where they must be."""
        stream = packet.stream
        told = packet.dts if packet.dts is not None else packet.pts
        if told is None:
            return True
        base = packet.time_base
        clock = self._clocks.setdefault(
            stream.index, _Clock(base=base, keeps_time=stream.type not in ("subtitle", "data"))
        )
        time = told + clock.shift
        if clock.last is not None and time < clock.last + clock.keeps_time:
            steps = self.steps.setdefault(stream.index, Steps())
            if packet.is_discard:
                steps.dropped += 1
                return False
            if steps.first is None:
                steps.first = clock.last * base
            # Sound lies behind sound, and a picture behind a picture; a subtitle may lie over another.
            place = max(clock.end, clock.last + 1) if clock.keeps_time else max(clock.last, told + self._joint(base))
            if (place - time) * base > SMALL:
                steps.joined += 1
                clock.shift += place - time
            else:
                steps.moved += 1
            time = place
        change = time - told
        if change:
            packet.pts = packet.pts + change if packet.pts is not None else None
            packet.dts = packet.dts + change if packet.dts is not None else None
        self._pause(packet, clock, time)
        clock.last, clock.end = time, max(clock.end, time + (packet.duration or 0))
        return True

    def _pause(self, packet: Packet[Stream], clock: _Clock, time: int) -> None:
        """Note where samples do not follow on the ones before; packets may tell that to a tick only."""
        width = sample_bytes(packet.stream)
        if not width:
            return
        rate = cast("AudioStream", packet.stream).codec_context.sample_rate
        if clock.begin is None:
            clock.begin = time * clock.base
        expected = clock.begin + Fraction(clock.samples, rate)
        if (
            abs(time * clock.base - expected) > max(clock.base, Fraction(1, rate))
            and packet.stream.index not in self.pauses
        ):
            self.pauses[packet.stream.index] = expected
        clock.samples += packet.size // width

    def _joint(self, base: Fraction) -> int:
        """How far sound and pictures are shifted by now, in ticks of another stream."""
        shifts = (clock.shift * clock.base for clock in self._clocks.values() if clock.keeps_time)
        return round(max(shifts, default=Fraction(0)) / base)


def sample_bytes(stream: Stream) -> int:
    """Bytes of one sample of all channels in PCM; 0 for any other stream."""
    if stream.type != "audio":
        return 0
    context = cast("AudioStream", stream).codec_context
    kind, _, form = context.codec.canonical_name.partition("_")
    bits = "8" if form in ("mulaw", "alaw", "vidc") else "".join(filter(str.isdigit, form))
    return int(bits) // 8 * context.channels if kind == "pcm" and bits else 0


def order_notes(steps: Mapping[int, Steps], names: Mapping[int, str]) -> tuple[list[str], list[str]]:
    """What the user should know of the copied streams' times, and what of them is not kept as it was."""
    notes: list[str] = []
    lost: list[str] = []
    for number, step in sorted(steps.items()):
        name = names[number]
        if step.dropped:
            notes.append(f"{_packets(step.dropped)} of {name} that no player plays left out (an edit list hides them)")
        if step.first is None:
            continue
        at = f"at {float(step.first):.3f} s"
        if step.joined:
            lost.append(f"the times of {name}, which begin anew {at}: what follows is put behind what came before")
        else:
            lost.append(f"the times of {_packets(step.moved)} of {name}, which step back {at}: put behind each other")
    return notes, lost


def _packets(count: int) -> str:
    return f"{count} packet{'' if count == 1 else 's'}"
