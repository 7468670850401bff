"""One look across the shots of a render: where the anchor may lie, what steers it, and what is made anew for it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import cv2
import numpy as np
import pytest
import torch

from tests.support.clips import CUT, FRAMES, HEIGHT, WIDTH, two_shots
from tests.support.recording import frames_written
from tests.support.resolved import made_job
from vedit import Edit, api
from vedit.cli import main
from vedit.embedded import FOLDER as EMBEDDED
from vedit.errors import InputError
from vedit.options.masks import KeyedBox, MaskSpec, RegionSpec
from vedit.options.request import RenderRequest
from vedit.render.conditioning import Anchor, ConditioningSource
from vedit.render.job import conditioning_of
from vedit.render.preview import stills_of
from vedit.session.video import open_video
from vedit.store.computed import ComputedCache
from vedit.types import ControlSpec, FrameRange, PromptEmbeds, Shot

if TYPE_CHECKING:
    from vedit.diffusion.conditioning import FrameConditioning
    from vedit.types import IntFrames

pytestmark = pytest.mark.usefixtures("small")

LOOK = "night"
SHOTS = (
    Shot(number=1, frames=FrameRange(start=0, stop=CUT)),
    Shot(number=2, frames=FrameRange(start=CUT, stop=FRAMES)),
)
QUICK: dict[str, Any] = {
    "prompt": LOOK,
    "shots": SHOTS,
    "quality": "draft",
    "steps": 2,
    "short_side": 64,
    "window": 4,
    "overlap": 1,
    "controls": (ControlSpec(kind="softedge"),),
}
LEFT = MaskSpec(boxes=(KeyedBox(left=0, top=0, width=WIDTH / 2, height=HEIGHT),))
SECOND_PART = f"#{CUT}..#{FRAMES}"


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return two_shots(tmp_path_factory.mktemp("clip") / "two shots.mov")


@pytest.fixture
def written(clip: Path, tmp_path: Path) -> Callable[..., IntFrames]:
    """Renders, and returns the frames that went to the encoder."""

    def run(**settings: Any) -> IntFrames:
        with frames_written() as seen:
            api.restyle(clip, output=tmp_path / "out.mov", overwrite=True, **{**QUICK, **settings})
        return cast("IntFrames", np.concatenate(seen))

    return run


FLOW_BRANCH = (("flow", str(EMBEDDED / "controlnet_1")),)
"""Any branch will do, since nothing is sampled with it: what is asked for must be there."""


def request(clip: Path, output: Path, **settings: Any) -> RenderRequest:
    asked = api.request(clip, output=output, **{**QUICK, **settings})
    flow = any(spec.kind == "flow" for spec in asked.options.controls)
    return replace(asked, controlnets=FLOW_BRANCH) if flow else asked


def guides_at(wanted: RenderRequest, folder: Path, number: int) -> FrameConditioning:
    """What steers the anchor and a frame of the second shot that are sampled together."""
    job = made_job(wanted)
    shot = next(shot for shot in job.shots if number in shot.frames)
    anchor = job.anchor_of(shot)
    assert anchor is not None
    prompts = [PromptEmbeds(states=torch.zeros(1, 1, 1)) for _ in wanted.options.regions]
    with ComputedCache(folder) as cache, ConditioningSource(conditioning_of(job), cache) as steering:
        made = steering.guides_of(shot, wanted.options.controls, prompts, anchor)
        return made([anchor.frame, number], torch.rand(2, 3, *job.fit.outer))


def test_the_shots_share_a_look_only_where_it_is_asked_for(written: Callable[..., IntFrames]) -> None:
    """The anchor's own shot stays as it is; the other one changes, and the part alone gives the same frames."""
    alone, shared = written(), written(anchor="#0")
    assert np.array_equal(shared[:CUT], alone[:CUT])
    assert np.abs(shared[CUT:].astype(int) - alone[CUT:]).mean() > 1
    again = written(anchor="#0", frames=SECOND_PART)
    assert np.array_equal(again, shared[CUT:]), "the anchor is read from the source"


@pytest.mark.usefixtures("unsteadied")
def test_what_one_previews_is_what_one_gets(clip: Path, tmp_path: Path, written: Callable[..., IntFrames]) -> None:
    """The first frame of a shot is sampled with the anchor alone, in a still as in the render."""
    rendered = written(anchor="#2")[CUT]
    job = made_job(request(clip, tmp_path / "still.mov", anchor="#2"))
    stills = {made.shot.number: made for made in stills_of(job, numbers_of=lambda shot: (shot.frames.start,))}
    still = stills[2].pairs[0][1]
    assert np.abs(still.astype(int) - rendered).max() <= 1


def test_units_are_kept_by_the_frame_that_is_the_anchor(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another way to write the moment changes nothing, another frame only the shots that it does not begin; nor are
    those made anew where a later version moves colours otherwise."""

    def kept(**settings: Any) -> int:
        wanted = request(clip, tmp_path / "out.mov", keep_work=True, overwrite=True, steps=1, controls=(), **settings)
        return api.restyle(wanted).units_kept

    assert kept(anchor="#0") == 0
    units = kept(anchor="01:00:00:00")
    own_units = kept()
    assert 0 < own_units < units, "the first shot begins with the anchor, the second had another"
    assert 0 < kept(anchor=f"#{CUT}") < units, "now the second one does"
    monkeypatch.setattr("vedit.render.sample_shot.ARITHMETIC", -1)
    assert 0 < kept(anchor=f"#{CUT}") < units, "the second shot follows no anchor"


def test_regions_that_the_part_leaves_out_are_another_unit(clip: Path, tmp_path: Path) -> None:
    """The anchor has its region where it lies in the part, and not where it does not."""

    def kept(**settings: Any) -> int:
        regions = (RegionSpec(mask=LEFT, prompt="comic"),)
        return api.restyle(
            request(
                clip,
                tmp_path / "out.mov",
                keep_work=True,
                overwrite=True,
                steps=1,
                controls=(),
                anchor="#0",
                **{"regions": regions, **settings},
            )
        ).units_kept

    assert kept(frames=SECOND_PART) == 0
    assert kept() == 0
    assert kept(regions=(), frames=SECOND_PART) == 0
    assert kept(regions=()) > 0


def test_the_anchor_is_steered_by_what_holds_in_its_own_shot(clip: Path, tmp_path: Path) -> None:
    """Maps of its own shot, regions as their masks say there; and no mask, since nothing of it is written."""
    settings: dict[str, Any] = {
        "anchor": "#1",
        "mask": LEFT,
        "regions": (RegionSpec(mask=LEFT, prompt="night"),),
        "controls": (ControlSpec(kind="flow"), ControlSpec(kind="softedge")),
    }
    guides = guides_at(request(clip, tmp_path / "out.mov", **settings), tmp_path / "cache", CUT + 1)
    assert guides.mask is not None
    assert guides.mask[0].min() == 1
    assert guides.mask[1, ..., -8:].max() == 0
    assert guides.regions[0].mask[0].max() == 1
    assert torch.equal(guides.regions[0].mask[0], guides.regions[0].mask[1])
    job = made_job(request(clip, tmp_path / "out.mov", **settings))
    with ComputedCache(tmp_path / "cache") as cache, ConditioningSource(conditioning_of(job), cache) as steering:
        own = steering.guides_of(job.shots[0], settings["controls"][:1], [PromptEmbeds(states=torch.zeros(1, 1, 1))])
        maps = own([1], torch.zeros(1, 3, *job.fit.outer)).controls[0].map.frames
    assert torch.equal(guides.controls[0].map.frames[:1], maps)
    assert guides.controls[1].map.frames.shape == guides.controls[0].map.frames.shape


def test_outside_the_part_the_anchor_has_maps_and_no_masks(clip: Path, tmp_path: Path) -> None:
    white = tmp_path / "white.png"
    cv2.imwrite(str(white), np.full((HEIGHT, WIDTH, 3), 255, np.uint8))
    wanted = request(
        clip,
        tmp_path / "out.mov",
        anchor="#1",
        frames=SECOND_PART,
        mask=LEFT,
        regions=(RegionSpec(mask=LEFT, prompt="night"),),
        controls=(ControlSpec(kind="flow"), ControlSpec(kind="tile", source=clip, mask=white)),
    )
    assert made_job(wanted).anchor == Anchor(frame=1, shot=SHOTS[0].frames)
    guides = guides_at(wanted, tmp_path / "cache", CUT + 1)
    assert guides.mask is not None
    assert guides.mask[0].min() == 1
    assert guides.regions[0].mask[0].max() == 0
    assert guides.controls[0].map.frames[0].min() < 0.9, "the picture moves in the anchor's shot"
    warm, cold = (frame.mean((1, 2)) for frame in guides.controls[1].map.frames)
    assert warm[0] > warm[2]
    assert cold[0] < cold[2]
    mask = guides.controls[1].mask
    assert mask is not None
    assert mask.min() == 1


def test_a_mask_that_leaves_the_anchor_alone_does_not_take_the_look_away(
    clip: Path, written: Callable[..., IntFrames]
) -> None:
    """The second shot changes as much where the mask leaves all of the first as it is; outside it nothing does."""
    box = KeyedBox(left=WIDTH - 60, top=20, width=50, height=100, at=f"#{CUT}")
    masked = MaskSpec(boxes=(box,), propagate="none")
    shown = written(anchor="#0", mask=masked)
    with open_video(clip) as video:
        source = video.read(FrameRange(start=0, stop=FRAMES)).frames
    inside = np.abs(shown[CUT:, :, 30:110, -50:-20].astype(int) - source[CUT:, :, 30:110, -50:-20]).mean()
    assert inside > 4
    assert np.array_equal(shown[CUT:, :, :, : WIDTH - 70], source[CUT:, :, :, : WIDTH - 70])


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"anchor": f"#{FRAMES}"}, "the anchor: "),
        ({"anchor": "99.5"}, "the anchor: "),
        ({"anchor": "teal"}, "the anchor: "),
        ({"anchor": ""}, "the anchor: "),
        (
            {"anchor": "#0", "frames": SECOND_PART, "prompt": "", "regions": (RegionSpec(mask=LEFT, prompt="night"),)},
            "where the regions have no masks",
        ),
    ],
)
def test_an_anchor_that_shows_no_look_is_refused(
    clip: Path, tmp_path: Path, settings: dict[str, Any], words: str
) -> None:
    with pytest.raises(InputError, match=words):
        made_job(request(clip, tmp_path / "out.mov", **settings))


def test_only_looks_that_are_rendered_need_an_anchor_with_their_masks(clip: Path, tmp_path: Path) -> None:
    """A part of a plan is not refused for a shot that it leaves out or that is locked; each names its frame once."""
    regions = (RegionSpec(mask=LEFT, prompt="comic"),)
    own = request(clip, tmp_path / "out.mov", controls=()).options
    first = replace(own, prompt="", regions=regions, anchor="#0")
    wanted = replace(request(clip, tmp_path / "out.mov", controls=()), looks={1: first, 2: own})
    assert made_job(replace(wanted, frames=SECOND_PART)).shots[0].number == 2
    both = replace(wanted, looks={1: first, 2: replace(first, anchor="#1")}, frames=SECOND_PART)
    with pytest.raises(InputError, match="the anchor #1 is outside the part"):
        made_job(both)
    assert made_job(replace(both, locked=frozenset({2}))).looks() == ()
    with pytest.raises(InputError, match="the anchor: #99 is outside the clip"):
        made_job(replace(wanted, looks={1: replace(first, anchor="#99"), 2: own}, frames=SECOND_PART))


def test_a_control_of_the_part_alone_does_not_reach_the_anchor(clip: Path, tmp_path: Path) -> None:
    folder = tmp_path / "maps"
    folder.mkdir()
    for number in range(FRAMES - CUT):
        cv2.imwrite(str(folder / f"{number:04d}.png"), np.full((HEIGHT, WIDTH, 3), 100, np.uint8))
    controls = (ControlSpec(kind="tile", source=folder / "%04d.png"),)
    wanted = request(clip, tmp_path / "out.mov", anchor="#0", frames=SECOND_PART, controls=controls)
    with (
        ComputedCache(tmp_path / "cache") as cache,
        pytest.raises(InputError, match="does not reach to the anchor #0"),
        ConditioningSource(conditioning_of(made_job(wanted)), cache),
    ):
        pass


def test_the_command_takes_a_moment_and_names_one_that_is_not_there(
    clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["restyle", str(clip), "-p", LOOK, "-o", str(tmp_path / "out.mov"), "--dry-run", "--json"]
    assert main([*command, "--anchor", "#3"], standalone_mode=False) == 0
    assert json.loads(capsys.readouterr().out)["settings"]["anchor"] == "#3"
    assert main([*command, "--anchor", "#10"], standalone_mode=False) == 2
    assert "the anchor: #10 is outside the clip" in capsys.readouterr().err.replace("\n", " ")
    assert not (tmp_path / "out.mov.vedit").exists()


def test_a_plan_and_an_edit_say_it_too(clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plan = tmp_path / "plan.toml"
    command = ["plan", str(clip), "-o", str(plan), "-p", LOOK, "--no-thumbnails", "--add-cut", f"#{CUT}"]
    assert main(command, standalone_mode=False) == 0
    text = plan.read_text("utf-8")
    assert '# anchor = "#0"' in text
    plan.write_text(text.replace('# anchor = "#0"', f'anchor = "#{CUT}"'), "utf-8")
    capsys.readouterr()
    dry = ["edit", str(plan), "--allow-outside", "--dry-run", "--json"]
    assert main(dry, standalone_mode=False) == 0
    (look,) = json.loads(capsys.readouterr().out)["settings"]["looks"]
    assert (look["shots"], look["anchor"]) == ([1, 2], f"#{CUT}")
    plan.write_text(text.replace('# anchor = "#0"', 'anchor = "#99"'), "utf-8")
    assert main(dry, standalone_mode=False) == 2
    assert "the anchor: #99 is outside the clip" in capsys.readouterr().err.replace("\n", " ")
    with open_video(clip) as video:
        planned = video.plan({1: Edit(LOOK, anchor="#0")}, tmp_path / "edited.mov")
    (look,) = cast("list[dict[str, Any]]", planned.settings["looks"])
    assert look["anchor"] == "#0"
    assert "anchor='#0'" in repr(Edit(LOOK, anchor="#0"))
