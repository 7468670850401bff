"""Variations to choose from: one frame under several seeds, as the film shows it, and the command for each."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from tests.support.clips import CUT, FRAMES, HEIGHT, WIDTH, two_shots
from tests.support.recording import frames_written
from vedit import api
from vedit.cli import main
from vedit.cli.restyling import chosen
from vedit.errors import InputError
from vedit.options.request import RenderRequest, RestyleOptions
from vedit.options.table import BOUNDS
from vedit.render.variations import Variation, variations
from vedit.testing.tiny_sd import write_tiny_sd
from vedit.types import ControlSpec, FrameRange, Shot

SETTINGS: dict[str, Any] = {
    "prompt": "pencil sketch",
    "steps": 2,
    "fixed_point": 1,
    "guidance": 1.0,
    "short_side": 64,
    "window": 4,
    "overlap": 1,
    "controls": (ControlSpec(kind="softedge"),),
    "frames": f"#{CUT}..#{FRAMES}",
    "shots": (
        Shot(number=1, frames=FrameRange(start=0, stop=CUT)),
        Shot(number=2, frames=FrameRange(start=CUT, stop=FRAMES)),
    ),
}


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return two_shots(tmp_path_factory.mktemp("clip") / "two shots.mov")


@pytest.fixture
def wanted(clip: Path, tmp_path: Path, small: None) -> RenderRequest:
    return api.request(clip, output=tmp_path / "out.mov", **SETTINGS)


def picture(path: Path) -> np.ndarray[Any, Any]:
    found = cv2.imread(str(path))
    assert found is not None
    return found[..., ::-1].transpose(2, 0, 1).astype(int)


@pytest.mark.usefixtures("unsteadied")
def test_each_seed_is_a_picture_of_the_film(wanted: RenderRequest, tmp_path: Path) -> None:
    """Whose frame is then the same but for what steadying takes from the frames around it."""
    made = variations(replace(wanted, options=replace(wanted.options, seed=5)), 2, at=f"#{CUT}")
    assert [one.seed for one in made] == [5, 6]
    assert [one.picture for one in made] == [tmp_path / f"out.seed-{seed}.png" for seed in (5, 6)]
    assert sorted(tmp_path.iterdir()) == [one.picture for one in made], "and no film"
    first, second = (picture(one.picture) for one in made)
    assert first.shape == (3, HEIGHT, WIDTH)
    assert np.abs(first - second).mean() > 0.3
    assert all(one.options.variation == 0.6 for one in made), "nothing is drawn otherwise"
    with frames_written() as seen:
        api.restyle(replace(wanted, options=made[1].options))
    film = np.concatenate(seen)[0]
    assert np.abs(film.astype(int) - second).max() <= 1


def test_the_middle_is_shown_where_nothing_is_said(wanted: RenderRequest) -> None:
    (unsaid,) = variations(wanted, 1)
    shown = picture(unsaid.picture)
    overwrite = replace(wanted, writing=replace(wanted.writing, overwrite=True))
    (said,) = variations(overwrite, 1, at=f"#{(CUT + FRAMES - 1) // 2}")
    assert np.array_equal(picture(said.picture), shown)


@pytest.mark.parametrize(
    ("changes", "at", "said"),
    [
        ({"variation": 0.0}, None, "variation 0"),
        ({"seed": int(BOUNDS["seed"].high)}, None, "too large"),
        ({}, "#1", "outside the part"),
        ({}, "#99", "outside the clip"),
    ],
)
def test_what_cannot_be_is_refused_before(
    wanted: RenderRequest, tmp_path: Path, changes: dict[str, Any], at: str | None, said: str
) -> None:
    with pytest.raises(InputError, match=said):
        variations(replace(wanted, options=replace(wanted.options, **changes)), 2, at)
    assert list(tmp_path.iterdir()) == []


def test_a_picture_in_the_way_is_left(wanted: RenderRequest, tmp_path: Path) -> None:
    there = tmp_path / "out.seed-1.png"
    there.write_text("mine")
    with pytest.raises(InputError, match=r"seed-1\.png exists"):
        variations(wanted, 2)
    assert there.read_text() == "mine"
    assert list(tmp_path.iterdir()) == [there]


def test_a_result_that_is_there_is_no_hindrance_and_stays(wanted: RenderRequest, tmp_path: Path) -> None:
    (tmp_path / "out.mov").write_bytes(b"an earlier render")
    (made,) = variations(wanted, 1, at=None)
    assert made.picture.is_file()
    assert (tmp_path / "out.mov").read_bytes() == b"an earlier render"


def test_a_look_that_draws_by_its_recipe_keeps_it(clip: Path, tmp_path: Path) -> None:
    model = write_tiny_sd(tmp_path / "model")
    recipe = {"standard": {"variation": 0.4, "steps": 2, "inversion_steps": 1, "fixed_point": 1, "guidance": 1.0}}
    looks = [{"name": "oil", "kind": "medium", "wordings": ["oil"], "recipe": recipe}]
    (model / "looks.json").write_text(json.dumps({"looks": looks, "words": ["oil"]}), "utf-8")
    wanted = api.request(
        clip, prompt="oil", model=str(model), output=tmp_path / "out.mov", short_side=128, frames="#0..#2", device="cpu"
    )
    told: list[RestyleOptions] = []
    made = variations(wanted, 2, on_job=lambda job: told.append(job.request.options))
    assert [one.options.variation for one in made] == [None, None], "asked for so, the recipe serves"
    assert (told[0].variation, told[0].steps) == (0.4, 2)
    first, second = (picture(one.picture) for one in made)
    assert not np.array_equal(first, second)


@pytest.mark.parametrize(
    ("typed", "variation", "words"),
    [
        ("in.mov -p oil --count 4", 0.6, "in.mov -p oil --variation 0.6 --seed 7"),
        ("in.mov --count=4 -p oil --seed 3 --at '#4'", None, "in.mov -p oil --seed 7"),
        ("--variation=0.3 in.mov --at=2.5 -p oil", 0.3, "in.mov -p oil --variation 0.3 --seed 7"),
        ("in.mov -p 'an oil' -o o.mp4 --overwrite --count 2 --quality draft", 0.6, None),
    ],
)
def test_the_command_of_one_is_what_was_typed(typed: str, variation: float | None, words: str | None) -> None:
    made = Variation(seed=7, picture=Path("a.png"), options=RestyleOptions(prompt="oil", variation=variation))
    words = words or "in.mov -p 'an oil' -o o.mp4 --quality draft --variation 0.6 --seed 7"
    assert chosen(shlex.split(typed), made) == shlex.split(words)


def test_the_command_line_makes_them_and_says_how_to_go_on(clip: Path, tmp_path: Path, small: None) -> None:
    output = tmp_path / "out.mov"
    words = ["restyle", str(clip), "-p", "pencil sketch", "--quality", "draft", "-o", str(output), "--range", "#6..#8"]
    done = CliRunner().invoke(main, [*words, "--count", "2", "--at", "#6", "--json", "-q"])
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)["variations"]
    assert [one["seed"] for one in told] == [0, 1]
    assert [Path(one["picture"]) for one in told] == sorted(tmp_path.iterdir())
    again = shlex.split(told[1]["command"])
    assert again[:2] == ["vedit", "restyle"]
    dry = CliRunner().invoke(main, [*(word for word in again[1:] if word not in ("--json", "-q")), "--dry-run"])
    assert dry.exit_code == 0, dry.output


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--count", "2", "--dry-run"], "--dry-run"),
        (["--count", "2", "--preview"], "--preview"),
        (["--at", "1"], "--count"),
        (["--count", "0"], "--count"),
        (["--count", "2", "--variation", "0"], "variation"),
    ],
)
def test_what_does_not_go_together_is_said(clip: Path, tmp_path: Path, more: list[str], said: str) -> None:
    done = CliRunner().invoke(main, ["restyle", str(clip), "-p", "night", "-o", str(tmp_path / "o.mov"), *more])
    assert done.exit_code == 2
    assert said in done.output
    assert list(tmp_path.iterdir()) == []
