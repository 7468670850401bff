"""A cut of real media, three shots, in every text format: the pictures of the result lie where the source's lay.

In place of a restyled stretch stands the very stretch, cut out of the source, so that each frame can be known again by
the number that its grey value spells.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from vedit.errors import InputError
from vedit.media.timecode import add_frames, format_timecode, parse_timecode
from vedit.nle.jobs import media_facts, plan_timeline, relink
from vedit.nle.looks import parse_looks
from vedit.nle.model import TimelineDocument
from vedit.nle.ranges import used_range
from vedit.nle.read import read_timeline, write_timeline

FRAMES = 60
LOOKS = parse_looks('[[look]]\nname = "ink"\nprompt = "ink"\nclip = "*two*"\n')
# (rate, drop-frame, the media's first timecode)
RATES = [
    (Fraction(24000, 1001), False, "01:00:00:00"),
    (Fraction(24), False, "01:00:00:00"),
    (Fraction(25), False, "10:00:00:00"),
    (Fraction(30000, 1001), True, "00:59:59;20"),
    (Fraction(60000, 1001), True, "00:59:59;20"),
]
SHOTS = (("one", 5, 15), ("two", 22, 12), ("three", 40, 18))
"""Name, first frame of the media, frames; they follow each other from timeline frame 0."""


def write_video(path: Path, numbers: range, rate: Fraction, timecode: str) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("png", rate=rate)
        stream.width, stream.height, stream.pix_fmt = 16, 16, "rgb24"
        stream.metadata["timecode"] = timecode
        for number in numbers:
            grey = np.full((16, 16, 3), number * 4, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(grey, format="rgb24")))
        container.mux(stream.encode(None))
    return path


def numbers_in(path: Path) -> list[int]:
    with av.open(str(path)) as container:
        return [int(picture.to_ndarray(format="rgb24")[0, 0, 0]) // 4 for picture in container.decode(video=0)]


def fcpxml(media: Path, rate: Fraction, drop: bool, first: int) -> str:
    def time(frames: int) -> str:
        return f"{frames * rate.denominator}/{rate.numerator}s"

    clips, at = "", 0
    for name, start, count in SHOTS:
        span = f'start="{time(first + start)}" duration="{time(count)}"'
        clips += f'<asset-clip ref="r2" offset="{time(at)}" name="{name}" {span}/>'
        at += count
    kind = "DF" if drop else "NDF"
    return f"""<fcpxml version="1.10"><resources>
    <format id="r1" frameDuration="{time(1)}" width="16" height="16"/>
    <asset id="r2" name="a" start="{time(first)}" duration="{time(FRAMES)}" hasVideo="1" format="r1">
    <media-rep kind="original-media" src="{media.as_uri()}"/></asset></resources>
    <project name="p"><sequence format="r1" tcFormat="{kind}"><spine>{clips}</spine></sequence></project>
    </fcpxml>"""


def xmeml(media: Path, rate: Fraction, drop: bool, first: int) -> str:
    told = f"<rate><timebase>{round(rate)}</timebase><ntsc>{str(rate.denominator == 1001).upper()}</ntsc></rate>"
    timecode = format_timecode(first, rate, drop=drop)
    file = f"""<file id="f1"><name>a</name><pathurl>{media.as_uri()}</pathurl>{told}<duration>{FRAMES}</duration>
    <timecode>{told}<string>{timecode}</string><frame>{first}</frame>
    <displayformat>{"DF" if drop else "NDF"}</displayformat></timecode></file>"""
    items, at = "", 0
    for name, start, count in SHOTS:
        items += f"""<clipitem id="{name}"><name>{name}</name><duration>{FRAMES}</duration>{told}<start>{at}</start>
        <end>{at + count}</end><in>{start}</in><out>{start + count}</out>{file}</clipitem>"""
        file, at = '<file id="f1"/>', at + count
    return f"""<xmeml version="5"><sequence><name>p</name>{told}
    <media><video><track>{items}</track></video></media></sequence></xmeml>"""


def asset_per_cut(media: Path, rate: Fraction, drop: bool, first: int) -> str:
    """DaVinci Resolve: an asset for each cut, none of which begins with the file."""
    text = fcpxml(media, rate, drop, first)
    begin, end = text.index("    <asset "), text.index("</resources>")
    asset, assets = text[begin:end], ""
    for number, (_, start, count) in enumerate(SHOTS, start=2):
        own = asset.replace('"r2"', f'"r{number}"')
        for name, frames in (("start", first + start), ("duration", count)):
            told = f'{name}="{frames * rate.denominator}/{rate.numerator}s"'
            own = re.sub(rf' {name}="[^"]*"', f" {told}", own, count=1)
        assets += own
        text = text.replace('asset-clip ref="r2"', f'asset-clip ref="new{number}"', 1)
    return text.replace(asset, assets).replace("new", "r")


def multicam(media: Path, rate: Fraction, drop: bool, first: int) -> str:
    """Final Cut: the shots are multicam clips, in whose angle the file begins at frame 30."""

    def time(frames: int) -> str:
        return f"{frames * rate.denominator}/{rate.numerator}s"

    text = fcpxml(media, rate, drop, first)
    angle = f"""<mc-angle angleID="a"><gap offset="0s" duration="{time(30)}"/>
    <asset-clip ref="r2" offset="{time(30)}" duration="{time(FRAMES)}"/></mc-angle>"""
    text = text.replace("</resources>", f'<media id="r3"><multicam format="r1">{angle}</multicam></media></resources>')
    at, clips = 0, ""
    for name, start, count in SHOTS:
        span = f'start="{time(30 + start)}" duration="{time(count)}"'
        clips += f'<mc-clip ref="r3" offset="{time(at)}" name="{name}" {span}><mc-source angleID="a"/></mc-clip>'
        at += count
    return re.sub("<spine>.*</spine>", f"<spine>{clips}</spine>", text)


def compound(media: Path, rate: Fraction, drop: bool, first: int) -> str:
    """Final Cut: the cut is a compound clip in another one."""
    text = fcpxml(media, rate, drop, first)
    sequence = text[text.index("<sequence") : text.index("</project>")]
    inner = f'<media id="r3" name="inner">{sequence}</media>'
    holder = re.sub("<spine>.*</spine>", '<spine><ref-clip ref="r3" name="held" duration="1s"/></spine>', sequence)
    outer = f'<media id="r4" name="outer">{holder}</media>'
    empty = text.replace(sequence, holder.replace("r3", "r4"))
    return empty.replace("</resources>", f"{inner}{outer}</resources>")


def timecode_as_text(media: Path, rate: Fraction, drop: bool, first: int) -> str:
    """DaVinci Resolve: FCP7 XML whose timecodes give no frame; and numbers as Hiero writes them."""
    text = xmeml(media, rate, drop, first).replace(f"<frame>{first}</frame>", "")
    return re.sub(r"<(in|out|end)>(\d+)<", r"<\1>\2.0<", text)


def edl(media: Path, rate: Fraction, drop: bool, first: int) -> str:
    lines, at = [f"FCM: {'' if drop else 'NON-'}DROP FRAME"], 0
    for number, (name, start, count) in enumerate(SHOTS, start=1):
        edges = (first + start, first + start + count, at, at + count)
        times = " ".join(format_timecode(edge, rate, drop=drop) for edge in edges)
        lines += [
            f"{number:03d}  A001     V     C        {times}",
            f"* FROM CLIP NAME: {name}",
            f"* SOURCE FILE: {media.name}",
        ]
        at += count
    return "\n".join(lines) + "\n"


def mlt(media: Path, rate: Fraction, drop: bool, first: int) -> str:
    producers = "".join(
        f"""<producer id="{name}" out="{FRAMES - 1}"><property name="length">{FRAMES}</property>
        <property name="resource">{media.name}</property><property name="mlt_service">avformat</property>
        <property name="kdenlive:clipname">{name}</property></producer>"""
        for name, _, _ in SHOTS
    )
    entries = "".join(
        f'<entry producer="{name}" in="{start}" out="{start + count - 1}"/>' for name, start, count in SHOTS
    )
    return f"""<mlt><profile frame_rate_num="{rate.numerator}" frame_rate_den="{rate.denominator}"/>{producers}
    <playlist id="v">{entries}</playlist><tractor id="t"><track producer="v" hide="audio"/></tractor></mlt>"""


def otio(media: Path, rate: Fraction, drop: bool, first: int) -> str:
    def span(start: int, count: int) -> str:
        times = [
            f'{{"OTIO_SCHEMA": "RationalTime.1", "rate": {float(rate)}, "value": {value}}}' for value in (start, count)
        ]
        return f'{{"OTIO_SCHEMA": "TimeRange.1", "start_time": {times[0]}, "duration": {times[1]}}}'

    reference = f"""{{"OTIO_SCHEMA": "ExternalReference.1", "target_url": "{media.name}",
        "available_range": {span(first, FRAMES)}}}"""
    clips = ", ".join(
        f"""{{"OTIO_SCHEMA": "Clip.1", "name": "{name}", "source_range": {span(first + start, count)},
        "media_reference": {reference}}}"""
        for name, start, count in SHOTS
    )
    return f"""{{"OTIO_SCHEMA": "Timeline.1", "tracks": {{"OTIO_SCHEMA": "Stack.1", "children":
    [{{"OTIO_SCHEMA": "Track.1", "kind": "Video", "children": [{clips}]}}]}}}}"""


Writer = Callable[[Path, Fraction, bool, int], str]
WRITERS: list[tuple[str, Writer]] = [
    ("cut.fcpxml", fcpxml),
    ("cut.xml", xmeml),
    ("cut.mlt", mlt),
    ("cut.otio", otio),
    ("cut.edl", edl),
]


FURTHER: list[tuple[str, Writer]] = [
    ("cut.fcpxml", asset_per_cut),
    ("cut.fcpxml", multicam),
    ("cut.fcpxml", compound),
    ("cut.xml", timecode_as_text),
]
"""As some systems write the same cut."""


@pytest.fixture
def trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of our own are read without the process of their own that others are tried in first."""

    def passes(path: Path, *, rate: Fraction | None = None, allow_huge: bool = False) -> None:
        assert path.is_file() and rate is None and not allow_huge

    monkeypatch.setattr("vedit.media.reading.isolate.check_file", passes)


def shown(document: TimelineDocument) -> list[tuple[Fraction, int, int]]:
    """For each clip: where it lies in the cut, and the numbers of its first and last picture as decoded."""
    found: list[tuple[Fraction, int, int]] = []
    paths = {
        clip.media.path for clip in document.timeline.clips if clip.media is not None and clip.media.path is not None
    }
    facts = {path: media_facts(path) for path in paths}
    numbers = {path: numbers_in(path) for path in paths}
    for clip in document.timeline.clips:
        if clip.kind == "compound":
            continue
        assert clip.media is not None and clip.media.path is not None
        used = used_range(clip, facts[clip.media.path], handles=0)
        first, last = (numbers[used.path][edge] for edge in (used.used.start, used.used.stop - 1))
        found.append((clip.record.start, first, last))
    return found


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize(
    ("name", "writer", "timing"),
    [
        *((*pair, timing) for pair, timing in zip(WRITERS * 2, RATES + RATES[::-1], strict=True)),
        *((*pair, timing) for pair in FURTHER for timing in RATES[::2]),
    ],
)
def test_pictures_lie_where_they_lay(
    tmp_path: Path, name: str, writer: Writer, timing: tuple[Fraction, bool, str]
) -> None:
    rate, drop, timecode = timing
    media = write_video(tmp_path / "a.mov", range(FRAMES), rate, timecode)
    first = parse_timecode(timecode, rate)
    source = tmp_path / name
    source.write_text(writer(media, rate, drop, first), "utf-8")
    told = rate if name.endswith(".edl") else None
    document = read_timeline(source, rate=told)
    at, before = Fraction(0), shown(document)
    for (_, start, count), found in zip(SHOTS, before, strict=True):
        assert found == (at, start, start + count - 1)
        at += count / rate
    (job,) = plan_timeline(document, LOOKS, facts={media: media_facts(media)})
    (two,) = (clip.number for clip in document.timeline.clips if clip.name == "two")
    assert (job.frames.start, job.frames.stop, job.handles, job.clips) == (14, 42, (8, 8), (two,))
    write_video(job.output, range(14, 42), rate, add_frames(timecode, 14, rate))
    relink(document, job, job.new_media())
    after = read_timeline(write_timeline(document, source, tmp_path / f"out{source.suffix}"), rate=told)
    assert shown(after) == before
    paths = [clip.media.path for clip in after.timeline.clips if clip.media is not None]
    assert paths == [media, job.output, media]


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize(("rate", "drop", "timecode"), RATES)
def test_the_files_own_timecode_is_exact(tmp_path: Path, rate: Fraction, drop: bool, timecode: str) -> None:
    facts = media_facts(write_video(tmp_path / "a.mov", range(10), rate, timecode))
    assert (facts.frames, facts.rate) == (10, rate)
    assert facts.start * rate == parse_timecode(timecode, rate)
    assert format_timecode(int(facts.start * rate), rate, drop=drop) == timecode


def test_media_without_an_even_rate_is_refused(clips_dir: Path) -> None:
    found = next((path for path in sorted(clips_dir.rglob("*vfr*")) if path.suffix in (".mp4", ".mkv", ".mov")), None)
    if found is None:
        pytest.skip("no clip of variable frame rate in the test data")
    with pytest.raises(InputError, match="variable frame rate"):
        media_facts(found)
