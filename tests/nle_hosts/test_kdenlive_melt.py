"""The way of a Kdenlive project: the installed script, the real `vedit timeline`, and melt playing what comes out."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from vedit.cli import main
from vedit.nle_hosts.install import install, vedit_command
from vedit.nle_hosts.places import Computer, places

GAP, FIRST, LAST, HANDLES = 10, 12, 15, 2
PROJECT = f"""<?xml version="1.0" encoding="utf-8"?>
<mlt LC_NUMERIC="C" version="7.12.0" producer="main_bin">
  <profile frame_rate_num="24000" frame_rate_den="1001" width="480" height="320" progressive="1" sample_aspect_num="1"
           sample_aspect_den="1" display_aspect_num="3" display_aspect_den="2" colorspace="709"/>
  <producer id="producer0" in="0" out="47">
    <property name="length">48</property>
    <property name="resource">my clip.mp4</property>
    <property name="mlt_service">avformat</property>
  </producer>
  <playlist id="playlist0"><blank length="{GAP}"/><entry producer="producer0" in="{FIRST}" out="{LAST}"/></playlist>
  <tractor id="tractor0"><track producer="playlist0"/></tractor>
</mlt>
"""
# Strength 0 passes the source through, so that each frame of the result can be told from its neighbours.
LOOKS = '[[look]]\nname = "ink"\nprompt = "ink drawing"\nstrength = 0\nclip = "*"\n'


@pytest.mark.slow
def test_a_project_is_restyled_and_plays_in_melt(tmp_path: Path) -> None:
    melt = shutil.which("melt") or shutil.which("melt-7")
    if melt is None:
        pytest.skip("no melt on PATH (Debian: apt-get install melt)")
    clip, project = tmp_path / "my clip.mp4", tmp_path / "cut.kdenlive"
    assert main(["sample", "-o", str(clip)], standalone_mode=False) == 0
    project.write_text(PROJECT, "utf-8")
    (tmp_path / "looks.toml").write_text(LOOKS, "utf-8")
    (place,) = places("kdenlive", Computer(system="linux", home=tmp_path, environ={}))
    install(place, vedit_command())
    script = [sys.executable, str(place.folder / "vedit_timeline.py"), str(project), f"--handles={HANDLES}"]
    done = subprocess.run(script, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    result = tmp_path / "cut.vedit.kdenlive"
    assert project.read_text("utf-8") == PROJECT
    named = re.findall(r'"resource">([^<]*)<', result.read_text("utf-8"))
    assert [name for name in named if name != clip.name] == [
        f"my clip.ink.{FIRST - HANDLES}-{LAST + HANDLES}.vedit.mp4"
    ]
    played = tmp_path / "played.mkv"
    words = [melt, "-silent", str(result), "-consumer", f"avformat:{played}", "vcodec=ffv1", "an=1", "real_time=-1"]
    subprocess.run(words, check=True, capture_output=True)
    shown, source = luma(played), luma(clip)
    assert len(shown) == GAP + LAST - FIRST + 1
    for at in range(FIRST, LAST + 1):
        distances = [float(np.abs(shown[GAP + at - FIRST] - frame).mean()) for frame in source]
        assert int(np.argmin(distances)) == at, f"timeline frame {GAP + at - FIRST}"
        assert distances[at] < 2


def luma(path: Path) -> list[Any]:
    """Every frame's luma (H, W) in code values."""
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="gray").astype(np.float64) for frame in container.decode(video=0)]
