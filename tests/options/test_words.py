"""What `--embedding`, `--clip-skip` and `--freeu` accept, and the same in plans, in Python and in records."""

from __future__ import annotations

from pathlib import Path

import pytest

from vedit.edits.confined_paths import NamedFiles
from vedit.edits.edit import Edit, plain_options
from vedit.errors import InputError, SettingError
from vedit.options.embeddings import EmbeddingSpec, parse_embedding
from vedit.options.freeu import FreeU, parse_freeu
from vedit.options.look_parser import look_options
from vedit.options.look_schema import LOOK, check_table
from vedit.options.request import RenderRequest, RestyleOptions
from vedit.render.recorded_request import as_asked, as_recorded


@pytest.mark.parametrize(
    ("text", "path", "word"),
    [
        ("ink.safetensors", "ink.safetensors", "ink"),
        ("ink.safetensors=my ink", "ink.safetensors", "my ink"),
        (" a=b/ink.safetensors ", "a=b/ink.safetensors", "ink"),
        ("a=b/ink.safetensors=<ink>", "a=b/ink.safetensors", "<ink>"),
    ],
)
def test_an_embedding_is_called_like_its_file_or_otherwise(text: str, path: str, word: str) -> None:
    spec = parse_embedding(text)
    assert (spec.path, spec.word) == (Path(path), word)
    assert parse_embedding(str(spec)).word == word


@pytest.mark.parametrize("text", ["", "  ", "=ink", "ink.bin=", "ink.safetensors=(ink)", "ink.safetensors=a, b"])
def test_an_embedding_that_cannot_be_named(text: str) -> None:
    with pytest.raises(InputError):
        parse_embedding(text)


def test_words_are_found_whole() -> None:
    spec = EmbeddingSpec(path=Path("ink.safetensors"))
    assert all(map(spec.named_in, ["ink", "a (INK:1.2)", "<ink>", "pen,ink"]))
    assert not any(map(spec.named_in, ["inkwell", "pen-ink", "drink"]))


def test_scales_of_freeu() -> None:
    assert parse_freeu("1.5, 1.6,0.9,.2") == FreeU(b1=1.5, b2=1.6, s1=0.9, s2=0.2)
    assert parse_freeu("auto") is None
    for wrong in ("1,2,3", "1,2,3,x", "1,2,3,-1", "1,2,3,11", "on"):
        with pytest.raises(SettingError, match="freeu is"):
            RestyleOptions(freeu=wrong)
    with pytest.raises(SettingError, match="clip_skip"):
        RestyleOptions(clip_skip=0)


def test_plans_and_python_and_records_say_the_same(tmp_path: Path) -> None:
    told = {"prompt": "oil", "embeddings": ["a.safetensors=wet", "b.safetensors"], "clip_skip": 2, "freeu": "auto"}
    look = look_options(
        check_table(told, LOOK, "a look"), files=NamedFiles(path=tmp_path / "plan.toml"), where="a look"
    )
    files = [f"{tmp_path}/a.safetensors=wet", tmp_path / "b.safetensors"]
    edit = Edit("oil", embeddings=files, clip_skip=2, freeu="auto")
    assert plain_options(edit) == look
    assert look.brought == ("embeddings", "clip_skip", "freeu")
    assert look.files == (), "weights are no media"
    request = RenderRequest(source=tmp_path / "in.mov", options=look)
    assert as_asked(as_recorded(request, tmp_path), tmp_path).options == look
