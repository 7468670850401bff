"""The page of a report: what it says, in which order, in one file, and how large that is."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

import vedit
from tests.support.clips import lossless
from tests.support.page import Page
from tests.support.plain_metrics import moving, plain_metrics
from vedit.cli import main
from vedit.evaluation.page.page import page_of
from vedit.evaluation.page.stills import HEAT_BYTES, PROFILE_BYTES, STILL_BYTES, gather
from vedit.evaluation.page.tables import summary
from vedit.evaluation.report import Report, Verdict
from vedit.evaluation.requirements import Outcome
from vedit.media.contract.report import Check, ContractReport

FRAMES, WORST = 20, 13


@pytest.fixture(scope="module", autouse=True)
def metrics() -> Iterator[None]:
    with plain_metrics():
        yield


def results(folder: Path) -> tuple[Path, Path, Path]:
    """A clip; a result that is 10 levels brighter, and 90 in a corner of one frame; and a shorter, darker one."""
    frames = moving(FRAMES)
    brighter = [frame + 10 for frame in frames]
    brighter[WORST][:18, :24] += 80
    darker = [cv2.resize(frame - 30, (64, 48), interpolation=cv2.INTER_AREA) for frame in frames[:15]]
    return (
        lossless(folder / "clip.mkv", frames),
        lossless(folder / "bright.mkv", brighter),
        lossless(folder / "dark.mkv", [np.asarray(frame, np.uint8) for frame in darker]),
    )


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    return results(tmp_path_factory.mktemp("clips"))


@pytest.fixture(scope="module")
def report(clips: tuple[Path, Path, Path]) -> Report:
    return vedit.evaluate(clips[0], clips[1], require=["difference<5", "alike>0.5", "contract"], short_side=72)


@pytest.fixture(scope="module")
def compared(clips: tuple[Path, Path, Path]) -> tuple[Report, ...]:
    return vedit.compare(clips[0], {"bright": clips[1], "dark": clips[2]}, quick=True)


def data_of(page: Page) -> dict[str, Any]:
    return json.loads(page.texts["script"][0])


def decoded(data: bytes) -> np.ndarray[Any, Any]:
    return np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR))


def test_the_page_holds_everything_itself(report: Report) -> None:
    data = page_of([report])
    page = Page(data)
    held, script = page.texts["script"]
    (policy,) = page.all("meta", **{"http-equiv": "Content-Security-Policy"})
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert policy["content"] == (
        f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    )
    addresses = [one for pictures in json.loads(held)["pictures"] for one in pictures]
    addresses += [img["src"] for img in page.all("img") if "src" in img]
    assert addresses and all(one.startswith("data:image/webp;base64,") for one in addresses)
    without = re.sub(rb"base64,[\w+/=]+", b"", data)
    assert not re.search(rb"(https?:)?//\w|@import|url\(|\bimport\(|fetch\(|XMLHttp", without)
    assert not [name for _, found in page.tags for name in found if name.startswith("on") or name == "srcset"]
    assert all(found["href"].startswith("#") for found in page.all("a"))


def test_verdicts_come_first_and_the_recipe_last(report: Report) -> None:
    told = replace(
        report,
        verdicts=(
            Verdict(subject="motion", level="good", text="It moves as it should.", figures=("alike",)),
            Verdict(subject="camera", level="bad", text="It shakes.", figures=("difference",)),
            Verdict(subject="grain", level="unknown", text="Nobody knows."),
        ),
        required=(),
        notes=("a note",),
        recipe={"prompt": "woodcut", "weights": {"model": "5a22abd9"}, "seed": 0, "fast": {"steps": [1, 2]}},
    )
    page = Page(page_of([told]))
    assert page.texts["h2"] == [
        "Verdicts",
        "Timing, sound and metadata",
        "Pictures",
        "Where it is worst",
        "Over time",
        "Lines of pixels over time",
        "All figures",
        "Notes",
        "How it was made",
    ]
    words = "".join(page.texts["main"])
    assert "Look at this before you use it: camera." in words
    places = [words.index(text) for text in ("Bad Camera. It shakes.", "Good Motion. It moves", "Not known Grain.")]
    assert places == sorted(places)
    assert {"#figure-difference", "#figure-alike"} == {found["href"] for found in page.all("a")}
    assert {"figure-difference", "figure-alike"} <= {found.get("id") for found in page.all("tr")}
    places = [words.index(text) for text in ("woodcut", "fast.steps", "1, 2", "SHA-256", "5a22abd9")]
    assert places == sorted(places)


@pytest.mark.parametrize(
    ("levels", "sentence"),
    [
        (("good", "good"), "Nothing stands out: what was judged is good."),
        (("fair", "good"), "Usable; have a look at a."),
        (("fair", "fair"), "Usable; have a look at a and b."),
        (("bad", "fair"), "Look at this before you use it: a."),
        (("unknown", "unknown"), "There is no verdict: see the figures."),
    ],
)
def test_what_to_do_is_said_on_top(report: Report, levels: tuple[Any, Any], sentence: str) -> None:
    verdicts = tuple(Verdict(subject=s, level=level, text="x") for s, level in zip("ab", levels, strict=True))
    bare = replace(report, verdicts=verdicts, required=(), figures={})
    assert summary(bare)[1] == sentence
    met, unmet = (Outcome(requirement="x<1", met=met, found="1") for met in (True, False))
    assert summary(replace(bare, required=(met,)))[1] == f"Everything that was required is met. {sentence}"
    refused = "Not accepted: the requirement is not met."
    bad = " What is bad: a." if "bad" in levels else ""
    assert summary(replace(bare, required=(unmet,))) == ("bad", refused + bad)


def test_what_is_broken_or_not_met_is_on_top(report: Report) -> None:
    checks = tuple(Check(name=n, expected="1", found="2" if n == "b" else "1", ok=n != "b") for n in "abc")
    page = Page(page_of([replace(report, contract=ContractReport(checks=checks, notes=("left out",)))]))
    words = "".join(page.texts["main"])
    assert "1 of 3 do not hold." in words and "left out" in words
    assert page.texts["th"].index("b") < page.texts["th"].index("a")
    # The colours of the result are tagged otherwise, so that the contract does not hold.
    assert "Not accepted: 2 of 3 requirements are not met." in words
    asked = [text for text in page.texts["code"] if text in ("difference<5", "alike>0.5", "contract")]
    assert asked == ["difference<5", "contract", "alike>0.5"]
    met = [text for text in page.texts["span"] if text in ("met", "not met")]
    assert met == ["not met", "not met", "met"]


def test_every_figure_is_told_with_what_it_stands_beside(report: Report) -> None:
    page = Page(page_of([report]))
    table = next(n for n, found in enumerate(page.all("table")) if found.get("class") == "numbers")
    words = page.texts["table"][table]
    for told in (
        "Difference from the source",
        "levels",
        "difference exactly",
        "of luma over all pixels and frames",
        "lower",
    ):
        assert told in words
    assert "Nobody, 'On <Nothing>', 2001" in words and "The source against itself gives 0." in words
    # 10 levels everywhere, and 80 more in a 16th of one frame of 20: 10.25
    assert "10.25" in words and report.figures["difference"].value == pytest.approx(10.25, abs=0.01)
    heads = {found["data-head"] for found in page.all("td")}
    assert {"Result", "Source itself", "Source re-encoded", "Better"} <= heads
    assert "1 figure not measured, and why" in page.texts["summary"]
    assert "nothing <moves> here" in "".join(page.texts["details"])


def test_the_worst_frames_are_among_the_pictures(report: Report) -> None:
    pictures = gather([report])
    assert [one.frame for one in pictures.stills] == list(range(FRAMES))  # so short a clip is shown in full
    page = Page(page_of([report]))
    buttons = page.all("button", **{"class": "seek"})
    assert buttons[0]["data-frame"] == str(WORST) and len(buttons) == 6  # three of each of two figures
    told = [text for text in page.texts["button"] if f"frame {WORST}, 0.54\xa0s" in text]
    assert told[0].endswith("15.000 levels, source 0.000")  # 10 + 80 / 16


def test_a_heat_map_shows_where(report: Report) -> None:
    data = gather([report]).heats["difference", WORST]
    heat = decoded(data).astype(np.float32)
    assert heat.shape == (72, 96, 3)
    colour = np.ptp(heat, axis=2)  # grey is where nothing is
    assert heat[2:14, 2:20].mean() > 180 and colour[30:, 40:].mean() > 5  # 10 levels are seen, dimly
    assert heat[2:14, 2:20].mean() > 2 * heat[30:, 40:].mean()
    assert {name for name, _ in gather([report]).heats} == {"difference"}  # the other cannot say where


def test_results_side_by_side(compared: tuple[Report, ...]) -> None:
    page = Page(page_of(compared))
    words = "".join(page.texts["main"])
    assert "bright is best in 2 of 2: difference from the source; alike." in words
    assert "dark is best in none of 2." in words
    assert page.texts["span"].count("best") == 2
    assert [found["data-of"] for found in page.all("img") if "data-of" in found] == ["0", "1", "2"]
    assert page.texts["option"] == ["source", "bright", "dark"] * 2
    data = data_of(page)
    assert data["frames"][0] == 0 and data["frames"][-1] == FRAMES - 1
    shown = dict(zip(data["frames"], data["pictures"], strict=True))
    assert all((one[2] is None) == (frame >= 15) for frame, one in shown.items())  # it ends before
    assert all(one[0] and one[1] for one in shown.values())
    assert "64x48 pixels, the source has 96x72: scaled to it" in words
    assert page.all("polyline", **{"data-name": "dark"}) and page.all("polyline", **{"data-name": "source itself"})


def test_several_that_end_early_are_shown_as_far_as_they_go(clips: tuple[Path, Path, Path]) -> None:
    pair = vedit.compare(clips[0], {"a": clips[2], "b": clips[2]}, quick=True)
    page = Page(page_of(pair))
    assert data_of(page)["frames"] == list(range(15))
    assert {svg["data-last"] for svg in page.all("svg")} == {"14"}
    assert "a: no figure tells it from the others." in "".join(page.texts["main"])


def test_pictures_stay_within_two_megabytes(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    noise = [rng.integers(0, 256, (180, 320, 3), np.uint8) for _ in range(40)]
    source = lossless(tmp_path / "in.mkv", noise[:20])
    one = vedit.evaluate(source, lossless(tmp_path / "out.mkv", noise[20:]), quick=True, short_side=64)
    assert STILL_BYTES + HEAT_BYTES + PROFILE_BYTES <= 2_000_000
    page = Page(page_of([one]))
    stills = [address for pictures in data_of(page)["pictures"] for address in pictures]
    others = [img["src"] for img in page.all("img") if "src" in img]
    assert len(stills) == 40 and sum(map(len, stills)) > STILL_BYTES / 3
    assert sum(map(len, [*stills, *others])) <= 2_000_000


def test_lines_over_time(compared: tuple[Report, ...]) -> None:
    over = gather(compared).over_time
    assert [one.label for one in over] == ["bright", "dark"]
    sizes = [decoded(one.row).shape for one in over]
    assert sizes == [(2 * 96 + 4, FRAMES, 3), (2 * 96 + 4, 15, 3)]  # the width twice, and a gap
    page = Page(page_of(compared))
    assert "Lines of pixels over time" in page.texts["h2"]
    assert [text for text in page.texts["figcaption"] if text.startswith("A ")] == [
        "A row of bright",
        "A column of bright",
        "A row of dark",
        "A column of dark",
    ]


def test_a_single_frame(tmp_path: Path) -> None:
    (frame,) = moving(1)
    still = vedit.evaluate(lossless(tmp_path / "a.mkv", [frame]), lossless(tmp_path / "b.mkv", [frame + 9]), quick=True)
    page = Page(page_of([still]))
    assert data_of(page)["frames"] == [0] and page.all("input", id="scrub")[0]["max"] == "0"
    assert [found["data-frame"] for found in page.all("button", **{"class": "seek"})] == ["0", "0"]


def test_nothing_is_worst_where_nothing_differs(clips: tuple[Path, Path, Path]) -> None:
    page = Page(page_of([vedit.evaluate(clips[0], clips[0], quick=True)]))
    assert "No frame is worse than the source's own, by any figure." in page.texts["p"]
    assert not page.all("button", **{"class": "seek"})


def test_by_command(clips: tuple[Path, Path, Path], tmp_path: Path) -> None:
    source, bright, dark = map(str, clips)
    one, two = tmp_path / "one.html", tmp_path / "two.html"
    assert main(["evaluate", source, bright, "--quick", "--html", str(one)], standalone_mode=False) == 0
    assert Page(one.read_bytes()).texts["h1"] == ["bright.mkv beside its source"]
    words = ["compare", source, bright, dark, "--quick", "--labels", "a,b", "--html", str(two)]
    assert main([*words, "--require", "difference<5"], standalone_mode=False) == 3
    assert Page(two.read_bytes()).texts["h1"] == ["2 results of clip.mkv"]
