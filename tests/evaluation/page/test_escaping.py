"""Names, labels, prompts and notes are shown as they are, and are never markup or script."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

import vedit
from tests.support.clips import lossless
from tests.support.page import Page
from tests.support.plain_metrics import moving, plain_metrics
from vedit.display.html_page import as_data, as_text, filled
from vedit.evaluation.page.page import page_of
from vedit.evaluation.report import Report, Verdict
from vedit.media.contract.report import Check, ContractReport

NASTY = (
    '"><script>alert(1)<!--',
    "'><img src=x onerror=alert(2)>",
    "</script><script>alert(3)",
    "{{SCRIPT}} & {{DATA}}",
    "\u202egnp.\u2028\udcff<svg onload=alert(4)>",
)


@pytest.fixture(scope="module", autouse=True)
def metrics() -> Iterator[None]:
    with plain_metrics():
        yield


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> tuple[Report, ...]:
    folder = tmp_path_factory.mktemp("clips")
    frames = moving(8)
    source = lossless(folder / '"><script>alert(0)<!--.mkv', frames)
    made = [lossless(folder / f"'><img src=x onerror=y>{n}.mkv", [frame + n for frame in frames]) for n in (5, 9)]
    return vedit.compare(source, made, quick=True, require=["difference<7"])


def hostile(report: Report, words: str) -> Report:
    """A report whose every text is what an enemy would choose."""
    figures = {
        name: replace(
            figure,
            why=words,
            definition=replace(figure.definition, title=words, unit=words, variant=words, paper=words),
        )
        for name, figure in report.figures.items()
    }
    check = Check(name=words, expected=words, found=words, ok=False)
    return replace(
        report,
        label=words,
        figures=figures,
        contract=ContractReport(checks=(check,), notes=(words,)),
        verdicts=(Verdict(subject=words, level="bad", text=words, figures=(words,)),),
        required=tuple(replace(one, found=words) for one in report.required),
        notes=(words,),
        recipe={"prompt": words, words: [words, {words: words}], "weights": {words: words}},
    )


@pytest.mark.parametrize("words", NASTY)
@pytest.mark.parametrize("count", [1, 2])
def test_text_is_text(reports: tuple[Report, ...], words: str, count: int) -> None:
    told = [hostile(one, words) for one in reports[:count]]
    plain, page = Page(page_of(reports[:count])), Page(page_of(told))
    assert len(page.texts["script"]) == 2 and page.texts["script"][1] == plain.texts["script"][1]
    kinds = {"script", "svg", "polyline", "input", "select", "meta", "style", "button", "figure", "section"}
    assert [tag for tag, _ in page.tags if tag in kinds - {"figure", "section"}] == [
        tag for tag, _ in plain.tags if tag in kinds - {"figure", "section"}
    ]
    allowed = {"src", "alt", "width", "height", "data-of", "data-still", "id", "class"}
    assert all(set(found) <= allowed for found in page.all("img"))
    assert not [name for _, found in page.tags for name in found if name.startswith("on")]
    json.loads(page.texts["script"][0])
    shown = words.encode("utf-8", "replace").decode()
    for kind in ("h1", "code", "li", "th", "td", "small", "figcaption"):
        assert (kind == "h1" and count == 2) or any(shown.lower() in text.lower() for text in page.texts[kind]), kind


def test_names_of_files_too(reports: tuple[Report, ...]) -> None:
    page = Page(page_of(reports))
    assert page.texts["h1"] == ['2 results of "><script>alert(0)<!--.mkv']
    assert "'><img src=x onerror=y>5.mkv" in page.texts["h3"]


@pytest.mark.parametrize("words", NASTY)
def test_data_cannot_end_its_element(words: str) -> None:
    held = as_data({"words": words, words: [words]})
    assert not set(held) & set("<>\u2028") and json.loads(held) == {"words": words, words: [words]}


def test_marks_are_filled_once() -> None:
    assert filled("{{A}}{{B}}", {"A": "{{B}}", "B": "b"}) == "{{B}}b"
    assert as_text("\udcff\"'<&") == "?&quot;&#x27;&lt;&amp;"


def test_a_page_is_utf_8(reports: tuple[Report, ...]) -> None:
    odd = replace(reports[0], label="\udcff", source=Path("\udcff.mkv"), result=reports[0].result)
    with pytest.raises(vedit.VeditError):
        page_of([odd])  # the clip is gone
    assert "?" in page_of([replace(reports[0], label="\udcff")]).decode("utf-8")
