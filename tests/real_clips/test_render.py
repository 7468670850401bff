"""Every real clip through `vedit restyle --quality draft`: exit 0, and the timing and sound contract on the file.

`make test-real` renders each clip whole up to 120 frames, else 48 frames that start off a keyframe, and prints a
table; `make test` renders a few frames of a few.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import cast

import pytest
from click.testing import CliRunner

from vedit.cli import main
from vedit.media.contract.verify import verify
from vedit.media.reading.read import open_video
from vedit.media.writing.sidecar import sidecar_path
from vedit.types import FrameRange

WHOLE = 120
PART = 48
FEW = 3
FAST = ("gpmf-parser__max-heromode.mp4", "learning-area__elf.webm", "sample-videos__again.mkv")


def real_clips() -> list[Path]:
    """The real clips, none where the test data is absent (pytest then skips, and says so)."""
    data = Path(os.environ.get("VEDIT_TEST_DATA", Path(__file__).parents[3] / "shared"))
    return sorted((data / "clips" / "real").glob("*.*"))


def restyle(source: Path, part: FrameRange | None, output: Path) -> dict[str, object]:
    """Run the command line in this process; returns what --json prints."""
    span = [] if part is None else ["--range", f"#{part.start}..#{part.stop}"]
    command = ["restyle", str(source), "--prompt", "watercolor painting", "--quality", "draft", "--json"]
    result = CliRunner().invoke(main, [*command, *span, "-o", str(output)])
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def check_clip(source: Path, folder: Path, part: FrameRange | None) -> tuple[int, float]:
    """Render a part and check the contract anew, without what the render itself knew. Returns frames and seconds."""
    output = folder / f"{source.stem}.vedit{source.suffix}"
    told = restyle(source, part, output)
    report = verify(source, output, frames=part)
    assert report.ok, [check for check in report.checks if not check.ok]
    assert cast("dict[str, object]", told["contract"])["ok"] is True
    assert sorted(folder.iterdir()) == [output, sidecar_path(output)]
    return int(str(told["frames"])), float(str(told["seconds"]))


@pytest.mark.parametrize("source", real_clips(), ids=lambda path: path.stem)
@pytest.mark.real
def test_every_clip(source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with open_video(source) as reader:
        length, metadata, rate = len(reader.index()), reader.metadata, reader.index().rate
    # Encoders put keyframes on round numbers.
    start = min(37, length - PART)
    part = None if length <= WHOLE else FrameRange(start=start, stop=start + PART)
    frames, seconds = check_clip(source, tmp_path, part)
    with capsys.disabled():
        print(
            f"\n{source.name[:48]:<50}{metadata.width}x{metadata.height:<6}{rate or 'variable'!s:<12}"
            f"{frames:>4} frames  {seconds:7.1f} s  {seconds / frames:5.2f} s a frame  contract ok"
        )


@pytest.mark.parametrize("source", [path for path in real_clips() if path.name in FAST], ids=lambda path: path.stem)
def test_a_few_frames_of_a_few_clips(source: Path, tmp_path: Path) -> None:
    check_clip(source, tmp_path, FrameRange(start=7, stop=7 + FEW))
