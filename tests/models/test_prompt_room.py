"""How much of a prompt a model reads: counted without the model, and as its tokenizer cuts it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from vedit.embedded import FOLDER
from vedit.models.prompt_room import tokens_read, words_cut
from vedit.models.resolve import resolve
from vedit.models.source import LOOKS
from vedit.models.words import heard, read_vocabulary
from vedit.testing.tiny_sd import LENGTH, write_tiny_sd

KNOWN = read_vocabulary(FOLDER / LOOKS)
LONG = ", ".join(look.name for look in KNOWN.looks[:30]) + ", 8-bit game, 1970s film of a zebra at night"


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_sd(tmp_path_factory.mktemp("models") / "tiny")


def test_the_embedded_model_reads_thirty_tokens() -> None:
    assert tokens_read(FOLDER) == 30
    assert words_cut(FOLDER, "woodcut") == ()
    assert words_cut(FOLDER, "night " * 30) == ()
    assert words_cut(FOLDER, "night " * 31 + "sepia") == ("night", "sepia")
    assert words_cut(FOLDER, "zyzzyva " * 100 + "night") == ()


@pytest.mark.parametrize("count", range(5, 120, 9))
def test_what_is_left_is_what_the_tokenizer_keeps(count: int) -> None:
    from transformers import CLIPTokenizer

    tokenizer = CLIPTokenizer.from_pretrained(str(FOLDER / "tokenizer"), local_files_only=True)
    text = " ".join(LONG.split()[:count])
    told = heard(text, KNOWN.words)
    cut = words_cut(FOLDER, text)
    left = told.split()[: len(told.split()) - len(cut)]
    assert cut == tuple(told.split()[len(left) :])
    assert len(tokenizer(" ".join(left)).input_ids) <= 32
    assert not cut or len(tokenizer(" ".join([*left, cut[0]])).input_ids) > 32


def test_a_model_that_takes_any_text_reads_all_of_it(tiny: Path) -> None:
    assert words_cut(tiny, " ".join(f"zebra{number}" for number in range(99))) == ()
    model = resolve(str(tiny))
    assert model.prompt_cut("zebra " * 99) == (None, ())
    assert model.family.tokens_read(model.source) is None


def test_it_takes_no_tokenizer(tiny: Path) -> None:
    code = (
        "import sys; from vedit.models.resolve import resolve\n"
        f"assert resolve({str(tiny)!r}).prompt_cut('ink ' * 99) == (None, ())\n"
        f"assert resolve('embedded').prompt_cut({LONG!r})[1]\n"
        "assert 'transformers' not in sys.modules and 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_the_smaller_limit_counts(tmp_path: Path) -> None:
    folder = write_tiny_sd(tmp_path / "model")
    settings = folder / "tokenizer" / "tokenizer_config.json"
    told = json.loads(settings.read_text("utf-8"))
    settings.write_text(json.dumps({**told, "model_max_length": 10**30}), "utf-8")
    assert tokens_read(folder) == LENGTH - 2
    settings.write_text(json.dumps({**told, "model_max_length": 6}), "utf-8")
    assert tokens_read(folder) == 4
