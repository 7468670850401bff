"""`vedit.mask`: a mask measured and written from Python."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import vedit
from tests.masks.test_export import BOX, read, source
from vedit.errors import VeditError

__all__ = ["source"]


def test_a_mask_in_a_word_is_measured_and_written(source: Path, tmp_path: Path) -> None:
    done = vedit.mask(source, "box:8,6,20,12", tmp_path / "matte.mkv", preset="archive", preview=tmp_path / "look.png")
    matte, look = tmp_path / "matte.mkv", tmp_path / "look.png"
    assert (done.output, done.preview) == (matte, look) and look.is_file()
    assert done.areas == pytest.approx([240 / (64 * 48)] * 6)
    alike = vedit.mask(str(source), BOX, str(tmp_path / "alike.mkv"), preset="archive")
    assert alike.output is not None and np.array_equal(read(alike.output), read(matte))
    assert vedit.mask(source, BOX).areas == done.areas, "to measure it nothing is written"
    of_file = vedit.mask(source, matte)
    assert of_file.areas == pytest.approx(done.areas, rel=0.01) and of_file.output is None


def test_a_folder_has_names_made_up(source: Path, tmp_path: Path) -> None:
    assert vedit.mask(source, BOX, tmp_path).output == tmp_path / "source.matte.mkv"
    pictures = vedit.mask(source, BOX, f"{tmp_path}/", codec="png", frames="#0..#2").output
    assert pictures is not None and pictures.name == "source.matte_%04d.png" and read(pictures).shape == (2, 3, 48, 64)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"mask": vedit.Edit().mask}, "mask is None; give"),
        ({"mask": ""}, "names no file"),
        ({"mask": "box:1,2"}, "box"),
        ({"mask": "person.png"}, "person.png"),
        ({"alpha": True}, "alpha has no file to go to"),
        ({"preset": "best"}, "preset is 'best'"),
        ({"frames": "soon..late"}, "soon"),
        ({"rate": 25}, "has its own frame times"),
        ({"track": 7}, "7"),
        ({"output": "nowhere/matte.mkv"}, "nowhere"),
        ({"maks": BOX}, r"did you mean 'mask'\?"),
        ({"source": 5}, "source is 5; give a path or a text"),
    ],
)
def test_a_wrong_argument_is_one_error(source: Path, given: dict[str, object], message: str) -> None:
    said: dict[str, object] = {"source": source, "mask": BOX, **given}
    with pytest.raises(VeditError, match=message) as raised:
        vedit.mask(**said)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    assert "\n" not in str(raised.value) and [path.name for path in source.parent.iterdir()] == [source.name]


def test_a_mask_of_nothing_is_refused(source: Path) -> None:
    from vedit.options.masks import MaskSpec

    with pytest.raises(VeditError, match="the mask is empty"):
        vedit.mask(source, MaskSpec(feather=3))
