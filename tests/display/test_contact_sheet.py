"""Contact sheets hold every frame, in its place, and are written whole."""

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from vedit.display.contact_sheet import contact_sheet, is_sheet
from vedit.errors import InputError


def flat(*colour: int, height: int = 90, width: int = 160) -> npt.NDArray[np.uint8]:
    return np.broadcast_to(np.array(colour, np.uint8)[:, None, None], (len(colour), height, width)).copy()


def read(path: Path) -> np.ndarray:
    image = cv2.imread(str(path))
    assert image is not None
    return image[..., ::-1]


def test_frames_lie_in_rows(tmp_path: Path) -> None:
    rows = [[flat(255, 0, 0), flat(0, 255, 0, 77)], [flat(0, 0, 255)]]
    path = contact_sheet(rows, [["", ""], [""]], tmp_path / "a.png", cell_width=160)
    image = read(path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.png"]
    assert image.shape == (6 + 90 + 6 + 90 + 6, 6 + 160 + 6 + 160 + 6, 3)
    assert (image[50, 50] == (255, 0, 0)).all() and (image[50, 250] == (0, 255, 0)).all()
    assert (image[150, 50] == (0, 0, 255)).all()


def test_frames_are_scaled_down_but_never_up(tmp_path: Path) -> None:
    row = [flat(9, 9, 9, height=90, width=320), flat(200, 0, 0, height=20, width=30)]
    image = read(contact_sheet([row], [["", ""]], tmp_path / "a.png", cell_width=160))
    assert image.shape == (6 + 45 + 6, 6 + 160 + 6 + 30 + 6, 3)


def test_deep_frames_keep_their_brightness(tmp_path: Path) -> None:
    deep = np.full((3, 90, 160), 512, np.uint16)
    image = read(contact_sheet([[deep]], [[""]], tmp_path / "a.png", bit_depth=10))
    assert image[50, 50].tolist() == [128, 128, 128]
    with pytest.raises(ValueError, match="bit_depth"):
        contact_sheet([[deep]], [[""]], tmp_path / "a.png")


def test_labels_are_drawn_and_long_ones_shortened(tmp_path: Path) -> None:
    plain = read(contact_sheet([[flat(0, 0, 0)]], [[""]], tmp_path / "plain.png"))
    labelled = read(contact_sheet([[flat(0, 0, 0)]], [["Café, frame 12 " * 20]], tmp_path / "labelled.png"))
    assert labelled.shape[0] > plain.shape[0] and labelled.max() > 200


def test_what_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least one frame"):
        contact_sheet([[]], [[]], tmp_path / "a.png")
    with pytest.raises(ValueError, match="shape of the rows"):
        contact_sheet([[flat(0, 0, 0)]], [["a", "b"]], tmp_path / "a.png")
    with pytest.raises(InputError, match="cannot write"):
        contact_sheet([[flat(0, 0, 0)]], [[""]], tmp_path / "absent" / "a.png")


@pytest.mark.parametrize(
    ("name", "begins"),
    [("a.png", b"\x89PNG"), ("a.JPG", b"\xff\xd8\xff"), ("a.jpeg", b"\xff\xd8\xff"), ("a.webp", b"RIFF")],
)
def test_a_sheet_is_what_its_name_says(tmp_path: Path, name: str, begins: bytes) -> None:
    path = contact_sheet([[flat(200, 30, 30)]], [["red"]], tmp_path / name)
    assert path.read_bytes().startswith(begins)
    assert np.abs(read(path)[40, 80].astype(int) - (200, 30, 30)).max() < 8


@pytest.mark.parametrize("name", ["a", "a.tiff", "a.mp4"])
def test_a_sheet_of_another_name_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match=f"{name} is no picture that can be written; name it .png or .jpg"):
        contact_sheet([[flat(9, 9, 9)]], [[""]], tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_a_sheet_that_its_format_cannot_hold_is_refused(tmp_path: Path) -> None:
    rows = [[flat(9, 9, 9, height=400, width=8)]] * 42
    with pytest.raises(InputError, match=r"cannot hold a sheet of 20x\d+ pixels; name it .png"):
        contact_sheet(rows, [[""]] * 42, tmp_path / "a.webp")
    assert not list(tmp_path.iterdir())
    assert contact_sheet(rows, [[""]] * 42, tmp_path / "a.png").exists()


def test_nothing_is_written_through_a_link_and_nothing_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    precious = tmp_path / "precious"
    precious.write_text("mine")
    (tmp_path / ".a.png.part").symlink_to(precious)
    contact_sheet([[flat(9, 9, 9)]], [[""]], tmp_path / "a.png")
    assert precious.read_text() == "mine" and not (tmp_path / "a.png").is_symlink()

    def refuse(self: Path, target: Path) -> None:
        raise OSError(28, "No space left on device")

    before = sorted(tmp_path.iterdir())
    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(InputError, match="No space left"):
        contact_sheet([[flat(8, 8, 8)]], [[""]], tmp_path / "b.png")
    assert sorted(tmp_path.iterdir()) == before


def test_a_sheet_is_known_by_its_sign(tmp_path: Path) -> None:
    path = contact_sheet([[flat(200, 30, 30)]], [["red"]], tmp_path / "a.png")
    assert is_sheet(path) and (read(path)[50, 50] == (200, 30, 30)).all()
    data, image = path.read_bytes(), read(path)
    path.write_bytes(data[:-20] + bytes([data[-20] ^ 1]) + data[-19:])
    assert not is_sheet(path)
    assert cv2.imwrite(str(path), image[..., ::-1]) and not is_sheet(path)
    assert not is_sheet(tmp_path / "absent.png")
