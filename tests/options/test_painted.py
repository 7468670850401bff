"""What `--keyframe` accepts, and the same in plans and in Python."""

from __future__ import annotations

from pathlib import Path

import pytest

from vedit.edits.confined_paths import NamedFiles
from vedit.edits.edit import Edit, plain_options
from vedit.errors import InputError, SettingError
from vedit.options.look_parser import look_options
from vedit.options.look_schema import LOOK, check_table
from vedit.options.painted import PaintedSpec, in_folder, key_name, painted, parse_painted
from vedit.options.request import RestyleOptions


@pytest.mark.parametrize(
    ("text", "moment", "time", "path"),
    [
        ("0=a.png", "#0", "#0", "a.png"),
        ("#24=a.png", "#24", "#24", "a.png"),
        (" 007 = a folder/a=b.png ", "#7", "#7", "a folder/a=b.png"),
        ("1.5s=a.png", "1.5s", "1.5", "a.png"),
        ("2s=a.png", "2s", "2", "a.png"),
        ("1.5=a.png", "1.5s", "1.5", "a.png"),
        ("01:00:02:00=a.png", "01:00:02:00", "01:00:02:00", "a.png"),
        ("01:00:02;00=C:\\keys\\a.png", "01:00:02;00", "01:00:02;00", "C:\\keys\\a.png"),
    ],
)
def test_parse(text: str, moment: str, time: str, path: str) -> None:
    found = parse_painted(text)
    assert (found.moment, found.time, found.path) == (moment, time, Path(path))
    assert parse_painted(str(found)) == found


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("a.png", "is no folder, and names no frame"),
        ("=a.png", "names no frame"),
        ("0=", "names no frame"),
        ("-1=a.png", "is no moment"),
        ("soon=a.png", "is no moment"),
        ("1e3s=a.png", "is no moment"),
    ],
)
def test_what_is_no_painted_frame_is_refused(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        painted([text])


def test_a_moment_is_checked_in_python_too() -> None:
    with pytest.raises(SettingError, match="is no moment"):
        PaintedSpec(moment="later", path=Path("a.png"))


def test_a_folder_is_read_by_the_names_that_keys_have(tmp_path: Path) -> None:
    names = [key_name(24, "01:00:00;24", 6), key_name(3, "0.125 s", 3), "key_7.TIF"]
    assert names[:2] == ["key_000024_01-00-00-24.png", "key_003_0-125-s.png"]
    for name in (*names, "notes.txt", ".hidden.png", "key_000024.kra"):
        (tmp_path / name).touch()
    found = painted([str(tmp_path)])
    assert found == painted([tmp_path]) == in_folder(tmp_path)
    assert {(one.moment, one.path.name, one.of_folder) for one in found} == {
        ("#24", names[0], True),
        ("#3", names[1], True),
        ("#7", names[2], True),
    }


def test_a_folder_with_other_pictures_or_none_says_what_is_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="it is empty"):
        in_folder(tmp_path)
    (tmp_path / "notes.txt").touch()
    with pytest.raises(InputError, match=r"there are notes\.txt"):
        in_folder(tmp_path)
    (tmp_path / "key_000001.png").touch()
    (tmp_path / "final.png").touch()
    with pytest.raises(InputError, match=r"tell no frame: final\.png") as told:
        in_folder(tmp_path)
    assert "key_000024.png" in (told.value.remedy or "")
    with pytest.raises(InputError, match="cannot be read"):
        in_folder(tmp_path / "absent")


def test_a_plan_names_files_from_its_own_folder(tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "key_000012.png").touch()
    look = check_table({"keyframe": ["0=a.png", "keys"]}, LOOK, "a look")
    told = look_options(look, files=NamedFiles(path=tmp_path / "plan.toml"), where="a look")
    expected = (
        PaintedSpec(moment="#0", path=tmp_path / "a.png"),
        PaintedSpec(moment="#12", path=tmp_path / "keys" / "key_000012.png", of_folder=True),
    )
    assert told.keyframe == expected
    edit = Edit(keyframe=[f"0={tmp_path / 'a.png'}", tmp_path / "keys"])
    assert plain_options(edit) == told
    assert hash(plain_options(edit)) == hash(told)
    assert told.files == tuple(spec.path for spec in expected)
    with pytest.raises(InputError, match="outside its folder"):
        look_options({"keyframe": "0=../a.png"}, files=NamedFiles(path=tmp_path / "plan.toml"), where="a look")


def test_painted_frames_ask_for_keys_as_by_auto() -> None:
    look = RestyleOptions(keyframe=(parse_painted("0=a.png"),))
    assert look.spacing == RestyleOptions(keyframes="auto").spacing
    assert look.only_painted
    assert not RestyleOptions(prompt="ink", keyframe=look.keyframe).only_painted
    assert RestyleOptions().spacing is None
