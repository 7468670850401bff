"""Renders whose prompt changes over the clip: by seconds or frames alike, per plan, refused where it cannot be."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pytest

from tests.support.clips import FRAMES, two_shots
from tests.support.other_pipeline import TARGET
from tests.support.plugged import plugged_in
from tests.support.recording import frames_written, shots_sampled
from tests.support.resolved import made_job, word_notes_of
from vedit import api
from vedit.cli import main
from vedit.errors import InputError
from vedit.options.request import RenderRequest
from vedit.registry.pipelines import pipelines
from vedit.render.recorded_request import as_asked

if TYPE_CHECKING:
    from vedit.types import IntFrames

QUICK: dict[str, Any] = {"quality": "draft", "steps": 2, "window": 4, "overlap": 1, "attention": "none"}


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return two_shots(tmp_path_factory.mktemp("clip") / "two shots.mov")


def rendered(source: Path, output: Path, **settings: Any) -> IntFrames:
    with frames_written() as seen:
        api.restyle(source, output=output, **{**QUICK, **settings})
    return cast("IntFrames", np.concatenate(seen))


def request(clip: Path, **settings: Any) -> RenderRequest:
    return api.request(clip, output=clip.parent / "never.mov", **{**QUICK, **settings})


@pytest.mark.usefixtures("small_embedded")
def test_the_look_changes_over_the_clip(clip: Path, tmp_path: Path) -> None:
    last = FRAMES - 1
    led = rendered(clip, tmp_path / "led.mov", prompt=f"#0: a photograph | #{last}: night")
    plain, night = (rendered(clip, tmp_path / f"{one[:1]}.mov", prompt=one) for one in ("a photograph", "night"))

    def far(one: IntFrames, other: IntFrames) -> float:
        return float(np.abs(one.astype(int) - other.astype(int)).mean())

    # A look by itself is drawn by its recipe and in its few steps, so that only what is nearest is the same.
    assert far(led[0], plain[0]) < 0.5 * far(led[0], night[0])
    assert far(led[-1], night[-1]) < 0.7 * far(led[-1], plain[-1])


@pytest.mark.usefixtures("small")
def test_seconds_and_frames_are_one_render_and_the_record_keeps_what_was_written(clip: Path, tmp_path: Path) -> None:
    def sampled(prompt: str) -> list[int]:
        with shots_sampled() as numbers:
            rendered(clip, tmp_path / "out.mov", prompt=prompt, keep_work=True, overwrite=True)
        return numbers

    job = made_job(request(clip, prompt="0s: sepia | 0.2s: night"))
    then = job.timed_options.prompt
    assert then.startswith("#0: sepia | #")
    assert sampled("0s: sepia | 0.2s: night")
    record = json.loads((tmp_path / "out.mov.vedit.json").read_text())
    assert as_asked(record["asked"]["request"], tmp_path).options.prompt == "0s: sepia | 0.2s: night"
    assert not sampled(then), "the same moments, written otherwise"
    assert sampled("#0: sepia | #1: night")


@pytest.mark.usefixtures("small")
def test_the_command_line_says_it_and_it_is_rendered_again(clip: Path, tmp_path: Path) -> None:
    words = ["restyle", str(clip), "-p", "0s: sepia | #8: night", "--quality", "draft", "--steps", "2", "-q"]
    out = tmp_path / "line.mov"
    assert main([*words, "-o", str(out)], standalone_mode=False) == 0
    assert main(["again", str(out), "-q", "-o", str(tmp_path / "again.mov")], standalone_mode=False) == 0


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"prompt": "0s: sepia | 99s: night"}, "the prompt: 99 s is outside the clip"),
        ({"prompt": "night", "negative_prompt": "#4: sepia | #2: "}, "the negative prompt: the moments of the prompt"),
        ({"prompt": "night", "source_prompt": "0s: sepia"}, "the source prompt holds for the whole clip"),
        ({"prompt": "0s: sepia | 0.1s: zyzzyva"}, "knows no word of the prompt 'zyzzyva'"),
        ({"looks": {2: api.Edit("0s: sepia | 99s: night")}}, "the prompt: 99 s is outside the clip"),
    ],
)
def test_what_is_no_way_ends_before_anything_is_made(clip: Path, settings: dict[str, Any], said: str) -> None:
    for call in (api.plan, api.restyle):
        with pytest.raises(InputError) as told:
            call(request(clip, **settings))
        assert said in told.value.message
        assert told.value.exit_code == 2
    assert not (clip.parent / "never.mov").exists()


def test_a_pipeline_of_a_plug_in_is_not_told_moments(clip: Path) -> None:
    with (
        plugged_in(pipelines, "vedit.pipelines", {"other": TARGET}),
        pytest.raises(InputError, match="the pipeline other takes one prompt for all of the clip"),
    ):
        api.plan(request(clip, prompt="0s: sepia | 0.1s: night", pipeline="other"))


def test_notes_are_of_the_words_and_not_of_the_moments(clip: Path) -> None:
    (note,) = word_notes_of(request(clip, prompt="0s: sepia zebra | 0.1s: night"))
    assert note.startswith("the model does not know: zebra")
