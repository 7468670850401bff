"""Results without a record beside them: what their files tell `verify`, and what of the source's tags they hold."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import pytest

from vedit.errors import MediaError
from vedit.media.contract.verify import verify
from vedit.media.output import OutputOptions
from vedit.media.reading.probe import probe
from vedit.media.reading.read import open_video
from vedit.media.writing.label import holds_tag
from vedit.media.writing.output_plan import plan_output
from vedit.media.writing.output_spec import OutputSpec
from vedit.media.writing.write import VideoWriter
from vedit.types import FrameRange

Make = Callable[..., Path]
Sound = Callable[..., object]


def write(source: Path, name: str, part: FrameRange | None = None, *, strict: bool = False) -> OutputSpec:
    with open_video(source) as reader:
        options = OutputOptions(sidecar=False, strict=strict, label=False)
        plan = plan_output(source.with_name(name), reader.metadata, reader.index(), frames=part, options=options)
        with VideoWriter(plan) as writer:
            for clip in reader.chunks(plan.frames, 5):
                writer.write(clip.frames)
            writer.finish()
    return plan


@pytest.mark.parametrize("part", [None, FrameRange(start=2, stop=7)], ids=["whole", "part"])
@pytest.mark.parametrize("name", ["o.mxf", "o.gif", "o_%02d.png"])
def test_timecode_and_sound_are_found_without_a_record(
    make: Make, sound: Sound, name: str, part: FrameRange | None
) -> None:
    # The sound begins before the picture: on its file's clock the first picture is not at 0.
    source = make(
        name="in.mov",
        size=(256, 144),
        rate=Fraction(25),
        time_base=Fraction(1, 25),
        pts=range(10, 22),
        timecode="01:00:00:00",
        sounds=(sound(),),
    )
    write(source, name, part)
    report = verify(source, source.with_name(name), frames=part)
    assert report.ok, report.breaches
    assert "audio 1 offset to video" in {check.name for check in report.checks}
    if name == "o.mxf":
        (timecode,) = (check for check in report.checks if check.name == "timecode")
        assert timecode.found == ("01:00:00:02" if part else "01:00:00:00")
    else:
        assert any("timecode" in note for note in report.notes)


@pytest.mark.parametrize("name", ["o.gif", "o_%02d.png", "o_%02d.exr"])
def test_tags_of_the_source_are_in_the_pictures(make: Make, name: str) -> None:
    source = make(name="in.mkv", frames=3, rate=Fraction(25), title="Küste")
    assert write(source, name, strict=True).lost == ()
    data = source.with_name(name.replace("%02d", "01")).read_bytes()
    assert "Küste".encode() in data and b"title" in data
    with av.open(str(source.with_name(name.replace("%02d", "01")))) as container:
        assert sum(1 for _ in container.decode(video=0)) == (3 if name == "o.gif" else 1)


@pytest.mark.parametrize("loud", [True, False])
def test_tags_of_the_source_are_in_an_mxf(make: Make, sound: Sound, loud: bool) -> None:
    source = make(
        name="in.mov", frames=3, size=(256, 144), rate=Fraction(25), title="Coast", sounds=(sound(),) if loud else ()
    )
    assert write(source, "o.mxf").lost == ()
    assert probe(source.with_name("o.mxf")).metadata["comment_title"] == "Coast"
    # A second one neither doubles the prefix nor takes over what the first says of its own making.
    write(source.with_name("o.mxf"), "p.mxf")
    again = probe(source.with_name("p.mxf")).metadata
    assert again["comment_title"] == "Coast"
    assert not [key for key in again if key.startswith("comment_") and ("uid" in key or "umid" in key)]


def test_a_tag_without_a_place_is_told(make: Make, sound: Sound, monkeypatch: pytest.MonkeyPatch) -> None:
    source = make(name="in.mkv", frames=3, rate=Fraction(25), title="Coast")
    loud = make(name="loud.mkv", frames=3, rate=Fraction(25), title="Coast", sounds=(sound(),))
    monkeypatch.setattr("vedit.media.writing.output_plan.holds_tag", lambda form, key, value: key.lower() != "title")  # pyright: ignore[reportUnknownLambdaType]
    with pytest.raises(MediaError, match="--strict: not kept: the tag title"):
        write(source, "o.gif", strict=True)
    write(loud, "p.gif", strict=True)  # the file of the sound holds it


@pytest.mark.parametrize(
    ("form", "key", "held"),
    [
        ("png", "title", True),
        ("png", "a" * 80, False),
        ("png", " title", False),
        ("png", "标题", False),
        ("gif", "标题", True),
        ("exr", "title", True),
        ("exr", "compression", False),
        ("exr", "com.apple.quicktime.creationdate", False),
        ("mxf", "title", True),
    ],
)
def test_keys_that_a_format_can_hold(form: str, key: str, held: bool) -> None:
    assert holds_tag(form, key, "told") is held
    assert not holds_tag(form, key, "\0")
