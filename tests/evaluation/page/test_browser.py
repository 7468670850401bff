"""The page in a browser: what is clicked leads where it says, nothing is asked for, and no error is told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import vedit
from tests.support.chromium import CHROMIUM, Browser
from tests.support.clips import lossless
from tests.support.plain_metrics import moving, plain_metrics
from vedit.evaluation.page.page import page_of
from vedit.evaluation.report import Report

FRAMES, WORST, RATE = 64, 41, 24000 / 1001
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium; VEDIT_CHROMIUM names one")

SHOWN = "document.getElementById('where').textContent"
GREY = """(async (id) => {
  const image = document.getElementById(id) || document.querySelector(id);
  await image.decode();
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = 1;
  const context = canvas.getContext("2d");
  context.drawImage(image, 0, 0, 1, 1);
  return context.getImageData(0, 0, 1, 1).data[0];
})"""
"""Mean brightness of an image of the page."""


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Report, ...]]:
    """A clip whose brightness is its frame's number; two results of it, the first far off at one frame."""
    folder = tmp_path_factory.mktemp("clips")
    frames = [(frame // 4 + 2 * n).astype(np.uint8) for n, frame in enumerate(moving(FRAMES))]
    bright = [np.asarray(frame + 20 + 60 * (n == WORST), np.uint8) for n, frame in enumerate(frames)]
    dark = [frame // 2 for frame in frames]
    with plain_metrics():
        source = lossless(folder / "in.mkv", frames)
        made = {name: lossless(folder / f"{name}.mkv", clip) for name, clip in (("up", bright), ("down", dark))}
        yield vedit.compare(source, made, quick=True)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("profile")) as found:
        yield found


@pytest.fixture(scope="module")
def pages(reports: tuple[Report, ...], tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """Addresses of the page of one report, and of both."""
    folder = tmp_path_factory.mktemp("pages")
    with plain_metrics():
        (folder / "one.html").write_bytes(page_of(reports[:1]))
        (folder / "both.html").write_bytes(page_of(reports))
    return (folder / "one.html").as_uri(), (folder / "both.html").as_uri()


def opened(browser: Browser, address: str, width: int = 1280) -> None:
    browser.errors.clear()
    browser.requests.clear()
    browser.open(address, width=width)


def no_trouble(browser: Browser, address: str) -> None:
    assert browser.errors == [] and browser.requests == [address]


def grey(browser: Browser, which: str) -> int:
    return browser.run(f"{GREY}({which!r})")


def test_one_result(browser: Browser, pages: tuple[str, str]) -> None:
    opened(browser, pages[0])
    assert browser.run(SHOWN) == "frame 0, 0.00 s"
    # The line: what lies left of it is the source.
    assert browser.run("document.querySelector('.pair').style.getPropertyValue('--x')") == "50%"
    browser.click("#line", (0.25, 0.5))
    assert 20 < float(browser.run("document.querySelector('.pair').style.getPropertyValue('--x')").rstrip("%")) < 30
    assert grey(browser, "left-picture") + 14 < grey(browser, "right-picture")
    # The worst frame: a card leads to it, and the pictures are in sight.
    browser.click(".seek")
    assert browser.run(SHOWN) == f"frame {WORST}, {WORST / RATE:.2f} s"
    assert grey(browser, "right-picture") - grey(browser, "left-picture") > 60
    assert browser.run("document.getElementById('pictures').getBoundingClientRect().top < innerHeight")
    assert grey(browser, ".beside img[data-of='1']") == grey(browser, "right-picture")
    # The arrow keys, and the buttons.
    browser.run("document.activeElement.blur()")
    browser.press("ArrowRight")
    after = browser.run(SHOWN)
    assert int(after.split()[1].rstrip(",")) > WORST
    browser.press("ArrowLeft")
    assert browser.run(SHOWN).startswith(f"frame {WORST},")
    browser.click("#after")
    assert browser.run(SHOWN) == after
    browser.click("#scrub", (0.998, 0.5))
    assert browser.run(SHOWN) == f"frame {FRAMES - 1}, {(FRAMES - 1) / RATE:.2f} s"
    no_trouble(browser, pages[0])


def test_a_plot_leads_to_the_nearest_frame(browser: Browser, pages: tuple[str, str]) -> None:
    opened(browser, pages[0])
    held = browser.run("data.frames")
    lacking = next(frame for frame in range(20, FRAMES) if frame not in held)
    near = min(held, key=lambda frame: abs(frame - lacking))
    browser.click("#plot-difference svg", (lacking / (FRAMES - 1), 0.5))
    assert browser.run(SHOWN) == f"frame {near}, {near / RATE:.2f} s, nearest to {lacking}"
    assert float(browser.run("document.querySelector('#plot-difference .head').getAttribute('x1')")) == pytest.approx(
        1000 * near / (FRAMES - 1)
    )
    told = browser.run("document.querySelector('#plot-difference .value').textContent")
    assert told == f"frame {lacking}: source itself 0.000, result 20.000"
    browser.wait("!document.getElementById('dock').hidden")  # the pictures are out of sight
    assert browser.run("document.getElementById('dock-where').textContent") == browser.run(SHOWN)
    browser.click("#plot-difference svg", (WORST / (FRAMES - 1), 0.5))
    assert browser.run(SHOWN).startswith(f"frame {WORST},")
    browser.run("document.getElementById('dock').click()")
    browser.wait("document.getElementById('dock').hidden")
    no_trouble(browser, pages[0])


def test_several_results(browser: Browser, pages: tuple[str, str]) -> None:
    opened(browser, pages[1])
    browser.click(".seek")
    assert browser.run(SHOWN).startswith(f"frame {WORST},")
    shades = [grey(browser, f".beside img[data-of='{n}']") for n in range(3)]
    assert shades[2] + 20 < shades[0] < shades[1] - 60  # one frame number for all
    assert grey(browser, "right-picture") == shades[1]
    browser.run(
        "(() => { const one = document.getElementById('right'); one.value = '2';"
        " one.dispatchEvent(new Event('change')); })()"
    )
    assert grey(browser, "right-picture") == shades[2] and grey(browser, "left-picture") == shades[0]
    no_trouble(browser, pages[1])


@pytest.mark.parametrize("width", [1280, 400, 320])
def test_nothing_is_wider_than_the_window(browser: Browser, pages: tuple[str, str], width: int) -> None:
    for address in pages:
        opened(browser, address, width=width)
        browser.run("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
        assert browser.run("document.documentElement.scrollWidth") <= width
        no_trouble(browser, address)


def test_the_browser_tells_of_errors_and_requests(browser: Browser, tmp_path: Path) -> None:
    page = tmp_path / "bad.html"
    page.write_text("<!DOCTYPE html><meta charset=utf-8><img src=there.png><script>nothing()</script>")
    opened(browser, page.as_uri())
    browser.wait("document.images[0].complete")
    assert any("nothing is not defined" in one for one in browser.errors)
    assert (tmp_path / "there.png").as_uri() in browser.requests
