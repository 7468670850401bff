"""Renders with frames that were painted by hand."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from tests.render.test_keyframes import CUT, OPTIONS, pixels, request, sampled
from tests.support.clips import FRAMES, two_shots
from vedit.edits.edit import Edit
from vedit.errors import InputError, MediaError
from vedit.keyframes import unknown
from vedit.models.resolve import resolve
from vedit.options.painted import painted
from vedit.options.request import RenderRequest, RestyleOptions
from vedit.render import passes
from vedit.render.fitting import PAINTED_SIDE, carried_fit, fit_of
from vedit.render.preview import preview
from vedit.render.recorded_request import as_asked
from vedit.render.replay import read_replay
from vedit.render.run import plan, restyle
from vedit.render.variations import variations

pytestmark = pytest.mark.usefixtures("small")
__all__ = ["sampled"]

Pixels = np.ndarray[Any, Any]


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return two_shots(tmp_path_factory.mktemp("clip") / "two shots.mov")


@pytest.fixture(scope="module")
def source(clip: Path) -> Pixels:
    return pixels(clip)


def painting(path: Path, frame: Pixels, *, opacity: int = 255, size: tuple[int, int] | None = None) -> Path:
    """The frame in other colours, (3, H, W) -> a PNG; of an opacity below 255 its right half is left out in part."""
    picture = np.ascontiguousarray(frame[::-1].transpose(1, 2, 0))  # BGR
    picture = np.ascontiguousarray(255 - picture // 2)
    if opacity < 255:
        alpha = np.full((*picture.shape[:2], 1), 255, np.uint8)
        alpha[:, picture.shape[1] // 2 :] = opacity
        picture = np.concatenate([picture, alpha], axis=2)
    if size is not None:
        picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    path.parent.mkdir(exist_ok=True)
    cv2.imwrite(str(path), picture)
    return path


def as_painted(path: Path) -> Pixels:
    picture = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert picture is not None
    return np.ascontiguousarray(picture[..., 2::-1].transpose(2, 0, 1))


def with_keys(clip: Path, output: Path, *keys: str | Path, **changes: Any) -> RenderRequest:
    return request(clip, output, **{"options": replace(OPTIONS, keyframe=painted(keys)), **changes})


def test_a_painted_frame_comes_out_as_it_is_and_leads_its_shot(
    clip: Path, source: Pixels, tmp_path: Path, sampled: list[tuple[int, ...]]
) -> None:
    key = painting(tmp_path / "key.png", source[2])
    result = restyle(with_keys(clip, tmp_path / "out.mkv", f"2={key}"))
    assert sampled == [(0, 5), (6, 9)], "frame 2 is painted from edge to edge"
    made = pixels(tmp_path / "out.mkv")
    assert np.array_equal(made[2], as_painted(key))
    plain = pixels_of(request(clip, tmp_path / "plain.mkv"))
    assert np.array_equal(made[CUT:], plain[CUT:]), "it leaked over the cut"
    # Its neighbours take after it, and not after what the model draws.
    inverted = 255 - source.astype(float) // 2
    for number in (0, 1, 3, 4, 5):
        assert np.abs(made[number] - inverted[number]).mean() < np.abs(plain[number] - inverted[number]).mean() / 2
    assert not any("auto" in note for note in result.notes), "the request says a spacing itself"


def pixels_of(asked: RenderRequest) -> Pixels:
    restyle(asked)
    return pixels(asked.output or Path())


def test_what_is_transparent_is_the_models(clip: Path, source: Pixels, tmp_path: Path) -> None:
    key = painting(tmp_path / "key.png", source[0], opacity=0)
    made, plain = (
        pixels_of(with_keys(clip, tmp_path / "out.mkv", f"0={key}")),
        pixels_of(request(clip, tmp_path / "plain.mkv")),
    )
    half = made.shape[-1] // 2
    assert np.array_equal(made[0, :, :, :half], as_painted(key)[:, :, :half])
    assert not np.array_equal(made[0, :, :, half:], as_painted(key)[:, :, half:])
    far = made.shape[-1] - half // 2
    assert np.abs(made[0, :, :, far:].astype(int) - plain[0, :, :, far:]).mean() < 3


def test_another_size_is_resampled_and_said(clip: Path, source: Pixels, tmp_path: Path) -> None:
    height, width = source.shape[-2:]
    key = painting(tmp_path / "key.png", source[0], size=(width // 2, height // 2))
    result = restyle(with_keys(clip, tmp_path / "out.mkv", f"0={key}"))
    assert any(f"is resampled to the clip's {width}x{height}" in note for note in result.notes)
    with pytest.raises(InputError, match="the aspect is another"):
        key = painting(tmp_path / "wide.png", source[0], size=(width, height // 2))
        restyle(with_keys(clip, tmp_path / "wide.mkv", f"0={key}"))
    assert not (tmp_path / "wide.mkv").exists()


def test_what_cannot_be_is_refused_before_anything_is_written(clip: Path, source: Pixels, tmp_path: Path) -> None:
    key = painting(tmp_path / "key.png", source[0])
    output = tmp_path / "out.mkv"
    with pytest.raises(InputError, match="outside the clip"):
        restyle(with_keys(clip, output, f"{FRAMES}={key}"))
    with pytest.raises(InputError, match="outside the part"):
        restyle(with_keys(clip, output, f"2={key}", frames=f"#{CUT}..#{FRAMES}"))
    with pytest.raises(InputError, match="is painted twice"):
        restyle(with_keys(clip, output, f"0={key}", f"0s={key}"))
    with pytest.raises(MediaError):
        restyle(with_keys(clip, output, f"0={tmp_path / 'absent.png'}"))
    looks = {1: OPTIONS, 2: replace(OPTIONS, keyframe=painted([f"0={key}"]))}
    with pytest.raises(InputError, match="lies in shot 1, whose look does not name it"):
        restyle(request(clip, output, looks=looks))
    with pytest.raises(InputError, match="lies in shot 1, which passes through"):
        restyle(request(clip, output, looks={2: looks[2]}))
    with pytest.raises(InputError, match="nothing is regenerated"):
        restyle(with_keys(clip, output, options=replace(OPTIONS, strength=0, keyframe=painted([f"0={key}"]))))
    assert list(tmp_path.iterdir()) == [key]


def test_a_look_of_several_shots_may_name_frames_of_each(clip: Path, source: Pixels, tmp_path: Path) -> None:
    keys = [painting(tmp_path / f"{number}.png", source[number]) for number in (0, 7)]
    named = painted([f"0={keys[0]}", f"7={keys[1]}"])
    looks = {1: replace(OPTIONS, keyframe=named), 2: replace(OPTIONS, keyframe=named, seed=1)}
    made = pixels_of(request(clip, tmp_path / "out.mkv", looks=looks))
    assert np.array_equal(made[0], as_painted(keys[0]))
    assert np.array_equal(made[7], as_painted(keys[1]))


def test_another_painting_samples_nothing_anew(
    clip: Path, source: Pixels, tmp_path: Path, sampled: list[tuple[int, ...]]
) -> None:
    key = painting(tmp_path / "key.png", source[0])
    asked = with_keys(clip, tmp_path / "out.mkv", f"0={key}", keep_work=True)
    first = pixels_of(asked)
    sampled.clear()
    painting(key, source[3])
    again = pixels_of(replace(asked, writing=replace(asked.writing, overwrite=True)))
    assert sampled == []
    assert np.array_equal(again[0], as_painted(key))
    assert not np.array_equal(again[:CUT], first[:CUT])
    assert np.array_equal(again[CUT:], first[CUT:])


def test_only_the_shot_of_a_changed_painting_is_finished_anew(
    clip: Path, source: Pixels, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    finished: list[int] = []
    before = passes.KeyedShot.frames

    def record(keyed: Any, *rest: Any) -> Any:
        finished.append(keyed.shot.number)
        return before(keyed, *rest)

    key = painting(tmp_path / "key.png", source[0])
    looks = dict.fromkeys((1, 2), replace(OPTIONS, keyframe=painted([f"0={key}"])))
    asked = request(clip, tmp_path / "out.mkv", looks=looks, keep_work=True, keep_frames=True)
    restyle(asked)
    painting(key, source[3])
    monkeypatch.setattr(passes.KeyedShot, "frames", record)
    made = pixels_of(replace(asked, writing=replace(asked.writing, overwrite=True)))
    assert finished == [1]
    assert np.array_equal(made[0], as_painted(key))


def test_of_a_folder_what_is_still_the_frame_itself_is_left_out(clip: Path, source: Pixels, tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    painting(keys / "key_000000_00-00-00-00.png", source[0])
    cv2.imwrite(str(keys / "key_000008.png"), np.ascontiguousarray(source[8][::-1].transpose(1, 2, 0)))
    asked = with_keys(clip, tmp_path / "out.mkv", keys)
    result = restyle(asked)
    assert any("not painted yet, and left out: key_000008.png" in note for note in result.notes)
    made = pixels(tmp_path / "out.mkv")
    assert np.array_equal(made[0], as_painted(keys / "key_000000_00-00-00-00.png"))
    assert not np.array_equal(made[8], source[8])


def test_a_record_names_and_hashes_them_and_a_replay_checks(clip: Path, source: Pixels, tmp_path: Path) -> None:
    key = painting(tmp_path / "key.png", source[0])
    restyle(with_keys(clip, tmp_path / "out.mkv", f"0s={key}"))
    record = tmp_path / "out.mkv.vedit.json"
    told = json.loads(record.read_text("utf-8"))
    assert list(told["asked"]["files"]) == ["key.png"]
    assert as_asked(told["asked"]["request"], tmp_path).options.keyframe == painted([f"0={key}"])
    assert read_replay(record).request.options.keyframe == painted([f"0={key}"])
    painting(key, source[1])
    with pytest.raises(InputError, match="whose SHA-256 is another now"):
        read_replay(record)


def test_outside_a_mask_nothing_is_painted(clip: Path, source: Pixels, tmp_path: Path) -> None:
    key = painting(tmp_path / "key.png", source[0])
    options = replace(OPTIONS, **vars_of(Edit(mask="box:0,0,60,144", keyframe=[f"0={key}"])))
    made = pixels_of(request(clip, tmp_path / "out.mkv", options=options))
    assert np.array_equal(made[:, :, :, 80:], source[:, :, :, 80:])
    assert np.array_equal(made[0, :, :, :40], as_painted(key)[:, :, :40])


def vars_of(edit: Edit) -> dict[str, Any]:
    return {name: getattr(edit, name) for name in ("mask", "keyframe")}


@pytest.fixture
def without_models(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a model was asked for")

    for place in ("vedit.render.settle.located", "vedit.render.passes.load_prepared"):
        monkeypatch.setattr(place, refuse)


BARE = RestyleOptions(quality="draft", keyframes="4")
"""Without a prompt."""


@pytest.mark.usefixtures("without_models")
def test_without_a_prompt_no_model_is_needed_and_paintings_are_carried(
    clip: Path, source: Pixels, tmp_path: Path
) -> None:
    key = painting(tmp_path / "key.png", source[2])
    asked = request(clip, tmp_path / "out.mkv", options=replace(BARE, keyframe=painted([f"2={key}"])))
    assert not plan(asked).network_evaluations_per_frame
    result = restyle(asked)
    made = pixels(tmp_path / "out.mkv")
    assert np.array_equal(made[2], as_painted(key))
    assert np.array_equal(made[CUT:], source[CUT:]), "nothing is painted in the second shot"
    assert any("1 of 2 shots have neither a prompt nor a painted frame" in note for note in result.notes)
    inverted = 255 - source.astype(float) // 2
    for number in (0, 1, 3, 4, 5):
        off, was = (np.abs(one[number] - inverted[number]).mean() for one in (made, source))
        assert off < was / 4, f"frame {number} is not carried to"
    record = json.loads((tmp_path / "out.mkv.vedit.json").read_text("utf-8"))
    assert record["recipe"]["model"] == "none"
    assert record["recipe"]["weights"] == {}
    assert record["label"] is None, "no model made anything of it"
    again = read_replay(tmp_path / "out.mkv").request
    assert np.array_equal(pixels_of(replace(again, output=tmp_path / "again.mkv")), made)


@pytest.mark.usefixtures("without_models")
def test_without_a_prompt_nothing_is_a_key_because_no_other_shows_it(
    clip: Path, source: Pixels, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = replace(BARE, keyframe=painted([f"2={painting(tmp_path / 'key.png', source[2])}"]))
    made = pixels_of(request(clip, tmp_path / "out.mkv", options=options))
    monkeypatch.setattr(unknown, "MOST_UNKNOWN", -1.0)
    assert np.array_equal(pixels_of(request(clip, tmp_path / "same.mkv", options=options)), made)


@pytest.mark.usefixtures("without_models")
def test_without_a_prompt_what_nobody_painted_stays_the_sources(clip: Path, source: Pixels, tmp_path: Path) -> None:
    key = painting(tmp_path / "key.png", source[0], opacity=0)
    made = pixels_of(request(clip, tmp_path / "out.mkv", options=replace(BARE, keyframe=painted([f"0={key}"]))))
    far = made.shape[-1] * 3 // 4
    assert np.abs(made[:CUT, :, :, far:].astype(int) - source[:CUT, :, :, far:]).max() <= 2


def test_where_every_key_is_painted_finished_shots_are_kept_by_their_mask(
    clip: Path, source: Pixels, tmp_path: Path
) -> None:
    named = [f"{number}={painting(tmp_path / f'{number}.png', source[number])}" for number in (6, 9)]
    looks = {2: replace(OPTIONS, **vars_of(Edit(mask="box:0,0,60,144", keyframe=named)))}
    asked = request(clip, tmp_path / "out.mkv", looks=looks, keep_frames=True)
    first = pixels_of(asked)
    looks = {2: replace(OPTIONS, **vars_of(Edit(mask="box:0,0,120,144", keyframe=named)))}
    second = pixels_of(replace(asked, looks=looks, writing=replace(asked.writing, overwrite=True)))
    assert np.array_equal(first[CUT:, :, :, 80:], source[CUT:, :, :, 80:])
    assert not np.array_equal(second[CUT:, :, :, 80:100], source[CUT:, :, :, 80:100])


@pytest.mark.usefixtures("without_models")
def test_without_a_prompt_finished_shots_are_kept_by_their_paintings(
    clip: Path, source: Pixels, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = [painting(tmp_path / f"{number}.png", source[number]) for number in (0, 7)]
    options = replace(BARE, keyframe=painted([f"0={keys[0]}", f"7={keys[1]}"]))
    asked = request(clip, tmp_path / "out.mkv", options=options, keep_frames=True)
    first = pixels_of(asked)
    finished: list[int] = []
    before = passes.KeyedShot.frames

    def record(keyed: Any, *rest: Any) -> Any:
        finished.append(keyed.shot.number)
        return before(keyed, *rest)

    monkeypatch.setattr(passes.KeyedShot, "frames", record)
    anew = replace(asked, writing=replace(asked.writing, overwrite=True))
    assert np.array_equal(pixels_of(anew), first)
    assert finished == []
    painting(keys[1], source[8])
    assert np.array_equal(pixels_of(anew)[:CUT], first[:CUT])
    assert finished == [2]


def test_a_painted_shot_beside_a_drawn_one(clip: Path, source: Pixels, tmp_path: Path) -> None:
    key = painting(tmp_path / "key.png", source[7])
    looks = {1: OPTIONS, 2: replace(BARE, keyframe=painted([f"7={key}"]))}
    made = pixels_of(request(clip, tmp_path / "out.mkv", looks=looks))
    plain = pixels_of(request(clip, tmp_path / "plain.mkv", looks={1: OPTIONS}))
    assert np.array_equal(made[:CUT], plain[:CUT])
    assert np.array_equal(made[7], as_painted(key))


def test_where_no_model_draws_there_are_no_stills_and_no_seeds(clip: Path, source: Pixels, tmp_path: Path) -> None:
    key = painting(tmp_path / "key.png", source[0])
    asked = request(clip, tmp_path / "out.mkv", options=replace(BARE, keyframe=painted([f"0={key}"])))
    with pytest.raises(InputError, match="no shot has a look that a model draws"):
        preview(asked)
    with pytest.raises(InputError, match="nothing is drawn from a seed"):
        variations(asked, 2)


def test_a_size_of_its_own_is_for_shots_with_paintings(clip: Path) -> None:
    size = (1280, 720)
    model = fit_of(size, OPTIONS, resolve("embedded").traits)
    assert min(carried_fit(model).inner) == PAINTED_SIDE > min(model.inner)
    larger = fit_of(size, replace(OPTIONS, short_side=640), resolve("embedded").traits)
    assert carried_fit(larger) == larger
    assert fit_of((176, 144), BARE_PAINTED, resolve("embedded").traits).outer == (144, 176)


BARE_PAINTED = replace(BARE, keyframe=painted(["0=key.png"]))
