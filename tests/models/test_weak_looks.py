"""Looks that stay weak: marked by the published figures and nothing else, and said wherever a user meets them."""

# The bench is a script with its package beside it, on no checker's path.
# pyright: reportMissingImports=false

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.support.resolved import word_notes_of
from vedit.cli import main
from vedit.embedded import FOLDER
from vedit.models.resolve import resolve
from vedit.models.source import LOOKS
from vedit.options.request import RenderRequest, RestyleOptions

ROOT = Path(__file__).parents[2]
BENCH = ROOT / "examples" / "bench_embedded"
if str(BENCH) not in sys.path:
    sys.path.insert(0, str(BENCH))

from scores.weak import marked, weak_looks  # noqa: E402

FIGURES = """### Colour

| look | kind | result | colour map alone |
| --- | --- | --- | --- |
| lines | medium | 0.900 | 0.267 |
| wash | medium | 0.399 | 0.267 |
| oil | medium | 0.400 | 0.267 |
| stone | material | 1.000 | 0.267 |
| dust | material | 1.200 | 0.267 |
| night | light | 0.399 | 0.267 |
| dusk | light | 0.400 | 0.267 |
| grey | tone | 1.000 | 0.267 |

- PASS: something 0.9, asked >= 0.800

### Texture

| look | kind | result | autoencoder floor |
| --- | --- | --- | --- |
| lines | medium | 0.599 | 0.267 |
| wash | medium | 0.600 | 0.267 |
| oil | medium | 1.000 | 0.267 |
| stone | material | 0.700 | 0.267 |
| dust | material | 1.900 | 0.267 |
| night | light | 3.000 | 0.267 |
| dusk | light | 0.100 | 0.267 |
| grey | tone | 0.100 | 0.267 |
"""
WEAK = {
    "wash": "takes the colours and part of the texture",
    "oil": "takes part of the colours, not the texture",
    "stone": "takes part of the texture, not the colours",
    "dust": "takes neither colours nor texture",
    "dusk": "takes part of the colours",
    "grey": "does not take the colours",
}


def test_media_are_weak_by_texture_and_lights_by_colour() -> None:
    assert weak_looks(FIGURES) == WEAK


def test_marks_take_the_place_of_earlier_ones() -> None:
    looks = [
        {"name": "wash", "kind": "medium", "wordings": ["a wash"]},
        {"name": "night", "kind": "light", "weak": True, "reason": "it was", "wordings": ["at night"]},
    ]
    document = {"looks": looks, "words": ["wash"]}
    found = marked(document, WEAK)
    assert found["looks"][0] == {**looks[0], "weak": True, "reason": WEAK["wash"]}
    assert found["looks"][1] == {"name": "night", "kind": "light", "wordings": ["at night"]}
    assert marked(found, {}) == marked(document, {})
    assert list(found["looks"][0]) == ["name", "kind", "weak", "reason", "wordings"]
    assert marked({"words": []}, WEAK) == {"words": []}


def test_the_fingerprint_of_the_bench_leaves_the_marks_out(tmp_path: Path) -> None:
    from scores.rendering import fingerprint

    document = {"looks": [{"name": "wash", "kind": "medium", "wordings": ["a wash"]}], "words": ["wash"]}
    prints: list[str] = []
    for told in (document, marked(document, WEAK), {**document, "words": ["night"]}):
        (tmp_path / LOOKS).write_text(json.dumps(told, indent=1) + "\n", "utf-8")
        prints.append(fingerprint(tmp_path))
    assert prints[0] == prints[1] != prints[2]


def test_the_marks_that_ship_are_those_of_the_published_figures() -> None:
    weak = weak_looks((ROOT / "docs" / "embedded.md").read_text("utf-8"))
    document = json.loads((FOLDER / LOOKS).read_text("utf-8"))
    told = "run: python examples/bench_embedded/mark_weak.py --write"
    assert {look["name"]: look["reason"] for look in document["looks"] if look.get("weak")} == weak, told
    card = (FOLDER / "README.md").read_text("utf-8").partition("## Weak looks")[2]
    rows = {
        line.split(" | ")[0].strip("| "): line.split(" | ")[-1].strip("| ")
        for line in card.splitlines()
        if " | " in line
    }
    assert {name: reason for name, reason in rows.items() if name != "look"} == weak
    listed = (ROOT / "README.md").read_text("utf-8").partition("of the looks are weak.")[2].partition("\n- ")[0]
    assert [name for name in weak if name not in " ".join(listed.split()).lower()] == []


def test_a_render_with_a_weak_look_says_so() -> None:
    known = resolve("embedded").vocabulary
    assert known is not None
    for look in known.looks:
        notes = word_notes_of(RenderRequest(source=Path("in.mov"), options=RestyleOptions(prompt=look.name)))
        assert notes == ((f"weak with this model: {look.name} ({look.reason})",) if look.weak else ())
    both = RestyleOptions(prompt="comic book at night", negative_prompt="watercolor")
    (line,) = word_notes_of(RenderRequest(source=Path("in.mov"), options=both))
    assert line.startswith("weak with this model: comic (")
    assert "watercolor" not in line


def test_models_info_shows_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "info", "embedded"], standalone_mode=False) == 0
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    known = resolve("embedded").vocabulary
    assert known is not None
    for look in known.looks:
        assert any(line.startswith(f"{look.name}{' (weak)' if look.weak else ''} ") for line in lines)
        assert (f"{look.name} {look.reason}" in lines) == look.weak
    assert main(["models", "info", "embedded", "--json"], standalone_mode=False) == 0
    told = {look["name"]: look.get("weak", False) for look in json.loads(capsys.readouterr().out)["looks"]}
    assert told == {look.name: look.weak for look in known.looks}
