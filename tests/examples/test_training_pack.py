"""Photographs shrunk for another machine are what training sees, with the manifest that it reads."""

# The trainer is a script with its package beside it, on no checker's path.
# pyright: reportMissingImports=false

import json
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

TRAINER = Path(__file__).parents[2] / "examples" / "train_embedded"
if str(TRAINER) not in sys.path:
    sys.path.insert(0, str(TRAINER))

from trainer.pack import pack  # noqa: E402
from trainer.photos import find_photos, read_photo  # noqa: E402


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    y, x = np.mgrid[:400, :600]
    picture = np.stack([x * 255 / 600, y * 255 / 400, (x + y) * 255 / 1000], 2).astype(np.uint8)
    names = ("a.jpg", "a.png", "wide.png", "held.png")
    for name in names:
        cv2.imwrite(str(folder / name), picture)
    entries = [{"file": name, "split": "eval" if name == "held.png" else "train"} for name in names]
    entries[2] |= {"tag": "pano", "licence": "CC0-1.0", "source_repo": "owner/name"}
    (folder / "manifest.json").write_text(json.dumps({"files": entries}), encoding="utf-8")
    return folder


def test_packed_photographs_are_found_with_splits_weights_and_credits(photos: Path, tmp_path: Path) -> None:
    sizes = list(pack(photos, tmp_path / "packed", short_side=256, quality=85))
    train, held = (find_photos(tmp_path / "packed", split=split) for split in ("train", "eval"))
    assert (len(train), len(held), len(sizes)) == (3, 1, 4)
    wide = train[-1]
    assert (wide.weight, wide.licence, wide.source) == (0.3, "CC0-1.0", "owner/name")
    again, original = read_photo(wide.path), read_photo(photos / "wide.png", short_side=256)
    assert again.shape == original.shape == (256, 384, 3)
    assert np.abs(again.astype(float) - original).mean() < 3


def test_a_part_can_be_packed_and_nothing_is_mixed_into_a_folder(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "packed"
    assert len(list(pack(photos, out, short_side=256, quality=85, splits=("eval",)))) == 1
    with pytest.raises(FileExistsError, match="not empty"):
        list(pack(photos, out, short_side=256, quality=85))
    with pytest.raises(FileNotFoundError, match="no pictures"):
        list(pack(tmp_path / "packed", tmp_path / "none", short_side=256, quality=85, splits=("train",)))
    assert not (tmp_path / "none").exists()
