"""The prompts of a render, looked at before anything is done: unknown words, words cut off, and no look at all."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from tests.support.clips import two_shots
from tests.support.recording import frames_written, shots_sampled
from tests.support.resolved import check_words_of, settled_request, word_notes_of
from vedit.embedded import FOLDER
from vedit.errors import InputError
from vedit.media.output import OutputOptions
from vedit.models.resolve import resolve
from vedit.models.source import LOOKS
from vedit.options.embeddings import EmbeddingSpec
from vedit.options.masks import parse_region
from vedit.options.request import RenderRequest, RestyleOptions
from vedit.render.preview import preview
from vedit.render.run import plan, restyle
from vedit.testing.tiny_sd import write_tiny_sd

NIGHT = RestyleOptions(prompt="night", quality="draft")
REGION = parse_region("box:0,0,50%,50%=zyzzyva")
WRONG = {
    "the prompt": replace(NIGHT, prompt="zyzzyva"),
    "the negative prompt": replace(NIGHT, negative_prompt="zyzzyva"),
    "the source prompt": replace(NIGHT, source_prompt="zyzzyva"),
    "a region's prompt": replace(NIGHT, regions=(REGION,)),
}


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return two_shots(tmp_path_factory.mktemp("prompts") / "in.mov")


def request(look: RestyleOptions, clip: Path = Path("in.mov"), **changes: Any) -> RenderRequest:
    return RenderRequest(source=clip, options=look, output=clip.parent / "out" / "out.mov", **changes)


@pytest.mark.parametrize("what", WRONG)
def test_each_prompt_needs_a_word_that_is_known(what: str) -> None:
    with pytest.raises(InputError, match=f"knows no word of {what} 'zyzzyva'"):
        check_words_of(request(WRONG[what]))
    check_words_of(request(replace(WRONG[what], allow_unknown=True)))
    for looks in ({1: NIGHT, 2: WRONG[what]}, {7: WRONG[what]}):
        with pytest.raises(InputError, match=what):
            check_words_of(request(NIGHT, looks=looks))
        check_words_of(request(NIGHT, looks=looks, locked=frozenset({2, 7})))


def test_it_ends_a_render_a_plan_and_a_preview_before_anything_is_left(clip: Path) -> None:
    asked = request(WRONG["the prompt"], clip)
    assert asked.output is not None
    asked.output.parent.mkdir(exist_ok=True)
    for call in cast("list[Callable[[RenderRequest], object]]", [plan, restyle, preview, settled_request]):
        with pytest.raises(InputError, match="knows no word of the prompt") as told:
            call(asked)
        assert told.value.exit_code == 2
    assert list(asked.output.parent.iterdir()) == []


@pytest.mark.parametrize(
    ("prompt", "told"),
    [
        ("paintng", "did you mean 'painting'? The nearest looks are oil painting, watercolor and gouache."),
        ("Ölgemälde", "did you mean 'oil painting'? `vedit models info embedded`"),
        ("dessin", "did you mean 'drawing'? The nearest looks are"),
        ("zyzzyva", "name one of its looks, "),
        ("in the style of Rembrandt", "name one of its looks, "),
    ],
)
def test_the_remedy_says_what_to_write(prompt: str, told: str) -> None:
    with pytest.raises(InputError) as error:
        check_words_of(request(replace(NIGHT, prompt=prompt)))
    assert told in error.value.remedy
    assert "`vedit models info embedded` lists what it knows; --allow-unknown" in error.value.remedy


def test_a_long_prompt_is_told_in_part() -> None:
    with pytest.raises(InputError) as error:
        check_words_of(request(replace(NIGHT, prompt="zyzzyva\n" * 99)))
    assert len(error.value.message) < 160
    assert "\n" not in str(error.value)


def test_single_unknown_words_are_noted_with_their_nearest() -> None:
    look = replace(NIGHT, prompt="woodcut of a zebra", regions=(replace(REGION, prompt="watercolr sky, zebra"),))
    notes = word_notes_of(request(replace(look, negative_prompt="blurry night")))
    listing = "`vedit models info embedded` lists what it knows"
    assert notes == (
        f"the model does not know, of a region's prompt: watercolr (did you mean 'watercolor'?), zebra; they change "
        f"nothing; {listing}",
        f"the model does not know: zebra; it changes nothing; {listing}",
        f"the model does not know, of the negative prompt: blurry; it changes nothing; {listing}",
    )
    assert word_notes_of(request(NIGHT)) == ()
    # Of all looks in one line, and of the shots that are made alone.
    looks = {1: replace(NIGHT, prompt="night zebra"), 2: replace(NIGHT, prompt="night yak"), 3: WRONG["the prompt"]}
    (line,) = word_notes_of(request(NIGHT, looks=looks, locked=frozenset({3})))
    assert line.startswith("the model does not know: zebra, yak; they change nothing")


def test_a_prompt_without_a_look_is_noted() -> None:
    (line,) = word_notes_of(
        request(replace(NIGHT, prompt="a beautiful dog", negative_prompt="dog", source_prompt="dog"))
    )
    assert line.startswith("'a beautiful dog' names no look, so the picture changes little")
    assert word_notes_of(request(replace(NIGHT, prompt="a photograph"))) == ()


def test_words_that_are_cut_off_are_noted_of_each_prompt() -> None:
    long = ("night " * 31 + "sepia").strip()
    look = replace(
        NIGHT, prompt=long, negative_prompt=long, source_prompt=long, regions=(replace(REGION, prompt=long),)
    )
    notes = word_notes_of(request(look))
    assert [note.partition(" is too long")[0] for note in notes] == [*WRONG][-1:] + [*WRONG][:-1]
    assert all(note.endswith("reads 30 tokens of it, and not: night sepia") for note in notes)
    (line,) = word_notes_of(request(replace(NIGHT, prompt="night " * 90)))
    assert line.endswith("night ... (48 more)")


def test_a_model_that_takes_any_text_takes_any(tmp_path: Path) -> None:
    model = str(write_tiny_sd(tmp_path / "tiny"))
    assert resolve(model).vocabulary is None
    for look in WRONG.values():
        settled_request(request(look, model=model))
        assert word_notes_of(request(look, model=model)) == ()
    assert word_notes_of(request(replace(NIGHT, prompt="zebra " * 40), model=model)) == ()


@pytest.mark.parametrize("what", WRONG)
def test_a_prompt_of_a_free_model_is_read_before_anything_else(what: str, tmp_path: Path) -> None:
    model = str(write_tiny_sd(tmp_path / "tiny"))
    region = replace(REGION, prompt="a (red:1.2.3) sky")
    wrong = {name: replace(NIGHT, **{name.split(" ", 1)[1].replace(" ", "_"): region.prompt}) for name in [*WRONG][:3]}
    wrong["a region's prompt"] = replace(NIGHT, regions=(region,))
    with pytest.raises(InputError, match=f"{what}: '1.2.3' is no weight of words"):
        settled_request(request(wrong[what], model=model))
    settled_request(request(replace(NIGHT, prompt="a (red:1.2) sky BREAK night"), model=model))


def test_an_embedding_that_no_prompt_says_is_noted(tmp_path: Path) -> None:
    model = str(write_tiny_sd(tmp_path / "tiny"))
    look = replace(NIGHT, embeddings=(EmbeddingSpec(path=tmp_path / "wet.safetensors"),))
    (note,) = word_notes_of(request(look, model=model))
    assert note == "no prompt says 'wet', so the embedding wet.safetensors changes nothing"
    assert word_notes_of(request(replace(look, negative_prompt="fog, (Wet:1.2)"), model=model)) == ()


def test_a_model_that_lists_its_words_takes_no_weights() -> None:
    for text in ("(night:1.2)", "a dog, ( at night: 0.5 )"):
        with pytest.raises(InputError, match=r"the prompt .* weighs words") as told:
            check_words_of(request(replace(NIGHT, prompt=text, allow_unknown=True)))
        assert "subtle night, heavy night" in told.value.remedy
    for text in ("(night)", "night [at noon]", r"night \(a:1.2\)", "night 16:9"):
        check_words_of(request(replace(NIGHT, prompt=text)))


def test_a_folder_that_lists_its_words_is_asked_for_them(tmp_path: Path) -> None:
    folder = write_tiny_sd(tmp_path / "tiny")
    shutil.copyfile(FOLDER / LOOKS, folder / LOOKS)
    with pytest.raises(InputError, match=rf"did you mean 'painting'.* {LOOKS} in {folder} lists what it knows"):
        settled_request(request(replace(NIGHT, prompt="paintng"), model=str(folder)))
    (folder / LOOKS).write_text(json.dumps({"words": ["ink"]}), "utf-8")
    # The source's usual prompt is nobody's mistake.
    settled_request(request(replace(NIGHT, prompt="ink"), model=str(folder)))
    with pytest.raises(InputError, match="say it in words that the model knows, or leave it out"):
        settled_request(request(NIGHT, model=str(folder)))


@pytest.mark.usefixtures("small_embedded")
def test_an_unknown_word_changes_no_frame_and_makes_nothing_anew(clip: Path, tmp_path: Path) -> None:
    look = replace(NIGHT, prompt="woodcut, night", steps=1)
    asked = replace(request(look, clip), output=tmp_path / "out.mov", frames="#0..#2", keep_work=True)
    with frames_written() as plain, shots_sampled() as first:
        restyle(asked)
    assert first
    again = OutputOptions(overwrite=True)
    for prompt in ("woodcut of a zyzzyva, 東京 night", "Łódź, woodcut, night!"):
        other = replace(asked, options=replace(look, prompt=prompt), writing=again)
        with frames_written() as seen, shots_sampled() as made:
            result = restyle(replace(other, fresh=True))
            assert made == first
            restyle(other)
            assert made == first  # its units are found under the words that are heard
        assert [np.array_equal(a, b) for a, b in zip(plain * 2, seen, strict=True)] == [True] * (2 * len(plain))
        assert any("the model does not know: " in note for note in result.notes)
        recipe = json.loads((tmp_path / "out.mov.vedit.json").read_text("utf-8"))
        assert prompt in json.dumps(recipe, ensure_ascii=False)  # what was asked for is recorded
