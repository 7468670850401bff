"""Effects of Kdenlive and MLT whose keyframes count from the media: what they do at each frame stays as it was."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import pytest

from tests.nle.melt import play
from vedit.errors import InputError
from vedit.nle.model import NewMedia
from vedit.nle.read import read_timeline

RATE = Fraction(25)
FRAMES, SHOWN = 120, 12
"""Of the media, and of what an entry shows of it."""
FIRST, LAST = 52, 80
"""The result holds these of the media."""

PROJECT = """<?xml version="1.0" encoding="utf-8"?>
<mlt LC_NUMERIC="C" version="7.12.0" root="{root}" producer="main_bin">
 <profile description="x" width="128" height="96" progressive="1" sample_aspect_num="1" sample_aspect_den="1"
  display_aspect_num="4" display_aspect_den="3" frame_rate_num="25" frame_rate_den="1" colorspace="601"/>
{chains} <playlist id="playlist0">
  {entries}
 </playlist>
 <tractor id="tractor0"><track producer="playlist0"/></tractor>
</mlt>
"""


CHAIN = """ <chain id="chain{number}" out="119"><property name="length">120</property>
  <property name="resource">src.mkv</property><property name="mlt_service">avformat-novalidate</property>
  <property name="kdenlive:id">2</property>{below}</chain>
"""
ENTRY = """
  <entry producer="chain{number}" in="60" out="71"><property name="kdenlive:id">2</property>{on}</entry>"""


def effect(level: str, edges: str = "", service: str = "brightness", name: str = "level") -> str:
    value = level.replace('"', "&quot;")
    return (
        f'<filter id="f"{edges}><property name="mlt_service">{service}</property>'
        f'<property name="{name}">{value}</property></filter>'
    )


def spline(*keys: tuple[int, float]) -> str:
    corner = "[[0.9,0.1],[0.9,0.1],[0.9,0.1]],[[0.1,0.1],[0.1,0.1],[0.1,0.1]]"
    shapes = (f'"{at:03d}":[{corner},[[0.5,{y}],[0.5,{y}],[0.5,{y}]]]' for at, y in keys)
    return "{" + ",".join(shapes) + "}"


EFFECTS = {
    "inside": effect("60=1;66=1;67=0;71=0"),
    "from the start": effect("0=1;66=1;67=0"),
    "a line over the start": effect("20=0;80=1"),
    "held over the start": effect("20|=0.5;66|=1;70=0.2"),
    "over before": effect("10=0;40=0.5"),
    "starts where the result does": effect("10=0;52=1;70=0.3"),
    "a curve inside": effect("56~=1;60~=0.2;66~=0.8;71~=0"),
    "a curve behind a hold": effect("40|=1;64|=0.3"),
    "from its own end": effect("0|=1;-3=0;-1=0", ' in="60" out="71"'),
    "clock times": effect("00:00:02.000=1;00:00:02.640=1;00:00:02.680=0"),
    "with in and out": effect("0=1;6=0", ' in="60" out="71"'),
    "in and out begin before": effect("0=1;30=0.2", ' in="40" out="71"'),
    "out is over before": effect("0=0;20=0.1", ' in="10" out="30"'),
    "from the first frame to one before": effect("0=0", ' in="0" out="24"'),
    "from the first frame": effect("0=0;80=1", ' in="0" out="66"'),
    "not animated": effect("0.5"),
    "a rectangle": effect("40=0 0 128 96 1;80=30 20 64 48 0.5", service="qtblend", name="rect"),
    "outlines": effect(spline((40, 0.9), (66, 0.2), (70, 0.9)), service="rotoscoping", name="spline"),
}


@pytest.mark.parametrize("below", [False, True], ids=["on the entry", "on the producer"])
def test_melt_shows_the_same_pictures(tmp_path: Path, below: bool) -> None:
    write_noise(tmp_path / "src.mkv", range(FRAMES))
    write_noise(tmp_path / "new.mkv", range(FIRST, LAST))
    source, moved = tmp_path / "cut.mlt", tmp_path / "moved.mlt"
    source.write_text(project(tmp_path, EFFECTS.values(), below=below), "utf-8")
    moved.write_bytes(relinked(source))
    before, after = (played(path) for path in (source, moved))
    assert len(before) == len(after) == SHOWN * len(EFFECTS)
    worst = [int(np.abs(a.astype(int) - b).max()) for a, b in zip(before, after, strict=True)]
    # A level is rounded to the steps of a table; a step is two of 255.
    wrong = {name: worst[n * SHOWN :][:SHOWN] for n, name in enumerate(EFFECTS) if max(worst[n * SHOWN :][:SHOWN]) > 2}
    assert not wrong


@pytest.mark.parametrize(
    ("text", "lead"),
    [
        ("20~=0;66=1", 40),
        ("10=1;20~=0;66=1", 50),
        ("20=0;58~=1;66~=0;70=1", 40),
        ("20g=0;66=1", 40),
        ("20=#ff0000;66=#00ff00", 40),
        ("60=1;-2=0", 60),
    ],
)
def test_a_curve_that_cannot_be_cut_is_an_error_that_more_handles_mend(tmp_path: Path, text: str, lead: int) -> None:
    source = tmp_path / "cut.mlt"
    source.write_text(project(tmp_path, [effect(text)]), "utf-8")
    write_noise(tmp_path / "src.mkv", range(2))
    before = source.read_bytes()
    with pytest.raises(InputError, match=f"clip 1.*curve.*--handles {lead} "):
        relinked(source)
    assert text.encode() in relinked(source, first=60 - lead) or "-2" not in text
    assert source.read_bytes() == before


def test_the_case_of_a_picture_that_turns_black(cases: Path, tmp_path: Path) -> None:
    data = (cases / "nle" / "effect_keyframes.mlt").read_text("utf-8")
    source = tmp_path / "cut.mlt"
    source.write_text(data, "utf-8")
    (tmp_path / "src.mkv").write_bytes(b"")
    text = relinked(source, rate=Fraction(30)).decode()
    assert ">8=1;14=1;15=0;19=0<" in text and 'in="8" out="19"' in text


def test_what_is_no_keyframe_stays(tmp_path: Path) -> None:
    plain = ("a=b", "x; y", "0.5", "", "{}", '{"a":1}', "1:2=3", "=", "12", "9" * 5000 + "=1", "1" * 70 + "=1;2=3")
    source = tmp_path / "cut.mlt"
    source.write_text(project(tmp_path, [effect("".join(text)) for text in plain]), "utf-8")
    (tmp_path / "src.mkv").write_bytes(b"")
    moved = relinked(source).decode()
    assert all(effect(text) in moved for text in plain)


def project(root: Path, effects: Iterable[str], *, below: bool = False) -> str:
    """Each effect on an entry of its own, or on a producer of its own."""
    chains = entries = ""
    for number, one in enumerate(effects):
        chains += CHAIN.format(number=number, below=one if below else "")
        entries += ENTRY.format(number=number, on="" if below else one)
    return PROJECT.format(root=root, chains=chains, entries=entries)


def relinked(source: Path, first: int = FIRST, rate: Fraction = RATE) -> bytes:
    document = read_timeline(source)
    new = source.parent / "new.mkv"
    media = NewMedia(path=new, name=new.name, start=first / rate, frames=LAST - first, rate=rate)
    for clip in document.timeline.clips:
        document.relink(clip.number, media)
    return document.serialise()


def write_noise(path: Path, numbers: range) -> None:
    """Lossless pictures that differ from each other everywhere."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=RATE)
        stream.width, stream.height, stream.pix_fmt = 128, 96, "yuv420p"
        for number in numbers:
            plane = np.random.default_rng(number).integers(60, 200, (12, 16, 3), np.uint8).repeat(8, 0).repeat(8, 1)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(plane, format="rgb24")))
        container.mux(stream.encode(None))


def played(project: Path) -> list[npt.NDArray[np.uint8]]:
    out = project.with_suffix(".played.mkv")
    play(project, out, "vcodec=ffv1", "an=1")
    with av.open(str(out)) as container:
        return [np.asarray(frame.to_ndarray(format="gray"), np.uint8) for frame in container.decode(video=0)]
