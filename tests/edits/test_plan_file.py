"""Plan files: what is written, what is understood, what is refused, and that a render does what the plan says."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from tests.support.clips import CUT, FRAMES, picture, two_shots
from tests.support.recording import shots_sampled
from vedit.cli import main
from vedit.edits.plan_file import ResolvedPlan, plan_request, read_plan, resolve_plan
from vedit.edits.plan_schema import TOP, plan_schema
from vedit.errors import InputError
from vedit.media.contract.verify import verify
from vedit.media.reading.read import open_video
from vedit.options.look_schema import LOOK
from vedit.options.request import RestyleOptions
from vedit.types import ControlSpec, FrameRange

SHOTS = """
[[shot]]
number = 1
frames = "#0..#3"
[[shot]]
number = 2
frames = "#3..#6"
[[shot]]
number = 3
frames = "#6..#10"
"""
QUICK = 'prompt = "watercolor painting"\nquality = "draft"\nsteps = 2\nwindow = 4\noverlap = 1\n'


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("plan")
    two_shots(found / "in.mov")
    return found


def vedit(*words: object) -> int:
    return main([str(word) for word in words], standalone_mode=False)


def resolved(folder: Path, text: str, clip: str = "in.mov", **settings: Any) -> ResolvedPlan:
    path = folder / "some.toml"
    path.write_text(f'source = "{clip}"\n{text}', "utf-8")
    plan = read_plan(path, **settings)
    with open_video(plan.source) as reader:
        return resolve_plan(plan, reader)


def prompts(plan: ResolvedPlan) -> dict[int, str]:
    return {number: look.prompt for number, look in plan.looks.items()}


def pixels(path: Path) -> Any:
    with open_video(path) as reader:
        return reader.read(FrameRange(start=0, stop=len(reader.index()))).frames


def test_a_written_plan_is_read_again(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plan = folder / "written.toml"
    assert vedit("plan", folder / "in.mov", "-o", plan, "--prompt", 'a "big" night') == 0
    assert capsys.readouterr().out == f"{plan}: 2 shots\n"
    text = plan.read_text()
    assert tomllib.loads(text)["default"] == {"prompt": 'a "big" night'}
    for line in text.splitlines():
        assert len(line) < 140
    # Every setting that is commented out is one that the reader takes.
    offered = {match[1] for match in re.finditer(r"^# (\w+) = ", text, re.M)}
    assert {"strength", "untouched", "locked", "shots"} < offered < {*LOOK, *TOP, "shots", "untouched", "locked"}
    assert "# written.thumbnails/shot_002.png" in text
    assert sorted(path.name for path in (folder / "written.thumbnails").iterdir()) == ["shot_001.png", "shot_002.png"]
    found = read_plan(plan)
    assert found.source == folder / "in.mov"
    with open_video(found.source) as reader:
        made = resolve_plan(found, reader)
    assert [(shot.frames.start, shot.frames.stop) for shot in made.shots] == [(0, CUT), (CUT, FRAMES)]
    assert made.looks == {1: RestyleOptions(prompt='a "big" night'), 2: RestyleOptions(prompt='a "big" night')}
    assert vedit("plan", folder / "in.mov", "-o", plan) == 2, "a plan may be hours of work"


def test_names_of_any_kind_leave_the_plan_readable(tmp_path: Path) -> None:
    titles = [f"{n}: a chapter of a name that does not end" for n in range(8)]
    name = f"Zoë's \n[[shot]] take, a clip \x7f of the second unit {'in the evening ' * 6}.mkv"
    with av.open(str(tmp_path / "in.mkv"), "w") as container:
        video = container.add_stream("libx264", rate=10)
        video.width, video.height, video.pix_fmt = 176, 144, "yuv420p"
        base = Fraction(1, 1000)
        container.set_chapters(
            [
                {
                    "id": n,
                    "start": n * 100,
                    "end": n * 100 + 100,
                    "time_base": base,
                    "metadata": {"title": title},
                }
                for n, title in enumerate(titles)
            ]
        )
        for t in range(10):
            container.mux(video.encode(av.VideoFrame.from_ndarray(picture(t), format="rgb24")))
        container.mux(video.encode(None))
    clip = (tmp_path / "in.mkv").rename(tmp_path / name)
    plan = tmp_path / "plan.toml"
    assert vedit("plan", clip, "-o", plan) == 0
    text = plan.read_text("utf-8")
    (long,) = (line for line in text.splitlines() if len(line) > 120)
    assert long.startswith("source = "), "the clip's name itself is never broken"
    assert text.splitlines()[0].startswith("# A plan for Zoë's ?[[shot]] take, a clip ? of")
    assert tomllib.loads(text)["source"] == name
    found = read_plan(plan)
    assert found.source == clip and len(found.shots) == 2
    for title in titles:
        assert f'# marker = "{title}"' in text.splitlines()


def test_a_plan_in_another_folder_says_so(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plan = tmp_path / "plan.toml"
    assert vedit("plan", folder / "in.mov", "-o", plan, "--no-thumbnails") == 0
    assert (
        "note: in.mov is outside the folder of plan.toml: 'vedit edit' asks for --allow-outside"
        in capsys.readouterr().err
    )
    assert vedit("edit", plan, "--dry-run") == 2
    assert vedit("edit", plan, "--dry-run", "--allow-outside") == 0
    assert [path.name for path in tmp_path.iterdir()] == ["plan.toml"]


def test_what_is_said_last_and_nearest_holds(folder: Path) -> None:
    edits = """
[default]
prompt = "night"
strength = 1
controls = ["tile:0.5"]
[[edit]]
shots = [1, 2]
prompt = "comic"
[[edit]]
range = "#2..#6"
strength = 0.5
[[shot]]
number = 1
frames = "#0..#3"
[[shot]]
number = 2
frames = "0.125..0.25"
prompt = "ink drawing"
[[shot]]
number = 3
frames = "01:00:00:06.."
"""
    plan = resolved(folder, edits)
    assert prompts(plan) == {1: "comic", 2: "ink drawing", 3: "night"}
    assert {number: look.strength for number, look in plan.looks.items()} == {1: 1.0, 2: 0.5, 3: 1.0}
    assert {look.controls for look in plan.looks.values()} == {(ControlSpec(kind="tile", scale=0.5),)}


def test_shots_without_a_prompt_or_untouched_have_no_look(folder: Path) -> None:
    assert resolved(folder, SHOTS).looks == {}
    text = (
        '[default]\nprompt = "night"\n[[edit]]\nshots = [2]\nuntouched = true\n'
        + SHOTS
        + 'prompt = "comic"\nlocked = true'
    )
    plan = resolved(folder, text)
    assert prompts(plan) == {1: "night", 3: "comic"}
    assert plan.locked == {3}


def test_masks_and_regions_are_the_plan_s_own_files(folder: Path) -> None:
    (folder / "mask.png").touch()
    text = '[default]\nprompt = "night"\nmask = "mask.png@#2"\nfeather = 3\nregions = ["mask.png=bronze"]\n' + SHOTS
    look = resolved(folder, text).looks[1]
    assert look.mask is not None
    assert (look.mask.files[0].path, look.mask.files[0].at, look.mask.feather) == (folder / "mask.png", "#2", 3.0)
    assert look.regions[0].mask.files[0].path == folder / "mask.png"
    assert look.regions[0].prompt == "bronze"


def test_markers_are_the_source_s_chapters(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "chapters.mkv"), "w") as container:
        video = container.add_stream("libx264", rate=10)
        video.width, video.height, video.pix_fmt = 176, 144, "yuv420p"
        base = Fraction(1, 1000)
        titles = (("Intro", 0, 300), ("The Chase", 300, 1000))
        container.set_chapters(
            [
                {"id": n, "start": start, "end": end, "time_base": base, "metadata": {"title": title}}
                for n, (title, start, end) in enumerate(titles, start=1)
            ]
        )
        for t in range(10):
            container.mux(video.encode(av.VideoFrame.from_ndarray(picture(t), format="rgb24")))
        container.mux(video.encode(None))
    edit = '[[edit]]\nmarker = "the chase"\nprompt = "comic"\n'
    assert prompts(resolved(tmp_path, edit + SHOTS, "chapters.mkv")) == {2: "comic", 3: "comic"}
    with pytest.raises(InputError, match="no chapter 'The End'; it has 'Intro', 'The Chase'"):
        resolved(tmp_path, edit.replace("the chase", "The End") + SHOTS, "chapters.mkv")
    with pytest.raises(InputError, match=r"no chapter 'the chas'; did you mean 'The Chase'\? it has 'Intro'"):
        resolved(tmp_path, edit.replace("the chase", "the chas") + SHOTS, "chapters.mkv")


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("[default]\npromt = 'night'\n" + SHOTS, r"\[default\]: there is no key 'promt'; the nearest is 'prompt'"),
        ("defaults = 1\n" + SHOTS, "no key 'defaults'; the nearest is 'default'"),
        (SHOTS + "strenght = 1\n", r"\[\[shot\]\] 3: there is no key 'strenght'; the nearest is 'strength'"),
        ("[default]\nstrength = 1.5\n" + SHOTS, "strength lies between 0 and 1"),
        ("[default]\nstrength = nan\n" + SHOTS, "strength lies between 0 and 1"),
        ("[default]\nseed = true\n" + SHOTS, "seed is a whole number"),
        ("[default]\nquality = 'best'\n" + SHOTS, "quality is one of draft, standard, high$"),
        ("[default]\nquality = 'standrd'\n" + SHOTS, r"draft, standard, high: did you mean 'standard'\?$"),
        ("[default]\ncontrols = 3\n" + SHOTS, "controls is a text or a list of texts"),
        ("[default]\nprompt = 'x'\ncontrols = ['edges']\n" + SHOTS, "shot 1, controls: .*edges"),
        ("[default]\nprompt = 'x'\nfrom = ['tile=../t.mp4']\n" + SHOTS, "shot 1, from: .* outside its folder"),
        ("[default]\nprompt = 'x'\nkeep = 'faces'\ncontrols = 'tile'\n" + SHOTS, "keep and controls exclude"),
        ("[default]\nprompt = 'x'\nmask = '../mask.png'\n" + SHOTS, "outside its folder; move some.toml, or allow it"),
        ("output = '/tmp/out.mp4'\n" + SHOTS, None),
        ("[[edit]]\nprompt = 'x'\n" + SHOTS, "names its shots 0 times"),
        ("[[edit]]\nshots = [4]\n" + SHOTS, "there is no shot 4; the last is 3"),
        ("[[edit]]\nrange = '#0..#1'\n" + SHOTS, "no shot lies in '#0..#1'"),
        ("[[edit]]\nmarker = 'x'\n" + SHOTS, "no chapter 'x'; it has none"),
        (SHOTS.replace("number = 2", "number = 5"), r"numbered \[1, 5, 3\]"),
        ("", "has no shots"),
        ("[[shot]\n", "is no TOML"),
    ],
)
def test_faults_are_named(folder: Path, text: str, part: str | None) -> None:
    if part is None:
        resolved(folder, text)  # what is only named is refused where it is used
        with pytest.raises(InputError, match="outside its folder"):
            _ = read_plan(folder / "some.toml").output
        assert read_plan(folder / "some.toml", anywhere=True).output == Path("/tmp/out.mp4")
        return
    with pytest.raises(InputError, match=part):
        resolved(folder, text)


def test_a_look_s_own_way_of_keeping_hides_the_other(folder: Path) -> None:
    text = '[default]\nprompt = "x"\nkeep = "faces"\n' + SHOTS + 'controls = "tile"\n'
    looks = resolved(folder, text).looks
    assert (looks[1].keep, looks[3].keep, looks[3].controls) == ("faces", None, (ControlSpec(kind="tile"),))
    text = '[default]\nprompt = "x"\ncontrols = "tile"\n' + SHOTS + 'keep = "faces"\n'
    looks = resolved(folder, text).looks
    assert (looks[1].keep, looks[3].keep) == (None, "faces")


def test_control_videos_and_masks_may_be_written_as_in_looks_files(folder: Path) -> None:
    text = '[default]\nprompt = "x"\nfrom = "softedge=e.mp4"\nmask = { box = "0,0,9,9", feather = 2 }\n' + SHOTS
    look = resolved(folder, text).looks[2]
    assert look.controls[1] == ControlSpec(kind="softedge", source=folder / "e.mp4")
    assert look.mask is not None and (len(look.mask.boxes), look.mask.feather) == (1, 2.0)
    assert look.files == (folder / "e.mp4",)


@pytest.mark.parametrize(
    ("model", "found"),
    [
        ("embedded", "embedded"),
        ("sd15", "sd15"),
        ("owner/name-1.5@main", "owner/name-1.5@main"),
        ("models/mine", "{folder}/models/mine"),
        ("./models/mine", "{folder}/models/mine"),
        ("weights.safetensors", "{folder}/weights.safetensors"),
        ("models/../../mine", None),
        ("/anywhere/mine.safetensors", None),
        ("only/here", None),
    ],
)
def test_a_model_is_a_name_or_a_file_of_the_plan(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: str, found: str | None
) -> None:
    folder, here = tmp_path / "plans", tmp_path / "here"
    for path in (folder / "models" / "mine", folder / "embedded", here / "only" / "here", here / "models" / "mine"):
        path.mkdir(parents=True)
    monkeypatch.chdir(here)
    two_shots(folder / "in.mov")
    plan = resolved(folder, f'model = "{model}"\n' + SHOTS)
    read = read_plan(folder / "some.toml")
    if found is None:
        with pytest.raises(InputError, match=r"some.toml names .*(outside its folder|not in its folder)"):
            plan_request(read, plan)
        return
    assert plan_request(read, plan).model == found.format(folder=folder)


def test_a_model_may_lie_elsewhere_where_that_is_allowed(folder: Path) -> None:
    plan = resolved(folder, 'model = "/anywhere/mine.safetensors"\n' + SHOTS)
    read = read_plan(folder / "some.toml", anywhere=True)
    assert plan_request(read, plan).model == "/anywhere/mine.safetensors"


def test_the_schema_that_ships_is_that_of_the_reader(capsys: pytest.CaptureFixture[str]) -> None:
    import vedit as package

    shipped = json.loads((Path(package.__file__).parent / "plan.schema.json").read_text("utf-8"))
    assert shipped == plan_schema(), "write it anew: vedit plan --schema > vedit/plan.schema.json"
    assert vedit("plan", "--schema") == 0
    assert json.loads(capsys.readouterr().out) == shipped


@pytest.fixture
def sampled() -> Iterator[list[int]]:
    """The first frames of the shots that were sampled, in order."""
    with shots_sampled() as seen:
        yield seen


@pytest.mark.usefixtures("small")
def test_editing_renders_what_changed_and_nothing_else(
    folder: Path, tmp_path: Path, sampled: list[int], capsys: pytest.CaptureFixture[str]
) -> None:
    plan = folder / "plan.toml"
    text = f'source = "in.mov"\noutput = "out.mov"\n[default]\n{QUICK}{SHOTS}untouched = true\n'
    plan.write_text(text)
    assert vedit("edit", plan, "--dry-run") == 0
    assert "shots 1, 2: watercolor painting, strength 1" in capsys.readouterr().out
    assert vedit("edit", plan, "--preview", "stills", "-q") == 0
    assert (folder / "out.preview.png").is_file()
    sampled.clear()
    assert vedit("edit", plan, "--json", "--preset", "archive") == 0
    out, err = capsys.readouterr()
    assert json.loads(out[out.index("{") :])["contract"]["ok"] is True
    assert "note: 1 of 3 shots have no look and pass through" in err
    assert sampled == [0, 3]
    assert verify(folder / "in.mov", folder / "out.mov").ok
    first = pixels(folder / "out.mov").astype(int)
    sampled.clear()
    plan.write_text(text.replace('frames = "#3..#6"', 'frames = "#3..#6"\nprompt = "comic"'))
    assert vedit("edit", plan, "-q", "--preset", "archive") == 0, "its own result is replaced"
    assert sampled == [3]
    second = pixels(folder / "out.mov").astype(int)
    change = np.abs(second - first).mean(axis=(1, 2, 3))
    assert change[3:6].min() > 1
    assert change[:3].max() == change[6:].max() == 0, "the codec is lossless"
    assert vedit("edit", plan, "--preview", "draft", "-q", "--no-keep") == 0
    assert (folder / "out.draft.mov").is_file()
    other = folder / "other.mov"
    other.write_bytes(b"")
    assert vedit("edit", plan, "-o", other) == 2, "a file that is not its own is not"
