"""A request in a record, and back: nothing of it is lost, and what is no request is refused."""

from __future__ import annotations

import json
import random
import shutil
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any, cast, get_args

import pytest

from vedit.errors import InputError
from vedit.media.output import CodecName, OutputOptions, PresetName
from vedit.options.masks import KeyedBox, KeyedFile, KeyedPoint, MaskSpec, Propagation, RegionSpec
from vedit.options.request import QUALITIES, Preserve, QualityName, RenderRequest, RestyleOptions, Start
from vedit.registry import upscalers
from vedit.render.recorded_request import as_asked, as_recorded, hashes_of
from vedit.types import ControlSpec, FrameRange, Shot


def some_mask(rng: random.Random, folder: Path) -> MaskSpec:
    def moment() -> str | None:
        return rng.choice([None, "#3", "1.5"])

    return MaskSpec(
        files=tuple(KeyedFile(path=folder / name, at=moment()) for name in ("m.png", "ä b.mp4")[: rng.randrange(3)]),
        boxes=tuple(
            KeyedBox(
                left=rng.random(), top=1e-7, width=1 / 3, height=9.5, at=moment(), percent=(True, False, True, False)
            )
            for _ in range(rng.randrange(3))
        ),
        points=tuple(KeyedPoint(x=rng.random(), y=-2.0, inside=rng.random() < 0.5) for _ in range(rng.randrange(2))),
        subject=rng.choice([None, "the dog"]),
        invert=rng.random() < 0.5,
        grow=rng.uniform(-9, 9),
        feather=rng.choice([0.0, 1 / 3]),
        propagate=rng.choice(get_args(Propagation)),
    )


def some_look(rng: random.Random, folder: Path) -> RestyleOptions:
    return RestyleOptions(
        prompt=rng.choice(["", "woodcut", 'ä "quoted"\n']),
        strength=rng.random(),
        guidance=rng.choice([None, rng.random()]),
        controls=tuple(
            ControlSpec(
                kind=kind,
                scale=rng.random(),
                start=rng.random() / 2,
                end=0.5 + rng.random() / 2,
                mask=rng.choice([None, folder / "c.png"]),
                source=rng.choice([None, folder.parent / "maps" / "c_%04d.png"]),
            )
            for kind in ("tile", "softedge")[: rng.randrange(3)]
        ),
        keep=rng.choice([None, *get_args(Preserve)]),
        mask=rng.choice([None, some_mask(rng, folder)]),
        regions=tuple(RegionSpec(mask=some_mask(rng, folder), prompt=f"look {n}") for n in range(rng.randrange(3))),
        seed=rng.randrange(2**63),
        quality=cast("QualityName", rng.choice(list(QUALITIES))),
        steps=rng.choice([None, 7]),
        fixed_point=rng.choice([None, 2]),
        short_side=rng.choice([None, 128]),
        start=rng.choice(get_args(Start)),
        cross_frame=rng.random() < 0.5,
        attention=rng.choice([None, "none", "cross-frame"]),
        anchor=rng.choice([None, "#48"]),
        window=rng.choice([24, 9]),
        overlap=rng.choice([None, 3]),
        upscale=rng.choice(upscalers.OWN),
    )


def some_request(seed: int, folder: Path) -> RenderRequest:
    """One of every kind that there may be."""
    rng = random.Random(seed)
    looks = {number: some_look(rng, folder) for number in (1, 3)}
    shots = (Shot(number=1, frames=FrameRange(start=0, stop=6)), Shot(number=2, frames=FrameRange(start=6, stop=10)))
    return RenderRequest(
        source=folder.parent / "footage" / "in.mov",
        options=some_look(rng, folder),
        looks=rng.choice([None, looks, {}]),
        shots=rng.choice([None, shots]),
        locked=rng.choice([frozenset[int](), frozenset({3, 1})]),
        frames=rng.choice([None, "#0..#6"]),
        model=rng.choice(["embedded", "sd15", "owner/name@revision"]),
        controlnets=rng.choice([(), (("depth", "owner/name"),)]),
        device=rng.choice(["auto", "cpu"]),
        writing=OutputOptions(
            codec=rng.choice([None, *get_args(CodecName)]),
            preset=rng.choice(get_args(PresetName)),
            bit_depth=rng.choice([None, 10]),
            label=rng.random() < 0.5,
            strict=rng.random() < 0.5,
            timecode=rng.choice([None, "01:00:00;02"]),
        ),
        rate=rng.choice([None, Fraction(24000, 1001)]),
        track=rng.choice([None, 2]),
        allow_huge=rng.random() < 0.5,
        purpose=rng.choice([None, {"timeline": {"clip": 3, "names": ["a", 1.5, None]}}]),
    )


@pytest.mark.parametrize("seed", range(30))
def test_nothing_of_a_request_is_lost(tmp_path: Path, seed: int) -> None:
    folder = tmp_path / "results"
    request = some_request(seed, folder)
    told = json.loads(json.dumps(as_recorded(request, folder)))
    assert as_asked(told, folder) == request
    # Where all of it has moved, it is found there.
    there = tmp_path / "else" / "results"
    assert as_asked(told, there) == some_request(seed, there)


def test_a_record_from_before_attention_methods_means_cross_frame_attention(tmp_path: Path) -> None:
    request = RenderRequest(source=tmp_path / "in.mov", options=RestyleOptions(prompt="night"))
    told = json.loads(json.dumps(as_recorded(request, tmp_path)))
    assert as_asked(told, tmp_path).options.attention is None
    del told["options"]["attention"]
    assert as_asked(told, tmp_path).options.attention == "cross-frame"
    told["options"]["cross_frame"] = False
    assert as_asked(told, tmp_path).options.attention_method == "none"


def test_where_a_result_goes_and_what_it_replaces_is_not_recorded(tmp_path: Path) -> None:
    plain = RenderRequest(source=tmp_path / "in.mov", options=RestyleOptions(prompt="night"))
    asked = replace(
        plain,
        output=tmp_path / "out.mov",
        fresh=True,
        keep_work=True,
        keep_frames=True,
        writing=OutputOptions(overwrite=True),
    )
    assert as_recorded(asked, tmp_path) == as_recorded(plain, tmp_path)


def test_a_model_that_lies_here_is_named_from_the_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "project" / "models" / "own").mkdir(parents=True)
    (tmp_path / "branch.safetensors").write_bytes(b"")
    monkeypatch.chdir(tmp_path / "project")
    request = RenderRequest(
        source=Path("in.mov"),
        options=RestyleOptions(),
        model="models/own",
        controlnets=(("depth", "../branch.safetensors"), ("canny", "owner/name")),
    )
    told = as_recorded(request, Path())
    assert (told["model"], told["controlnets"]) == (
        "./models/own",
        [["depth", "../branch.safetensors"], ["canny", "owner/name"]],
    )
    monkeypatch.chdir(tmp_path)
    found = as_asked(told, Path("project"))
    assert found.model == str(Path("project/models/own"))
    assert found.controlnets == (("depth", "branch.safetensors"), ("canny", "owner/name"))
    assert found.source == Path("project/in.mov")


def test_masks_and_control_videos_are_known_by_their_hashes(tmp_path: Path) -> None:
    (tmp_path / "mask.png").write_bytes(b"one")
    (tmp_path / "map.mp4").write_bytes(b"two")
    look = RestyleOptions(
        mask=MaskSpec(files=(KeyedFile(path=tmp_path / "mask.png"),)),
        controls=(ControlSpec(kind="tile", source=tmp_path / "map.mp4"),),
    )
    request = RenderRequest(source=tmp_path / "in.mov", options=RestyleOptions(), looks={2: look})
    found = hashes_of(request, tmp_path / "out")
    assert list(found) == ["../mask.png", "../map.mp4"]
    assert hashes_of(replace(request, looks=None, options=look), tmp_path / "out") == found
    shutil.copy(tmp_path / "map.mp4", tmp_path / "mask.png")
    assert len(set(hashes_of(request, tmp_path).values())) == 1


BAD = [
    (("options", "seed"), "1", "what stands there"),
    (("options", "seed"), -1, "seed"),
    (("options", "seed"), True, "what stands there"),
    (("options", "strength"), 1.5, "strength"),
    (("options", "quality"), "fine", "what stands there"),
    (("options", "variety"), 0.5, "'variety' is not known"),
    (("options", "controls"), [{"kind": "tile", "scale": "1"}], "what stands there"),
    (("options", "controls"), [{}], "kind"),
    (("options", "regions"), 3, "what stands there"),
    (("options",), None, "what stands there"),
    (("source",), 5, "what stands there"),
    (("source",), "a\0b", "no name of a file"),
    (("rate",), "1/0", "Fraction(1, 0)"),
    (("shots",), [{"number": 1, "frames": {"start": 9, "stop": 6}}], "0 <= start <= stop"),
    (("writing", "codec"), "h265", "what stands there"),
    (("looks",), {"one": {}}, "invalid literal"),
]


@pytest.mark.parametrize(("keys", "value", "told"), BAD)
def test_what_is_no_request_is_refused(tmp_path: Path, keys: tuple[str, ...], value: object, told: str) -> None:
    said: Any = as_recorded(RenderRequest(source=tmp_path / "in.mov", options=RestyleOptions()), tmp_path)
    place: Any = said
    for key in keys[:-1]:
        place = place[key]
    place[keys[-1]] = value
    with pytest.raises(InputError) as found:
        as_asked(said, tmp_path)
    assert told in str(found.value)


def test_a_request_without_a_source_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="source"):
        as_asked({"options": {}}, tmp_path)
