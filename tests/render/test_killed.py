"""Commands killed while their files get their names or while they clean up: the same command then ends well."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import pytest

from tests.support.clips import two_shots
from tests.support.killing import Ended, Killing, Run, killing
from vedit.media.contract.verify import verify
from vedit.media.writing.sidecar import own_record, sidecar_path

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")

RESTYLE = ("restyle", "in.mp4", "--prompt", "ink", "--strength", "0", "-q")


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clip") / "in.mp4"
    two_shots(path, frames=3)
    return path


@pytest.fixture(scope="module")
def server() -> Iterator[Killing]:
    with killing() as server:
        yield server


def folders(tmp_path: Path, clip: Path, count: int) -> list[Path]:
    """Some with the clip in each."""
    made = [tmp_path / str(number) for number in range(count)]
    for folder in made:
        folder.mkdir()
        shutil.copy2(clip, folder / "in.mp4")
    return made


def killed_then_again(
    server: Killing, words: tuple[str, ...], places: list[Path], **armed: str
) -> list[tuple[Ended, Ended]]:
    """In each folder the command is killed, at a later moment each time, and run again."""
    runs: list[Run] = []
    for moment, folder in enumerate(places, 1):
        runs += [Run(words=words, folder=folder, kill_at=moment, **armed), Run(words=words, folder=folder)]
    ended = server.run_all(runs)
    return list(zip(ended[::2], ended[1::2], strict=True))


def test_a_render_ends_with_the_same_command(server: Killing, tmp_path: Path, clip: Path) -> None:
    words = (*RESTYLE, "-o", "out.mp4")
    places = folders(tmp_path, clip, 11)
    pairs = killed_then_again(server, words, places)
    ended = 0
    for killed, again in pairs:
        assert killed.code in (0, -9), killed
        # Where nothing was left to do but to say so, it is as after any other render.
        done = not any(name.endswith("commit.json") for name in killed.names) and "out.mp4" in killed.names
        ended += not done
        assert again.code == (2 if done else 0), again
        assert again.names == ["in.mp4", "out.mp4", "out.mp4.vedit.json"]
    assert ended >= 6
    for folder in places:
        assert own_record(folder / "out.mp4") is not None
        assert verify(folder / "in.mp4", folder / "out.mp4").ok


def test_another_command_is_refused_and_cleans(server: Killing, tmp_path: Path, clip: Path) -> None:
    places = folders(tmp_path, clip, 3)
    runs: list[Run] = []
    for moment, folder in enumerate(places, 3):
        runs.append(Run(words=(*RESTYLE, "-o", "out.mp4"), folder=folder, kill_at=moment))
        runs.append(Run(words=(*RESTYLE, "--preset", "web", "-o", "out.mp4"), folder=folder))
    ended = server.run_all(runs)
    for killed, other in zip(ended[::2], ended[1::2], strict=True):
        assert killed.code == -9
        # What was finished stands, whole; what the other asks for would replace it.
        assert (other.code, other.names) in (
            (2, ["in.mp4", "out.mp4", "out.mp4.vedit.json"]),
            (0, ["in.mp4", "out.mp4", "out.mp4.vedit.json"]),
        ), other
    assert any(other.code == 2 and "exists" in other.error for other in ended[1::2])


@pytest.mark.parametrize("name", ["out.mp4", "out_%02d.png"])
def test_old_or_new_stands_at_every_moment(server: Killing, tmp_path: Path, clip: Path, name: str) -> None:
    words = ("identity", "in.mp4", "--overwrite", "-q", "-o", name)
    places = folders(tmp_path, clip, 12)
    asked = ("identity", "in.mp4", "--preset", "web", "-q", "-o", name)
    first = server.run_all([Run(words=asked, folder=folder) for folder in places])
    old = [path for path in first[0].names if not path.startswith("in")]
    before = {folder: {path: (folder / path).read_bytes() for path in old} for folder in places}
    runs = [Run(words=words, folder=folder, kill_at=moment) for moment, folder in enumerate(places, 1)]
    killed = server.run_all(runs)
    results = [path for path in old if path.endswith((".mp4", ".png"))]
    for folder, ended in zip(places, killed, strict=True):
        assert set(results) <= set(ended.names), ended.names
        record = folder / f"{name}.vedit.json"
        if record.exists() and record.read_bytes() == before[folder][record.name]:
            # The old record stands beside the old result alone.
            assert all((folder / path).read_bytes() == before[folder][path] for path in results)
    assert sum(ended.code == -9 for ended in killed) >= 5
    again = server.run_all([Run(words=words, folder=folder) for folder in places])
    for folder, ended in zip(places, again, strict=True):
        assert ended.code == 0, ended
        assert [path for path in ended.names if not path.startswith("in")] == old
        assert own_record(folder / name) is not None
        assert verify(folder / "in.mp4", folder / name, rate=Fraction(24000, 1001) if "%" in name else None).ok


def test_a_render_that_replaces_one_ends_with_the_same_command(server: Killing, tmp_path: Path, clip: Path) -> None:
    words = (*RESTYLE, "--overwrite", "-o", "out.mp4")
    places = folders(tmp_path, clip, 4)
    server.run_all([Run(words=("identity", "in.mp4", "-q", "-o", "out.mp4"), folder=folder) for folder in places])
    runs: list[Run] = []
    for moment, folder in zip((3, 5, 6, 8), places, strict=True):
        runs += [Run(words=words, folder=folder, kill_at=moment), Run(words=words, folder=folder)]
    ended = server.run_all(runs)
    for killed, again in zip(ended[::2], ended[1::2], strict=True):
        assert killed.code == -9 and "out.mp4" in killed.names
        assert again.code == 0 and again.names == ["in.mp4", "out.mp4", "out.mp4.vedit.json"], again
    assert all("ink" in str((own_record(folder / "out.mp4") or {}).get("recipe")) for folder in places)


@pytest.mark.parametrize(
    ("words", "left"),
    [
        (("identity", "in.mp4", "-o", "out.mp4", "-q"), ["in.mp4", "out.mp4", "out.mp4.vedit.json"]),
        (("mask", "in.mp4", "--mask-box", "0,0,40,40", "-o", "out.mkv", "-q"), ["in.mp4", "out.mkv"]),
        (("controls", "in.mp4", "--kind", "canny", "-o", "out.mkv", "-q"), ["in.mp4", "out.mkv"]),
        (("controls", "in.mp4", "--kind", "flow", "-o", "o_%d.flo", "-q"), ["in.mp4", "o_1.flo", "o_2.flo"]),
        (("shots", "in.mp4", "-o", "out.csv"), ["in.mp4", "out.csv"]),
        (("sample", "-o", "out.mp4", "--frames", "2"), ["in.mp4", "out.mp4"]),
    ],
    ids=["identity", "mask", "controls", "data", "shots", "sample"],
)
@pytest.mark.parametrize("signal", ["SIGKILL", "SIGTERM"])
def test_halves_are_cleared(
    server: Killing, tmp_path: Path, clip: Path, words: tuple[str, ...], left: list[str], signal: str
) -> None:
    """Killed in the middle of writing: what is half goes with the next run; after SIGTERM there is none."""
    (folder,) = folders(tmp_path, clip, 1)
    armed = {"identity": "vedit.media.contract.verify:verify", "mask": "vedit.media.contract.verify:verify"}
    at = {
        "controls": "vedit.media.writing.atomic:put_in_place",
        "shots": "vedit.media.writing.atomic:write_whole",
        "sample": "vedit.sample_clip.clip:_chord",
    }
    moment = (armed | at)[words[0]]
    # Of shots: the third change, behind the file's own name; of the others the first one.
    kill = Run(words=words, folder=folder, kill_at=1, armed=moment, signal=signal)
    killed, again = server.run_all([kill, Run(words=words, folder=folder)])
    if signal == "SIGTERM":
        assert killed.code == 143 and "terminated" in killed.error, killed
        assert killed.names == ["in.mp4"]
    else:
        assert killed.code == -9, killed
        assert any(".part" in name for name in killed.names)
    assert again.code == 0, again
    assert again.names == left


def test_what_lives_is_not_cleared(tmp_path: Path, clip: Path) -> None:
    from vedit.media.writing.unfinished import hold, let_go, sweep, unfinished_name

    target = tmp_path / "out.mp4"
    mine = [
        "out.mp4.part",
        ".out.part.mp4",
        ".out.abcdefgh.part.mp4",
        ".other.01234567.part.mp4",
        ".out.01234567.part.mov",
    ]
    for name in mine:
        (tmp_path / name).write_bytes(b"a user's")
    (tmp_path / ".out.00000000.part.mp4").symlink_to(clip)
    alive, dead = tmp_path / unfinished_name(target), tmp_path / unfinished_name(target)
    for path in (alive, dead):
        path.write_bytes(b"half a film")
    handle = hold(alive)
    sweep(target)
    assert alive.exists() and not dead.exists() and clip.exists()
    assert all((tmp_path / name).exists() for name in (*mine, ".out.00000000.part.mp4"))
    let_go(handle)
    sweep(target)
    assert not alive.exists()


def test_a_journal_reaches_nothing_else(tmp_path: Path, clip: Path) -> None:
    """The journal is a file that anyone can write."""
    import json

    from vedit.render.killed import finish_killed
    from vedit.store.units import work_folder

    precious = tmp_path / "precious.mp4"
    shutil.copy2(clip, precious)
    (tmp_path / "sub").mkdir()
    output = tmp_path / "sub" / "out.mp4"
    seen = precious.stat()
    stamp = [seen.st_ino, seen.st_size, seen.st_mtime_ns]
    folder = work_folder(output)
    folder.mkdir()
    for temporary in ("../../precious.mp4", str(precious), "..", "", "plain.mp4"):
        entry = {"inside": True, "temporary": temporary, "name": "out.mp4", "is": stamp, "was": None}
        told = {"format": 1, "results": [entry], "companions": [], "stale": [{"name": "../precious.mp4", "was": stamp}]}
        (folder / "lock").touch()
        (folder / "commit.json").write_text(json.dumps({**told, "told": {}}))
        assert finish_killed(output) is None
        assert precious.read_bytes() == clip.read_bytes() and not output.exists()
    assert not sidecar_path(output).exists()
