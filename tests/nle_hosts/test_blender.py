"""The Blender add-on: in a real Blender without a window, and its own arithmetic under the newer API names."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import types
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from vedit.cli import main
from vedit.nle_hosts.launch import HostError

SESSION = Path(__file__).with_name("blender_session.py")
FIRST, STOP, HANDLES = 110, 114, 2


@pytest.fixture(scope="module")
def blender() -> str:
    """The blender command; skips where there is none."""
    found = shutil.which("blender")
    if found is None:
        pytest.skip("no blender on PATH (Debian: apt-get install blender)")
    return found


@pytest.fixture(scope="module")
def home(blender: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A configuration folder that Blender reads, with the add-on as `vedit nle install` puts it."""
    told = subprocess.run([blender, "--version"], capture_output=True, text=True, check=True).stdout.split()[1]
    folder = tmp_path_factory.mktemp("config")
    version = ".".join(told.split(".")[:2])
    if tuple(map(int, version.split("."))) >= (4, 2):
        pytest.skip(f"written for the add-on form, of Blender 3.4 to 4.1; this is {version}")
    (folder / "blender" / version).mkdir(parents=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CONFIG_HOME", str(folder))
        assert main(["nle", "install", "blender"], standalone_mode=False) == 0
    return folder


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A moving clip of 48 frames at 24000/1001."""
    path = tmp_path_factory.mktemp("clips") / "moving clip.mp4"
    assert main(["sample", "-o", str(path)], standalone_mode=False) == 0
    return path


def run(blender: str, home: Path, clip: Path, **settings: Any) -> dict[str, Any]:
    """What the session inside Blender tells."""
    environment = {**os.environ, "XDG_CONFIG_HOME": str(home)}
    environment.pop("VEDIT_EXECUTABLE", None)
    words = [blender, "--background", "--factory-startup", "--addons", "vedit_restyle", "--python-exit-code", "9"]
    words += ["--python", str(SESSION), "--", str(clip), json.dumps(settings)]
    done = subprocess.run(words, capture_output=True, text=True, check=False, env=environment, timeout=600)
    told = [line for line in done.stdout.splitlines() if line.startswith("TOLD ")]
    assert len(told) == 1, done.stdout + done.stderr
    return json.loads(told[0].removeprefix("TOLD "))


@pytest.mark.slow
def test_a_strip_is_restyled_in_blender(blender: str, home: Path, clip: Path) -> None:
    # Strength 0 passes the source through, so that each frame of the result can be told from its neighbours.
    told = run(blender, home, clip, prompt="ink drawing", variation=0.5, seed=3, strength=0, handles=HANDLES)
    assert told["answer"] == ["FINISHED"], told["error"]
    added = told["strips"].pop("ink drawing [seed 3]")
    assert added["place"] == [4, FIRST, STOP, STOP - FIRST], "the title in channel 3 is in the way"
    assert told["strips"]["source"]["place"] == [2, FIRST, STOP, STOP - FIRST]
    assert added["scale"] == 0.5
    result = clip.with_name("moving clip.vedit_v001.mp4")
    assert Path(added["file"]) == result
    from vedit.media.reading.read import open_video

    with open_video(result) as reader:
        assert len(reader.index()) == STOP - FIRST + 2 * HANDLES
    distances = {int(shift): value for shift, value in told["distances"].items()}
    assert min(distances, key=lambda shift: distances[shift]) == 0, distances
    assert distances[0] < 0.5 * min(distances[-1], distances[1]), distances


@pytest.mark.slow
def test_blender_shows_what_vedit_says(blender: str, home: Path, clip: Path) -> None:
    told = run(blender, home, clip, prompt="ink", model="no-such-model")
    assert told["answer"] == []
    assert "no-such-model" in told["error"]
    assert set(told["strips"]) == {"source", "title"}


class Strips(list[Any]):
    """A collection of strips, as far as the add-on uses Blender's."""

    def get(self, name: str) -> Any:
        return next((strip for strip in self if strip.name == name), None)

    def new_movie(self, *, name: str, filepath: str, channel: int, frame_start: int) -> Any:
        made = movie(name=name, filepath=filepath, channel=channel, frame_start=frame_start)
        self.append(made)
        return made


def movie(**values: Any) -> Any:
    """A movie strip of 48 frames at frame 101, of which 5 are cut off, showing 110..114."""
    known: dict[str, Any] = {
        "name": "source",
        "type": "MOVIE",
        "channel": 1,
        "fps": 24.0,
        "frame_start": 101.0,
        "frame_duration": 40,
        "frame_final_start": FIRST,
        "frame_final_end": STOP,
        "animation_offset_start": 5,
        "animation_offset_end": 3,
        "use_reverse_frames": False,
        "blend_alpha": 0.25,
    }
    return SimpleNamespace(**{**known, **values})


@pytest.fixture(params=["strips", "sequences"])
def editor(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[SimpleNamespace]:
    """A sequence editor under the newer and the older name; the add-on is imported over a stand-in for bpy."""
    found = SimpleNamespace(**{request.param: Strips(), f"{request.param}_all": Strips(), "own": request.param})
    scene = SimpleNamespace(name="Scene", sequence_editor=found, render=SimpleNamespace(fps=24, fps_base=1.0))
    found.scene = scene
    module: Any = types.ModuleType("bpy")
    module.types = SimpleNamespace(**dict.fromkeys(("PropertyGroup", "AddonPreferences", "Operator", "Panel"), object))
    kinds = ("StringProperty", "IntProperty", "FloatProperty", "EnumProperty")
    module.props = SimpleNamespace(**dict.fromkeys(kinds, dict))
    module.path = SimpleNamespace(abspath=lambda path: path.replace("//", f"{request.node.name}/"), relpath=str)  # type: ignore[misc]
    module.data = SimpleNamespace(scenes={"Scene": scene})
    monkeypatch.setitem(sys.modules, "bpy", module)
    sys.modules.pop("vedit.nle_hosts.blender", None)
    found.addon = import_module("vedit.nle_hosts.blender")
    yield found
    sys.modules.pop("vedit.nle_hosts.blender", None)


def put(editor: SimpleNamespace, *strips: Any) -> None:
    """Strips on the top level."""
    getattr(editor, editor.own).extend(strips)
    getattr(editor, f"{editor.own}_all").extend(strips)


def test_the_piece_and_its_place(editor: SimpleNamespace, tmp_path: Path) -> None:
    source = tmp_path / "a.mov"
    source.touch()
    strip = movie(filepath=str(source))
    put(editor, strip, movie(name="b", channel=2, frame_final_start=0, frame_final_end=109))
    piece = editor.addon.plan_piece(editor.scene, strip, handles=HANDLES)
    assert (piece.frames, piece.source, piece.relative) == ((12, 20), source, False)
    added = editor.addon.add_result(piece, tmp_path / "out.mov", "ink")
    assert (added.frame_start, added.frame_final_start, added.frame_final_end) == (108, FIRST, STOP)
    assert (added.channel, added.blend_alpha) == (3, 0.25), "the handles would overlap the strip in channel 2"
    assert getattr(editor, editor.own)[-1] is added


def test_handles_end_with_the_file_and_stills_are_not_rendered(editor: SimpleNamespace, tmp_path: Path) -> None:
    source = tmp_path / "a.mov"
    source.touch()
    strip = movie(filepath=str(source), frame_final_start=90, frame_final_end=150)
    assert editor.addon.plan_piece(editor.scene, strip, handles=8).frames == (0, 48)
    assert editor.addon.plan_piece(editor.scene, strip, handles=0).frames == (5, 45)


def test_a_strip_in_a_meta_strip_stays_in_it(editor: SimpleNamespace, tmp_path: Path) -> None:
    source = tmp_path / "a.mov"
    source.touch()
    strip = movie(filepath=str(source))
    inner = SimpleNamespace(name="meta", type="META", channel=1, **{editor.own: Strips([strip])})
    getattr(editor, f"{editor.own}_all").extend([inner, strip])
    piece = editor.addon.plan_piece(editor.scene, strip, handles=0)
    added = editor.addon.add_result(piece, tmp_path / "out.mov", "ink")
    assert getattr(inner, editor.own) == [strip, added]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"type": "SOUND"}, "select a movie strip"),
        ({"filepath": "/nowhere/a.mov"}, "its file is not there"),
        ({"fps": 25.0}, "runs at 25 frames/s in a scene of 24"),
        ({"speed_factor": 2.0}, "retimed"),
        ({"retiming_keys": [1, 2]}, "retimed"),
        ({"use_reverse_frames": True}, "backwards"),
        ({"frame_final_start": 150, "frame_final_end": 160}, "shows no frame"),
    ],
)
def test_strips_that_cannot_be_restyled(
    editor: SimpleNamespace, tmp_path: Path, values: dict[str, Any], message: str
) -> None:
    source = tmp_path / "a.mov"
    source.touch()
    with pytest.raises(HostError, match=message):
        editor.addon.plan_piece(editor.scene, movie(**{"filepath": str(source), **values}), handles=0)


def test_a_strip_that_is_gone_and_channels_that_are_full(editor: SimpleNamespace, tmp_path: Path) -> None:
    source = tmp_path / "a.mov"
    source.touch()
    strip = movie(filepath=str(source))
    piece = editor.addon.plan_piece(editor.scene, strip, handles=0)
    with pytest.raises(HostError, match="is gone; the result is"):
        editor.addon.add_result(piece, tmp_path / "out.mov", "ink")
    put(editor, strip, *(movie(name=str(number), channel=number) for number in range(2, 129)))
    with pytest.raises(HostError, match="every channel"):
        editor.addon.add_result(piece, tmp_path / "out.mov", "ink")


def test_names_keep_the_seed(editor: SimpleNamespace) -> None:
    assert editor.addon.strip_name(" ink ", 3) == "ink [seed 3]"
    name = editor.addon.strip_name("é" * 200, 2**31 - 1)
    assert name.endswith("é [seed 2147483647]")
    assert len(name.encode()) <= 63


class Window:
    """Blender's window and its manager, as far as an operator uses them."""

    def __init__(self) -> None:
        self.timers = 0

    def event_timer_add(self, _seconds: float, *, window: object) -> int:
        self.timers += 1
        return self.timers

    def event_timer_remove(self, timer: int) -> None:
        self.timers -= 1

    def modal_handler_add(self, operator: object) -> None:
        """It is asked at each event."""


class Render:
    """A run of vedit that ends when it is told to."""

    def __init__(self) -> None:
        self.running, self.stopped, self.error = True, False, ""

    def events(self) -> list[dict[str, Any]]:
        return [{"event": "progress", "stage": "sample", "done": 3, "total": 8}]

    def stop(self) -> None:
        self.stopped = True

    def result(self) -> dict[str, Any]:
        if self.error:
            raise HostError(self.error)
        return {}


@pytest.mark.parametrize("error", ["", "no room"])
def test_with_a_window_the_render_runs_beside(
    editor: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: str
) -> None:
    source = tmp_path / "a.mov"
    source.touch()
    strip = movie(filepath=str(source))
    put(editor, strip)
    editor.active_strip = strip
    render, words, told = Render(), list[list[str]](), list[tuple[set[str], str]]()
    monkeypatch.setattr(editor.addon, "Run", lambda given: words.append(given) or render)  # pyright: ignore[reportUnknownLambdaType]
    monkeypatch.setattr(editor.addon, "find_vedit", lambda folders, setting: f"vedit{setting}")  # pyright: ignore[reportUnknownLambdaType]
    settings = {"prompt": "ink", "seed": 3, "strength": 1.0, "quality": "draft", "model": "embedded", "handles": 0}
    settings["variation"] = 0.0
    editor.scene.vedit = SimpleNamespace(**settings, status="")
    window = Window()
    context = SimpleNamespace(scene=editor.scene, window_manager=window, window=window, screen=None)
    context.preferences = SimpleNamespace(addons={})
    kind = editor.addon.RestyleStrip
    operator = kind()

    def report(level: set[str], text: str) -> None:
        told.append((level, text))

    operator.report = report
    assert kind.poll(context)
    assert operator.invoke(context, None) == {"RUNNING_MODAL"}
    assert not kind.poll(context), "one at a time"
    assert {"--quality=draft", "--seed=3"} < set(words[0])
    assert not any("--variation" in word for word in words[0]), "0 leaves it to the look"
    assert operator.modal(context, SimpleNamespace(type="MOUSEMOVE")) == {"PASS_THROUGH"}
    assert operator.modal(context, SimpleNamespace(type="TIMER")) == {"PASS_THROUGH"}
    assert editor.scene.vedit.status == "sample 3/8"
    editor.addon.StopRestyle().execute(context)
    assert render.stopped
    render.running, render.error = False, error
    ended = operator.modal(context, SimpleNamespace(type="TIMER"))
    assert (ended, told[-1][0]) == (({"CANCELLED"}, {"ERROR"}) if error else ({"FINISHED"}, {"INFO"}))
    assert len(getattr(editor, editor.own)) == (1 if error else 2)
    assert (window.timers, editor.scene.vedit.status, kind.current) == (0, "", None)
    assert kind.poll(context)
