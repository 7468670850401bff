"""The fast tier as files beside a model: which weights it is of, what a plan says of it, and what a render makes."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from tests.support.clips import CUT, FRAMES
from tests.support.loaded import small_frames
from tests.support.recording import frames_written
from tests.support.resolved import weights_behind
from tests.support.tiers import SCHEDULES, write_tier
from vedit.errors import Interrupted, ModelError
from vedit.models import resolve as resolving
from vedit.models.digests import identity
from vedit.models.distilled import Schedule, read_distilled, withdraw_other, write_settings
from vedit.models.load import load_sd
from vedit.models.resolve import describe, resolve
from vedit.options.request import RenderRequest, RestyleOptions
from vedit.render.provenance import same_weights
from vedit.render.run import plan, restyle
from vedit.store.units import work_folder
from vedit.testing.tiny_sd import write_tiny_sd
from vedit.types import FrameRange, Shot

DRAFT = RestyleOptions(prompt="night", quality="draft", short_side=64, window=6, overlap=0)
STANDARD = replace(DRAFT, quality="standard", steps=1)
"""Which no tier serves, as it names its steps."""
FOUR = (851, 638, 426, 213)
SHOTS = tuple(
    Shot(number=number, frames=FrameRange(start=start, stop=stop))
    for number, (start, stop) in enumerate([(0, CUT), (CUT, FRAMES)], start=1)
)


@pytest.fixture(scope="module", autouse=True)
def small() -> Iterator[None]:
    with small_frames():
        yield


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_sd(tmp_path_factory.mktemp("plain") / "model")


@pytest.fixture
def folder(tmp_path: Path, plain: Path) -> Path:
    """The same model with a fast tier."""
    folder = tmp_path / "models" / "model"
    shutil.copytree(plain, folder)
    write_tier(folder, sampling=FOUR)
    return folder


def request(clip: Path, folder: Path, output: Path, options: RestyleOptions = DRAFT, **changes: Any) -> RenderRequest:
    return replace(RenderRequest(source=clip, output=output, options=options, model=str(folder)), **changes)


def test_a_tier_of_other_weights_is_refused_until_it_is_removed_or_made_again(
    folder: Path, clip: Path, tmp_path: Path
) -> None:
    assert load_sd(resolve(str(folder))).fast
    write_tiny_sd(folder, seed=1)
    for attempt in (
        lambda: load_sd(resolve(str(folder))),
        lambda: resolve(str(folder)).distilled,
        lambda: plan(request(clip, folder, tmp_path / "out.mov")),
    ):
        with pytest.raises(ModelError, match="distilled for another UNet") as caught:
            attempt()
        assert "\n" not in caught.value.message
        assert caught.value.remedy == f"remove {folder / 'fast'}, or distil again"
    assert not load_sd(resolve(str(folder)), fast=False).fast, "what distils again can load it"
    write_tier(folder)
    assert load_sd(resolve(str(folder))).fast
    write_tiny_sd(folder, seed=2)
    shutil.rmtree(folder / "fast")
    assert not load_sd(resolve(str(folder))).fast


def test_settings_of_others_are_gone_before_weights_change(folder: Path) -> None:
    tier = read_distilled(folder / "fast")
    withdraw_other(tier)
    assert read_distilled(folder / "fast") == tier, "the same settings hold for the next weights"
    withdraw_other(replace(tier, schedules={"draft": Schedule(sampling=(701, 301), inversion=(1,))}))
    assert not resolve(str(folder)).distilled
    assert tier.weights.is_file()
    write_settings(tier)
    assert resolve(str(folder)).distilled == (tier,)
    assert {path.name for path in tier.folder.iterdir()} == {"fast.json", tier.weights.name}


def test_a_tier_is_part_of_the_weights_only_where_it_serves(folder: Path, plain: Path, clip: Path) -> None:
    output = Path("out.mov")
    fast, slow = (weights_behind(request(clip, folder, output, options)) for options in (DRAFT, STANDARD))
    without = {options: weights_behind(request(clip, plain, output, options)) for options in (DRAFT, STANDARD)}
    assert slow == without[STANDARD] == without[DRAFT]
    assert identity(resolve(str(folder)).source) == identity(resolve(str(plain)).source)
    assert fast == {**slow, "fast": identity(resolve(str(folder)).source, tiers=["fast"])["fast"]}
    assert None not in fast.values()
    both = weights_behind(request(clip, folder, output, looks={1: STANDARD, 2: DRAFT}))
    assert both == fast
    assert same_weights(fast, fast) and same_weights(slow, without[STANDARD])
    assert not same_weights(without[DRAFT], fast), "a draft from before there was a tier"
    assert not same_weights(fast, without[DRAFT]), "a draft by a tier that is no more"
    write_tier(folder, seed=1, sampling=FOUR)
    assert weights_behind(request(clip, folder, output, STANDARD)) == slow
    again = weights_behind(request(clip, folder, output))
    assert not same_weights(fast, again)
    write_tier(folder, seed=1, sampling=(851, 501))
    assert not same_weights(again, weights_behind(request(clip, folder, output)))


def test_a_plan_says_what_a_draft_costs_and_what_keeps_it_from_the_tier(
    folder: Path, plain: Path, clip: Path, tmp_path: Path
) -> None:
    def planned(model: Path = folder, **changes: Any) -> tuple[int, int, object, list[str]]:
        found = plan(request(clip, model, tmp_path / "out.mov", replace(DRAFT, **changes)))
        told = [note for note in found.notes if "fast tier" in note]
        return found.steps, found.network_evaluations_per_frame, found.settings["guidance"], told

    assert planned() == (4, 5, 2.0, [])
    assert planned(plain) == (4, 12, 7.0, [])
    assert planned(strength=0.5) == (2, 3, 2.0, [])
    assert planned(start="noise") == (4, 4, 2.0, [])
    assert planned(quality="standard") == (10, 20, 2.0, [])
    assert planned(quality="high") == (20, 80, 7.0, [])
    assert planned(steps=1) == (1, 3, 7.0, []), "cheaper than the tier"
    *figures, notes = planned(steps=4, negative_prompt="blurry")
    assert figures == [4, 12, 7.0]
    assert notes == [
        "draft quality takes 12 network evaluations a frame, not the 5 of the fast tier, because of: steps, "
        "a negative prompt"
    ]
    assert "guidance other than 2" in planned(guidance=3.0)[-1][0]
    *_, (note,) = planned(quality="standard", negative_prompt="blurry")
    assert note.startswith("standard quality takes 40 network evaluations a frame, not the 20 of the fast tier")
    write_tier(folder, schedules={"standard": SCHEDULES["standard"]})
    assert planned() == (4, 12, 7.0, []), "no tier for drafts is no reason to speak of one"


def test_a_plan_says_of_each_look_what_keeps_it_from_the_tier(folder: Path, clip: Path, tmp_path: Path) -> None:
    looks = {
        1: replace(DRAFT, quality="standard", steps=20),
        2: replace(DRAFT, quality="standard", strength=0.5, negative_prompt="blurry"),
    }
    found = plan(request(clip, folder, tmp_path / "out.mov", looks=looks, shots=SHOTS))
    told = "standard quality takes {} network evaluations a frame, not the {} of the fast tier, because of: {}"
    assert [note for note in found.notes if "fast tier" in note] == [
        told.format(80, 20, "steps"),
        told.format(20, 11, "a negative prompt"),
    ]


def rendered(wanted: RenderRequest, **more: Any) -> tuple[npt.NDArray[np.integer], int]:
    """The frames that went to the encoder, and how many units were kept from before."""
    with frames_written() as frames:
        kept = restyle(wanted, **more).units_kept
    return np.concatenate(frames), kept


def after(output: Path, units: int) -> Callable[[], bool]:
    """Says stop once that many units are on the disk."""
    made = work_folder(output) / "units"
    return lambda: made.is_dir() and len(list(made.iterdir())) >= units


def test_shots_of_a_render_are_fast_or_not_each_as_it_asks(
    folder: Path, plain: Path, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One model, sampled with the tier and without; also where it was stopped in between, or the tier changed since."""
    monkeypatch.setenv("VEDIT_CACHE", str(tmp_path / "cache"))
    mixed: dict[str, Any] = {"looks": {1: DRAFT, 2: STANDARD}, "shots": SHOTS}
    whole, _ = rendered(request(clip, folder, tmp_path / "whole.mov", **mixed))
    first, second = whole[:CUT], whole[CUT:]
    ordinary, _ = rendered(request(clip, plain, tmp_path / "plain.mov", **mixed))
    assert not np.array_equal(ordinary[:CUT], first), "the tier made these"
    assert np.array_equal(ordinary[CUT:], second), "and left nothing to those"
    output = tmp_path / "stopped.mov"
    with pytest.raises(Interrupted):
        restyle(request(clip, folder, output, **mixed), stop=after(output, 1))
    again, kept = rendered(request(clip, folder, output, **mixed))
    assert kept >= 1
    assert np.array_equal(again, whole)
    with pytest.raises(Interrupted):
        restyle(request(clip, folder, tmp_path / "other.mov", **mixed), stop=after(tmp_path / "other.mov", 2))
    write_tier(folder, seed=1, sampling=FOUR)
    redone, kept = rendered(request(clip, folder, tmp_path / "other.mov", **mixed))
    assert not np.array_equal(redone[:CUT], first), "units of the tier before are not taken"
    assert np.array_equal(redone[CUT:], second)


def test_qualities_of_one_render_are_not_taken_for_each_other(
    folder: Path, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both are served, at one size: only their steps tell them apart, also where units are kept."""
    monkeypatch.setenv("VEDIT_CACHE", str(tmp_path / "cache"))
    looks = {1: DRAFT, 2: replace(DRAFT, quality="standard")}
    whole, _ = rendered(request(clip, folder, tmp_path / "whole.mov", looks=looks, shots=SHOTS))
    output = tmp_path / "other.mov"
    swapped = {1: looks[2], 2: looks[1]}
    with pytest.raises(Interrupted):
        restyle(request(clip, folder, output, looks=looks, shots=SHOTS), stop=after(output, 2))
    others, _ = rendered(request(clip, folder, output, looks=swapped, shots=SHOTS))
    assert not np.array_equal(others[:CUT], whole[:CUT])
    assert not np.array_equal(others[CUT:], whole[CUT:])
    expected, _ = rendered(request(clip, folder, tmp_path / "fresh.mov", looks=swapped, shots=SHOTS))
    assert np.array_equal(others, expected)
    told = json.loads((tmp_path / "whole.mov.vedit.json").read_text("utf-8"))["recipe"]["looks"]
    assert [look["fast"] for look in told] == [
        {"sampling": list(FOUR), "inversion": [851, 1], "fixed_point": 0},
        {"sampling": list(SCHEDULES["standard"].sampling), "inversion": [901, 671, 451, 251, 81], "fixed_point": 2},
    ]


def test_what_a_model_is_names_the_qualities(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolving, "EMBEDDED", folder)
    assert describe("embedded")["fast_tier"] == ["draft", "standard"]
    shutil.rmtree(folder / "fast")
    assert describe("embedded")["fast_tier"] == []


def test_a_model_without_the_folder_has_no_tier(plain: Path, folder: Path) -> None:
    assert not resolve(str(plain)).distilled
    assert not load_sd(resolve(str(plain))).fast
    (found,) = resolve(str(folder)).distilled
    assert found.schedules["draft"].sampling == FOUR


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"sampling": None}, "sampling"),
        ({"sampling": []}, "no sampling steps"),
        ({"sampling": [251, 501]}, "noisiest first"),
        ({"inversion": [751]}, "below the last"),
        ({"inversion": [851, 1]}, "below the first"),
        ({"inversion": [], "fixed_point": 2}, "below the first"),
        ({"fixed_point": -1}, "fixed_point"),
        ({"start": "noise"}, "start"),
        ({"sampling": [1200, 251]}, "timestep 1200 of 1000"),
    ],
)
def test_steps_that_make_no_sense_are_refused(folder: Path, changes: Any, told: str) -> None:
    refused(folder, {"schedules": {"draft": written(folder)["schedules"]["draft"] | changes}}, told)


def written(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "fast" / "fast.json").read_text("utf-8"))


def refused(folder: Path, changes: dict[str, Any], told: str) -> None:
    """With these changes of what `fast.json` says; None takes a key out, at either level."""
    said = {key: value for key, value in (written(folder) | changes).items() if value is not None}
    for quality, steps in dict(said.get("schedules", {})).items():
        said["schedules"][quality] = {key: value for key, value in steps.items() if value is not None}
    (folder / "fast" / "fast.json").write_text(json.dumps(said), "utf-8")
    with pytest.raises(ModelError, match=told) as caught:
        load_sd(resolve(str(folder)))
    assert "\n" not in caught.value.message


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"schedules": None}, "schedules"),
        ({"schedules": {}}, "serves nothing"),
        ({"schedules": {"best": {"sampling": [751], "inversion": [1]}}}, "serves best"),
        ({"start": "noise"}, "start"),
        ({"guidance": float("nan")}, "NaN is no number"),
        ({"unet": None}, "unet"),
        ({"unet": ""}, "which UNet"),
    ],
)
def test_settings_that_make_no_sense_are_refused(folder: Path, changes: Any, told: str) -> None:
    refused(folder, changes, told)


def test_a_damaged_tier_is_refused(folder: Path) -> None:
    file = folder / "fast" / "fast.json"
    whole = file.read_text("utf-8")
    file.write_text("{", "utf-8")
    with pytest.raises(ModelError, match=r"fast\.json is no JSON"):
        _ = resolve(str(folder)).distilled
    file.write_text(whole, "utf-8")
    (folder / "fast" / "pytorch_lora_weights.safetensors").unlink()
    with pytest.raises(ModelError, match=r"there is no file .*pytorch_lora_weights\.safetensors"):
        load_sd(resolve(str(folder)))
