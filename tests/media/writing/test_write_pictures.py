"""Pictures without a clock: image sequences and GIF, the sound beside them; and MXF, whose sound lies beside too."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from vedit.errors import ContractError, MediaError, VeditError
from vedit.media.output import OutputOptions
from vedit.media.reading.probe import probe
from vedit.media.reading.read import open_video
from vedit.media.writing.label import SOURCE_TYPE
from vedit.media.writing.output_plan import plan_output
from vedit.media.writing.output_spec import OutputSpec
from vedit.media.writing.stream_copy import source_packets
from vedit.media.writing.write import FIRST_FRAME, VideoWriter
from vedit.types import FrameRange

Make = Callable[..., Path]
Sound = Callable[..., object]


def write(
    source: Path, output: Path, part: FrameRange | None = None, rate: Fraction | None = None, **asked: Any
) -> OutputSpec:
    with open_video(source, rate=rate) as reader:
        options = OutputOptions(**asked)
        plan = plan_output(
            output, reader.metadata, reader.index(), frames=part, options=options, recipe={"prompt": "naïve"}
        )
        with VideoWriter(plan) as writer:
            for clip in reader.chunks(plan.frames, 5):
                writer.write(clip.frames)
            writer.finish()
    return plan


def visible(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def sound_of(path: Path) -> tuple[list[bytes], list[Fraction]]:
    with av.open(str(path)) as container:
        packets = list(source_packets(container, [container.streams.audio[0]]))
        return [bytes(p) for p in packets], [(p.pts or 0) * p.time_base for p in packets]


@pytest.mark.parametrize(("suffix", "start"), [("png", Fraction(0)), ("exr", Fraction(1, 2)), ("png", Fraction(-1, 8))])
def test_a_sequence_with_its_sound_beside(make: Make, sound: Sound, suffix: str, start: Fraction) -> None:
    # The picture begins at 1/4 s, the sound before or after it.
    pts = [6000 + 1001 * n for n in range(7)]
    tracks = (sound(start=Fraction(1, 4) + start, language="deu"),)
    source = make(name="in.mp4", pts=pts, time_base=Fraction(1, 24000), timecode="01:00:00:00", sounds=tracks)
    folder = source.parent / "frames"
    folder.mkdir()
    plan = write(source, folder / f"shot_%04d.{suffix}")
    assert visible(folder) == [
        "shot.mka",
        "shot_%04d." + suffix + ".vedit.json",
        *(f"shot_{n:04d}.{suffix}" for n in range(1, 8)),
    ]
    assert plan.first_timecode == "01:00:00:00" and plan.lost == ()
    before, after = sound_of(source), sound_of(folder / "shot.mka")
    assert before[0] == after[0]
    with av.open(str(folder / "shot.mka")) as beside:
        assert beside.streams.audio[0].language == "deu"
        shown = Fraction(beside.metadata[FIRST_FRAME])
    first = Fraction(6000, 24000)
    assert max(abs((a - first) - (b - shown)) for a, b in zip(before[1], after[1], strict=True)) <= Fraction(1, 1000)


def test_numbers_follow_the_source(make: Make) -> None:
    source = make(frames=6)
    folder = source.parent
    write(source, folder / "a.####.png", sidecar=False)
    for number in range(6, 0, -1):
        (folder / f"a.{number:04d}.png").rename(folder / f"a.{number + 1000:04d}.png")
    write(folder / "a.####.png", folder / "b_%05d.png", FrameRange(start=2, stop=5), rate=Fraction(24), sidecar=False)
    assert [name for name in visible(folder) if name.startswith("b")] == [f"b_{n:05d}.png" for n in (1003, 1004, 1005)]
    with open_video(folder / "a.####.png", rate=Fraction(24)) as a, open_video(folder / "b_%05d.png") as b:
        taken = a.read(FrameRange(start=2, stop=5)).frames
        assert np.array_equal(taken, b.read(FrameRange(start=0, stop=3)).frames)


def test_a_sequence_is_never_half_there(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    source = make(frames=6)
    folder = source.parent / "frames"
    folder.mkdir()
    with open_video(source) as reader:
        clip = reader.read(FrameRange(start=0, stop=6))
        plan = plan_output(folder / "s_%02d.png", reader.metadata, reader.index())
    with pytest.raises(ContractError), VideoWriter(plan) as writer:
        writer.write(clip.frames[:4])
        assert len(visible(folder)) == 1
        writer.finish()
    assert visible(folder) == []

    replace = Path.replace
    count = [0]

    def full(self: Path, target: Path) -> Path:
        count[0] += 1
        if count[0] == 4:
            raise OSError(28, "No space left on device")
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(VeditError, match="No space left"), VideoWriter(plan) as writer:
        writer.write(clip.frames)
        writer.finish()
    assert visible(folder) == []


def test_pictures_in_the_way(make: Make) -> None:
    source = make(frames=3)
    folder = source.parent
    for number in (2, 9):
        (folder / f"s_{number:02d}.png").write_bytes(b"mine")
    with pytest.raises(MediaError, match=r"s_02\.png exists; use --overwrite"):
        write(source, folder / "s_%02d.png")
    write(source, folder / "s_%02d.png", overwrite=True)
    # What would be read as the end of the new sequence is gone.
    assert [name for name in visible(folder) if name.endswith("png")] == ["s_01.png", "s_02.png", "s_03.png"]
    (folder / "s_01.png").unlink()
    (folder / "s_01.png").symlink_to(folder / "s_02.png")
    with pytest.raises(MediaError, match="symbolic link"):
        write(source, folder / "s_%02d.png", overwrite=True)
    (folder / "s_01.png").unlink()
    with pytest.raises(MediaError, match="is the source"):
        write(folder / "s_%02d.png", folder / "s_##.png", overwrite=True)
    with pytest.raises(MediaError, match=r"one picture.*one_%04d\.png"):
        write(source, folder / "one.png")
    with pytest.raises(MediaError, match="several counters"):
        write(source, folder / "a%d_%d.png")


@pytest.mark.parametrize("rate", [Fraction(24000, 1001), Fraction(25), Fraction(60000, 1001)])
def test_a_gif_keeps_its_times(make: Make, sound: Sound, rate: Fraction) -> None:
    source = make(frames=20, rate=rate, sounds=(sound(),))
    output = source.with_name("o.gif")
    plan = write(source, output)
    assert "the sound is in o.mka" in plan.notes
    with open_video(output) as reader:
        index = reader.index()
    # To 1/100 s, each on its own.
    assert len(index) == 20
    assert max(abs(index.seconds(n) - n / rate) for n in range(20)) <= Fraction(1, 200)
    data = output.read_bytes()
    assert SOURCE_TYPE.encode() in data and 'vedit={"prompt":"naïve"}'.encode() in data
    assert sound_of(source)[0] == sound_of(source.with_name("o.mka"))[0]
    with av.open(str(output)) as container:
        assert sum(1 for _ in container.decode(video=0)) == 20


def test_a_gif_has_a_palette_of_each_frame(make: Make) -> None:
    source = make(frames=4, size=(64, 64))
    write(source, source.with_name("o.gif"))
    with open_video(source) as a, open_video(source.with_name("o.gif")) as b:
        frames = FrameRange(start=0, stop=4)
        error = a.read(frames).frames.astype(int) - b.read(frames).frames[:, :3].astype(int)
    assert np.abs(error).mean() < 8
    with pytest.raises(MediaError, match="is shown for"):
        write(make(frames=9, rate=Fraction(240)), source.with_name("p.gif"))


def test_mxf_has_a_timecode_track_and_its_sound_beside(make: Make, sound: Sound) -> None:
    fields = {"name": "in.mov", "frames": 12, "size": (256, 128), "rate": Fraction(30000, 1001)}
    source = make(**fields, timecode="00:59:59;25", sounds=(sound(codec="pcm_s16le"),))
    plan = write(source, source.with_name("o.mxf"))
    result = probe(source.with_name("o.mxf"))
    assert (result.codec, result.timecode) == ("dnxhd", "00:59:59;25")
    assert plan.beside == source.with_name("o.mka")
    assert b"".join(sound_of(source)[0]) == b"".join(sound_of(source.with_name("o.mka"))[0])
    untimed = make(name="v.mov", size=(256, 128), pts=[0, 100, 500], time_base=Fraction(1, 1000))
    with pytest.raises(MediaError, match=r"\.mxf holds .*24000/1001.* a variable rate"):
        write(untimed, source.with_name("v.mxf"))
