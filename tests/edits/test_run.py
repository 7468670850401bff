"""`vedit.edit`: a plan file rendered, foreseen and looked at from Python."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import vedit
from tests.edits.test_edit_again import PLAN, Frames, folder, one_model, sampled, shown
from tests.support.clips import CUT, FRAMES
from vedit.edits.run import EditResult
from vedit.errors import InputError, Interrupted, VeditError
from vedit.media.output import OutputOptions
from vedit.render.outcome import RenderPlan

__all__ = ["Frames", "folder", "one_model", "sampled", "shown"]
LOSSLESS = OutputOptions(preset="archive")


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} - {"in.mov", "plan.toml"}


def test_a_plan_is_rendered_and_rendered_again_where_it_changed(folder: Path, sampled: list[int]) -> None:
    told: list[str] = []
    plans: list[RenderPlan] = []
    plan = folder / "plan.toml"
    done = vedit.edit(plan, writing=LOSSLESS, on_plan=plans.append, on_note=told.append)
    assert isinstance(done, EditResult) and done.render is not None and (done.plan, done.stills) == (None, None)
    assert done.output == folder / "out.mov" and done.render.frames == FRAMES and sampled == [0]
    assert [planned.output for planned in plans] == [str(done.output)]
    assert "<img" in (done._repr_html_() or ""), "it shows itself as the render does"  # pyright: ignore[reportPrivateUsage]
    plan.write_text(PLAN.replace("untouched = true", 'prompt = "night"'))
    assert vedit.edit(str(plan), writing=LOSSLESS).render is not None, "its own result is replaced without being asked"
    assert sampled == [0, CUT], "the first shot is kept"
    done.output.write_bytes(b"graded")
    with pytest.raises(InputError, match="is not as it was rendered"):
        vedit.edit(plan, writing=LOSSLESS)
    assert vedit.edit(plan, writing=LOSSLESS, overwrite=True).render is not None


def test_what_would_be_rendered_is_told_and_not_written(folder: Path) -> None:
    done = vedit.edit(folder / "plan.toml", dry_run=True, frames="#0..#4", output=f"{folder}/")
    assert done.plan is not None and done.render is None
    assert (done.plan.frames, done.output) == (4, folder / "in.plan.mov")
    assert names(folder) == set()


def test_a_look_at_it_first(folder: Path, sampled: list[int]) -> None:
    done = vedit.edit(folder / "plan.toml", preview="stills")
    assert done.stills == folder / "out.preview.png" and names(folder) == {"out.preview.png"}
    draft = vedit.edit(folder / "plan.toml", preview="draft", frames="#0..#2", writing=LOSSLESS)
    assert draft.render is not None and draft.output == folder / "out.draft.mov"
    assert draft.output.exists() and not (folder / "out.mov").exists()


def test_it_is_stopped_and_goes_on(folder: Path, sampled: list[int]) -> None:
    with pytest.raises(Interrupted):
        vedit.edit(folder / "plan.toml", writing=LOSSLESS, stop=lambda: True)
    assert not (folder / "out.mov").exists() and sampled == []
    done = vedit.edit(folder / "plan.toml", writing=LOSSLESS, keep=False)
    assert done.render is not None and not (folder / "out.vedit").exists(), "nothing is kept where it is not wanted"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"preview": "stils"}, r"preview is 'stils'; did you mean 'stills'\?"),
        ({"dry": True}, r"no argument 'dry'; did you mean 'dry_run'\?"),
        ({"frames": 3}, "frames is 3; give a text"),
        ({"frames": "#2..#1", "dry_run": True}, "#2..#1"),
        ({"writing": {"codec": "h264"}}, "give an OutputOptions"),
        ({"output": "there/out.mov"}, "folder"),
        ({"stop": 1}, "give a function"),
    ],
)
def test_a_wrong_argument_is_one_error(folder: Path, given: dict[str, object], message: str) -> None:
    with pytest.raises(VeditError, match=message) as raised:
        vedit.edit(folder / "plan.toml", **given)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    assert "\n" not in str(raised.value) and names(folder) == set()


def test_drafts_are_of_the_shots_that_are_edited(folder: Path) -> None:
    (folder / "plan.toml").write_text(PLAN.replace("number = 1\n", "number = 1\nlocked = true\n"))
    with pytest.raises(InputError, match="lock"):
        vedit.edit(folder / "plan.toml", dry_run=False)
    planned = vedit.edit(folder / "plan.toml", preview="draft", dry_run=True).plan
    assert planned is not None and np.array_equal(planned.shots, [(0, CUT), (CUT, FRAMES)])
