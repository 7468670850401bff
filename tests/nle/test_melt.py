"""A relinked Kdenlive project, played by MLT's own player."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

from tests.nle.cuts import LENGTH, SHOTS, Cut, kdenlive
from tests.nle.footage import numbers_in
from tests.nle.melt import play
from vedit.cli import main

LOOKS = '[[look]]\nname = "plain"\nprompt = "watercolor painting"\nstrength = 0.0\nclip = ["two", "three"]\n'


def test_melt_plays_every_frame_where_it_was(tmp_path: Path) -> None:
    cut = Cut(folder=tmp_path, rate=Fraction(25), drop=False, timecode="10:00:00:00")
    cut.write_media()
    source, out, looks = (tmp_path / name for name in ("cut.kdenlive", "out.kdenlive", "looks.toml"))
    source.write_text(kdenlive(cut), "utf-8")
    looks.write_text(LOOKS)
    command = ["timeline", str(source), "--edits", str(looks), "-o", str(out), "--handles", "2", "--quiet"]
    assert main(command, standalone_mode=False) == 0
    assert out.read_text("utf-8").count(".vedit.mov") >= 4, "the clips and the bin"
    # Its own media only: what melt shows of the two shots must come from the results.
    (tmp_path / "b.mov").unlink()
    played = tmp_path / "played.mkv"
    play(out, played, "vcodec=ffv1", "acodec=pcm_s16le")
    numbers = numbers_in(played)
    assert len(numbers) == LENGTH
    assert numbers == [number for _, _, start, count in SHOTS for number in range(start, start + count)]
