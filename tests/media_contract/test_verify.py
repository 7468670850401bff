"""`verify` sees what it is there to see: a result that differs in one thing is told from one that holds."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.media_contract.clips import Timed, write_timed
from tests.support.forked import Forked
from vedit.errors import InputError, MediaError
from vedit.media.contract.identity import identity, pad, unpad
from vedit.media.contract.report import ContractReport
from vedit.media.contract.verify import verify
from vedit.media.output import OutputOptions
from vedit.media.reading.read import open_video
from vedit.media.writing.output_plan import plan_output
from vedit.media.writing.sidecar import sidecar_path
from vedit.media.writing.write import VideoWriter

pytestmark = pytest.mark.media

NTSC = Fraction(30000, 1001)
BASE = Fraction(1, 30000)


def clip(path: Path, **changes: Any) -> Path:
    told = Timed(
        path=path,
        pts=[2002 + 1001 * n for n in range(24)],
        time_base=BASE,
        rate=NTSC,
        last=1001,
        timecode="00:59:59;20",
    )
    return write_timed(replace(told, **changes))


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return clip(tmp_path / "source.mov")


def broken(report: ContractReport) -> set[str]:
    return {check.name for check in report.breaches}


PTS = [2002 + 1001 * n for n in range(24)]


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({}, set()),
        ({"pts": PTS[:-1]}, {"frame count", "duration"}),
        ({"pts": [p + (n == 9) for n, p in enumerate(PTS)]}, {"frame times"}),
        ({"pts": [p + (n == 9) * 400 for n, p in enumerate(PTS)]}, {"frame times", "frame rate"}),
        ({"last": 3003}, {"duration"}),
        ({"size": (66, 36)}, {"display size"}),
        ({"timecode": "00:59:59;21"}, {"timecode"}),
        ({"timecode": None}, {"timecode"}),
        ({"sound_start": None}, {"audio tracks"}),
        ({"sound_start": Fraction(1, 2)}, {"audio 1 payload", "audio 1 offset to video"}),
        ({"pts": [p + 30 for p in PTS]}, {"audio 1 offset to video"}),
    ],
    ids=lambda value: str(sorted(value)),  # the order of a set differs from process to process
)
def test_one_thing_that_differs(source: Path, changes: dict[str, Any], names: set[str]) -> None:
    report = verify(source, clip(source.with_name("other.mov"), **changes))
    assert names <= broken(report)
    # A moved clip may differ in what hangs on it too; a clip that is the same has no breach at all.
    assert bool(names) or report.ok
    if "pts" not in changes:
        assert broken(report) - names <= {"audio 1 payload"}


OUTPUTS = ("out.mov", "out.mp4", "out.mkv", "out.gif", "out_%03d.png", "out_####.exr")


@pytest.mark.parametrize("part", [None, "#3..#11"], ids=["whole", "part"])
@pytest.mark.parametrize("name", OUTPUTS)
def test_the_record_beside_a_result(source: Path, name: str, part: str | None) -> None:
    """The record names the part; without it the part has to be named, and the file alone still holds."""
    output = source.with_name(name)
    made = identity(source, output, frames=part)
    assert made.report.ok and made.frames == (8 if part else 24)
    again = verify(source, output)
    assert again.ok, again.breaches
    assert {check.name for check in again.checks} >= {"frame count", "audio 1 payload", "audio 1 offset to video"}
    assert "source" in {check.name for check in again.checks}
    if not name.endswith((".mov", ".mp4", ".mkv")):
        return
    sidecar_path(output).unlink()
    assert verify(source, output, frames=part).ok
    if part:
        assert "frame count" in broken(verify(source, output))


def test_another_source_is_told(source: Path) -> None:
    output = source.with_name("out.mov")
    identity(source, output)
    other = clip(source.with_name("other.mov"), sound_start=Fraction(1, 5))
    assert {"source", "audio 1 offset to video"} <= broken(verify(other, output))


@pytest.mark.parametrize("label", [True, False])
@pytest.mark.parametrize("name", ["out.mov", "out.mkv", "out.gif", "out_%03d.png"])
def test_the_label(source: Path, name: str, label: bool) -> None:
    output = source.with_name(name)
    with open_video(source) as reader:
        plan = plan_output(output, reader.metadata, reader.index(), options=OutputOptions(label=label))
        with VideoWriter(plan) as writer:
            for chunk in reader.chunks(plan.frames, 8):
                writer.write(chunk.frames)
            report = writer.finish()
    (found,) = (check for check in report.checks if check.name == "label")
    assert found.ok and (found.found == "none") is not label
    record = sidecar_path(output)
    told = json.loads(record.read_text())
    told["label"] = None if label else "http://example.org"
    record.write_text(json.dumps(told))
    assert broken(verify(source, output)) == {"label"}


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"frames": {"start": 3}}', "\0"])
def test_a_record_that_is_none(source: Path, text: str) -> None:
    output = source.with_name("out.mov")
    identity(source, output)
    sidecar_path(output).write_text(text)
    with pytest.raises(MediaError, match="not a render's record") as caught:
        verify(source, output)
    assert caught.value.remedy


def test_a_record_reaches_no_other_folder(source: Path, tmp_path: Path) -> None:
    folder = tmp_path / "deeper"
    folder.mkdir()
    output = folder / "out.gif"
    identity(source, output)
    (folder / "out.mka").rename(tmp_path / "out.mka")
    record = sidecar_path(output)
    told = json.loads(record.read_text())
    told["sound"] = "../out.mka"
    record.write_text(json.dumps(told))
    with pytest.raises(MediaError, match="no such file"):
        verify(source, output)


def test_a_range_past_the_end(source: Path) -> None:
    with pytest.raises(InputError):
        verify(source, source, frames="#3..#99")


def test_the_command(source: Path, forked: Forked) -> None:
    output = source.with_name("out.mov")
    made = forked.run(["identity", str(source), "-o", str(output), "--range", "#4..#20"])
    assert (made.code, made.out) == (0, f"{output}: 16 frames in {made.out.split(' in ')[1]}"), made.err
    good = forked.run(["verify", str(source), str(output), "--json"])
    assert good.code == 0 and json.loads(good.out)["ok"] is True
    assert forked.run(["verify", str(source), str(output)]).out.splitlines()[0].split() == [
        "check",
        "expected",
        "found",
    ]
    bad = forked.run(["verify", str(source), str(output), "--range", "#4..#21"])
    assert bad.code == 1
    assert "FAIL  frame count" in bad.out and "do not hold" in bad.err
    missing = forked.run(["verify", str(source), str(source.with_name("none.mov"))])
    assert missing.code == 2 and missing.err.startswith("vedit: error: ") and missing.err.count("\n") == 1


@pytest.mark.parametrize("size", [(64, 128), (1, 1), (65, 127), (37, 200)])
def test_padding_is_undone(size: tuple[int, int]) -> None:
    frames = np.random.default_rng(1).integers(0, 256, (2, 3, *size), dtype=np.uint8)
    padded, place = pad(frames)
    assert padded.shape[-2] % 64 == padded.shape[-1] % 64 == 0
    assert padded.shape[-2] - size[0] < 64 and padded.shape[-1] - size[1] < 64
    assert np.array_equal(unpad(padded, place), frames)
    # The edge is repeated: no new value comes in.
    assert set(np.unique(padded[:, :, 0])) <= set(np.unique(frames[:, :, 0]))
