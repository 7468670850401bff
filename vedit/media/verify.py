"""The contract, checked on the written file: it is decoded again and compared with the source."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from vedit.media.containers import CONTAINERS, track_time_base
from vedit.media.encode import output_tags
from vedit.media.index import scan
from vedit.media.languages import canonical, written_as
from vedit.media.passthrough import in_part, source_packets, span
from vedit.media.probe import probe
from vedit.media.rates import fits
from vedit.media.source import open_input
from vedit.media.timecode import add_frames
from vedit.types import ColorTags, FrameIndex, FrameRange, VideoMetadata

if TYPE_CHECKING:
    from av.stream import Stream

    from vedit.media.plan import OutputPlan


@dataclass(frozen=True, kw_only=True)
class Check:
    """One figure of the contract."""

    name: str
    expected: str
    found: str
    ok: bool


@dataclass(frozen=True, kw_only=True)
class ContractReport:
    """Every figure that was checked on a written file."""

    checks: tuple[Check, ...]

    @property
    def ok(self) -> bool:
        return all(check.ok for check in self.checks)

    def as_dict(self) -> dict[str, object]:
        """For JSON: {"ok": ..., "checks": [{"name", "expected", "found", "ok"}, ...]}."""
        checks = [{"name": c.name, "expected": c.expected, "found": c.found, "ok": c.ok} for c in self.checks]
        return {"ok": self.ok, "checks": checks}


@dataclass(frozen=True, kw_only=True)
class _Track:
    """A copied stream: what its packets hold, and when they are, in seconds after the first video frame."""

    index: int
    kind: str
    language: str | None
    time_base: Fraction
    digest: str
    packets: int
    times: tuple[Fraction, ...]


def verify(
    source: VideoMetadata | Path | str,
    result: Path | str,
    *,
    frames: FrameRange | None = None,
    source_index: FrameIndex | None = None,
    plan: OutputPlan | None = None,
) -> ContractReport:
    """Compare a written file with the source it was made from.

    Args:
        source: the source, or its metadata.
        result: the written file.
        frames: the part of the source that was written; None is the whole clip.
        source_index: of the source; None decodes it again.
        plan: what was agreed not to be kept (streams, timecode, a padded size); None expects everything.

    Raises:
        MediaError: a file cannot be read.
    """
    before = source if isinstance(source, VideoMetadata) else probe(source)
    index = source_index or scan(before.path, before).frames
    part = frames if frames is not None else FrameRange(start=0, stop=len(index))
    after = probe(result)
    written = scan(after.path, after).frames
    checks = [
        *_timing(index, written, part, after),
        *_picture(before, after, plan),
        _timecode(before, after, index, part, plan),
        _check("chapters", _chapters(before, index, part), after.chapters),
        *_tracks(before, after, index, written, part, plan),
    ]
    return ContractReport(checks=tuple(checks))


def _check(name: str, expected: object, found: object, ok: bool | None = None) -> Check:
    return Check(name=name, expected=str(expected), found=str(found), ok=expected == found if ok is None else ok)


def _timing(index: FrameIndex, written: FrameIndex, part: FrameRange, after: VideoMetadata) -> list[Check]:
    checks = [_check("frame count", len(part), len(written))]
    exact = (index.time_base / written.time_base).denominator == 1
    tick = Fraction(0) if exact else max(index.time_base, written.time_base)
    first = index.seconds(part.start)
    pairs = zip(range(part.start, part.stop), range(len(written)), strict=False)
    worst = max((abs(index.seconds(a) - first - written.seconds(b)) for a, b in pairs), default=Fraction(0))
    told = f"within {_ms(tick)} of the source" if tick else "equal to the source"
    checks.append(_check("frame times", told, f"largest difference {_ms(worst)}", worst <= tick))
    container = CONTAINERS.get(after.path.suffix.lower())
    if container is not None:
        checks.append(_check("time base", track_time_base(container, index.time_base), written.time_base))
    if index.rate is not None:
        # Over a short part, or in coarser ticks, many rates fit: the source's must be one of them.
        slack = (written.time_base + (index.time_base if tick else 0)) / written.time_base / 2
        same = fits(index.rate, written.pts, written.time_base, slack)
        checks.append(_check("frame rate", index.rate, index.rate if same else written.rate or "variable"))
    else:
        checks.append(_check("frame rate", "variable", "variable"))
    last = index.last_duration if part.stop == len(index) else index.pts[part.stop] - index.pts[part.stop - 1]
    expected = index.seconds(part.stop - 1) - first + last * index.time_base
    found = written.seconds(len(written) - 1) + written.last_duration * written.time_base
    slack = tick
    if "matroska" in after.container:
        # Matroska has no place for the last frame's duration: it is that of the others.
        slack += max(last * index.time_base, written.last_duration * written.time_base)
    checks.append(_check("duration", _seconds(expected), _seconds(found), abs(expected - found) <= slack))
    return checks


def _picture(before: VideoMetadata, after: VideoMetadata, plan: OutputPlan | None) -> list[Check]:
    size = (plan.encoding.width, plan.encoding.height) if plan else (before.width, before.height)
    return [
        _check("display size", f"{size[0]}x{size[1]}", f"{after.width}x{after.height}"),
        _check("sample aspect ratio", before.sample_aspect_ratio, after.sample_aspect_ratio),
        _check("rotation", "none", "none" if (after.rotation, after.mirrored) == (0, False) else after.rotation),
        _check("colour tags", _tags(output_tags(before)), _tags(after.color)),
    ]


def _timecode(
    before: VideoMetadata, after: VideoMetadata, index: FrameIndex, part: FrameRange, plan: OutputPlan | None
) -> Check:
    if plan is not None:
        expected = plan.timecode
    elif before.timecode is None or index.rate is None:
        expected = None if index.rate is not None else after.timecode
    else:
        expected = add_frames(before.timecode, part.start, index.rate)
    return _check("timecode", expected, after.timecode)


def _chapters(before: VideoMetadata, index: FrameIndex, part: FrameRange) -> int:
    """How many of the source's chapters the part touches."""
    if not before.chapters or len(part) == len(index):
        return before.chapters
    begin, end = span(index, part)
    with open_input(before.path) as container:
        times = [(c["start"] * (c["time_base"] or 0), c["end"] * (c["time_base"] or 0)) for c in container.chapters()]
    return sum(max(start, begin) < min(stop, end) for start, stop in times)


def _tracks(
    before: VideoMetadata,
    after: VideoMetadata,
    index: FrameIndex,
    written: FrameIndex,
    part: FrameRange,
    plan: OutputPlan | None,
) -> list[Check]:
    whole = len(part) == len(index)
    begin, end = span(index, part)
    kept = set(plan.copied) if plan else {s.index for s in before.streams if s.kind in ("audio", "subtitle")}
    expected = _read(before, kept, begin, None if whole else (begin, end))
    found = _read(after, {s.index for s in after.streams}, written.pts[0] * written.time_base, None)
    tick = max(index.time_base, written.time_base)
    checks: list[Check] = []
    for kind in ("audio", "subtitle"):
        wanted, got = [t for t in expected if t.kind == kind], [t for t in found if t.kind == kind]
        checks.append(_check(f"{kind} tracks", len(wanted), len(got)))
        for number, (a, b) in enumerate(zip(wanted, got, strict=False), 1):
            name = f"{kind} {number}"
            checks.append(
                _check(f"{name} payload", f"{a.packets} packets {a.digest}", f"{b.packets} packets {b.digest}")
            )
            checks.append(_check(f"{name} language", _language(a.language, after), canonical(b.language)))
            limit = max(tick, a.time_base, b.time_base)
            worst = max((abs(x - y) for x, y in zip(a.times, b.times, strict=False)), default=Fraction(0))
            checks.append(
                _check(
                    f"{name} offset to video",
                    f"within {_ms(limit)}",
                    f"largest difference {_ms(worst)}",
                    worst <= limit,
                )
            )
    return checks


def _read(
    metadata: VideoMetadata, indices: set[int], origin: Fraction, part: tuple[Fraction, Fraction] | None
) -> list[_Track]:
    """The packets of the streams in file order, as one checksum and a list of times each."""
    with open_input(metadata.path) as container:
        streams = [s for s in container.streams if s.index in indices and s.type in ("audio", "subtitle")]
        hashes = {stream.index: sha256() for stream in streams}
        times: dict[int, list[Fraction]] = {stream.index: [] for stream in streams}
        for packet in source_packets(container, streams):
            if part is not None and not in_part(packet, *part):
                continue
            number = packet.stream.index
            hashes[number].update(payload(bytes(packet), packet.stream))
            pts = packet.pts if packet.pts is not None else packet.dts or 0
            seconds = pts * packet.time_base - origin
            # A subtitle that is on screen when a part begins is shown from its first frame.
            times[number].append(max(seconds, Fraction(0)) if part and packet.stream.type == "subtitle" else seconds)
        return [
            _Track(
                index=stream.index,
                kind=stream.type,
                language=stream.language,
                time_base=stream.time_base or Fraction(1, 1000),
                digest=hashes[stream.index].hexdigest()[:16],
                packets=len(times[stream.index]),
                times=tuple(times[stream.index]),
            )
            for stream in streams
        ]


def payload(data: bytes, stream: Stream) -> bytes:
    """A packet without transport framing: AAC loses its ADTS header, which mp4 and Matroska keep elsewhere."""
    if (
        stream.codec_context.codec.canonical_name == "aac"
        and len(data) > 7
        and data[0] == 0xFF
        and data[1] & 0xF6 == 0xF0
    ):
        return data[7 if data[1] & 1 else 9 :]
    return data


def _language(language: str | None, after: VideoMetadata) -> str:
    """What a container can say of a language: QuickTime knows few."""
    container = CONTAINERS.get(after.path.suffix.lower())
    if container is not None and language is not None and written_as(container.muxer, language) is None:
        return "none"
    return canonical(language)


def _tags(tags: ColorTags) -> str:
    return f"{tags.primaries}/{tags.transfer}/{tags.matrix} {'full' if tags.full_range else 'limited'}"


def _ms(seconds: Fraction) -> str:
    return f"{float(seconds * 1000):.3f} ms"


def _seconds(seconds: Fraction) -> str:
    return f"{float(seconds):.6f} s"
