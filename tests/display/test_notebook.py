"""What a notebook shows: pages that need nothing else, escaped, of bounded size, and text where they fail."""

from __future__ import annotations

import base64
import re
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
import pytest

import vedit
from tests.support.clips import CUT, FRAMES, HEIGHT, WIDTH, two_shots
from vedit.api import request
from vedit.display import notebook
from vedit.display.notebook import LARGEST, MOST_SHOTS, cards, or_text, slider
from vedit.media.reading.glance import glance
from vedit.render import run as render
from vedit.render.outcome import RenderPlan


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return two_shots(tmp_path_factory.mktemp("clip") / "two <i>shots & 'more'.mov")


def html_of(value: object) -> str:
    page = cast("str", cast("Any", value)._repr_html_())
    assert len(page) < LARGEST
    assert not re.search(r"<script|<i>|https?:|url\(", page), "it runs and fetches nothing, and escapes names"
    return page


def pictures_of(page: str) -> list[np.ndarray[Any, Any]]:
    data = [base64.b64decode(text) for text in re.findall(r'src="data:image/jpeg;base64,([^"]+)"', page)]
    found = [cv2.imdecode(np.frombuffer(one, np.uint8), cv2.IMREAD_COLOR) for one in data]
    return [cast("np.ndarray[Any, Any]", picture)[..., ::-1].astype(int) for picture in found]


def test_a_video_shows_a_frame_and_its_facts(clip: Path) -> None:
    page = html_of(vedit.open_video(clip))
    assert [picture.shape for picture in pictures_of(page)] == [(HEIGHT, WIDTH, 3)]
    for said in ("two &lt;i&gt;shots &amp; &#x27;more&#x27;.mov", f"{WIDTH}x{HEIGHT}", "frames/s", "colour"):
        assert said in page
    assert re.search(r"sound</th><td[^>]*>(none|#)", page)


def test_a_plan_shows_its_shots_and_settings(clip: Path) -> None:
    video = vedit.open_video(clip)
    edits = {2: vedit.Edit("night", strength=0.5, seed=3)}
    page = html_of(video.plan(edits, clip.with_name("out.mov")))
    assert f"Shot 2: #{CUT}..#{FRAMES}" in page
    assert re.search(r"look of shot 2</th><td[^>]*>night; strength 0.5;.*seed 3", page)
    for number, picture in enumerate(pictures_of(page)):
        frames = video.shots.plain[number].frames
        middle = video[(frames.start + frames.stop - 1) // 2].astype(int)
        assert np.abs(picture - middle).mean() < 8, "the picture is of its own shot"
    assert len(pictures_of(page)) == 2
    assert html_of(vedit.plan(clip, prompt="night", output=clip.with_name("out.mov"))).count("<figure") == 2


def test_a_result_shows_the_same_moment_before_and_after(clip: Path, tmp_path: Path) -> None:
    moved = clip.rename(tmp_path / clip.name)
    wanted = request(moved, prompt="night", strength=0, frames="#3..#9", output=tmp_path / "out.mov")
    result = render.restyle(wanted)
    moved.rename(clip)
    shown = html_of(replace(result, source=str(clip)))
    before, after = pictures_of(shown)
    assert np.abs(before - after).mean() < 2.5, "at strength 0 they are one picture"
    assert "resize:horizontal" in shown
    assert "checked, as in the source" in shown
    alone = html_of(result)
    assert len(pictures_of(alone)) == 1, "the source is no longer where it was"
    Path(result.output).unlink()
    assert html_of(result).startswith("<pre>RenderResult(")


def test_a_glance_is_the_frame_of_that_time(clip: Path) -> None:
    with vedit.open_video(clip) as video:
        index = video.index()
        for number in range(FRAMES):
            frame, moment = glance(video.reader, index.seconds(number))
            assert moment == index.seconds(number)
            assert np.array_equal(frame.transpose(1, 2, 0), video[number])
        late, moment = glance(video.reader, Fraction(10**6))
        assert late.shape == (3, HEIGHT, WIDTH)
        assert 0 <= moment <= index.seconds(FRAMES - 1)


def test_pages_stay_small() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (3, 1080, 1920), np.uint8)
    page = cards([f"Shot {n}" for n in range(100)], lambda _: (noise, 8, Fraction(1)))
    assert len(page) < LARGEST
    assert page.count("<figure") == MOST_SHOTS
    assert "and 76 more shots" in page
    one = notebook.picture_address(noise, 8, 480, 270)
    assert len(slider(one, one, width=480, height=270)) < LARGEST
    assert or_text("name", lambda: "x" * LARGEST) == "<pre>&#x27;name&#x27;</pre>"


def test_what_cannot_show_itself_is_text(clip: Path, tmp_path: Path) -> None:
    class Broken:
        def __repr__(self) -> str:
            raise RuntimeError

    assert or_text(Broken(), lambda: str(1 / 0)) == "<pre>&lt;Broken&gt;</pre>"
    gone = tmp_path / "gone.mov"
    gone.write_bytes(clip.read_bytes())
    video = vedit.open_video(gone)
    shots = video.shots
    plan: RenderPlan = video.plan({1: vedit.Edit("night")}, tmp_path / "out.mov")
    video.close()
    gone.unlink()
    assert html_of(video) == f"<pre>&lt;Video gone.mov, {WIDTH}x{HEIGHT}&gt;</pre>"
    assert html_of(shots).startswith("<pre>&lt;Shot 1")
    assert html_of(shots[1]).startswith("<pre>&lt;Shot 1")
    assert html_of(plan).startswith("<pre>RenderPlan(")
