"""Training that begins from finished weights: what is carried over, what is new, and what is refused."""

# The example is a script with its package beside it, on no checker's path.
# pyright: reportMissingImports=false

import json
import re
import sys
from argparse import Namespace
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from click.testing import CliRunner

pytest.importorskip("skimage", reason="training needs the extra: pip install 'vedit[train]'")
pytest.importorskip("scipy", reason="training needs the extra: pip install 'vedit[train]'")

EXAMPLE = Path(__file__).parents[2] / "examples" / "train_embedded"
if str(EXAMPLE) not in sys.path:
    sys.path.insert(0, str(EXAMPLE))

import train as program  # noqa: E402
from trainer import form  # noqa: E402
from trainer.checkpoint import read_facts  # noqa: E402
from trainer.export import Networks, export  # noqa: E402
from trainer.form import new_autoencoder  # noqa: E402
from trainer.loop import LoopOptions, run_loop  # noqa: E402
from trainer.objectives import HALF_MIN_SNR  # noqa: E402
from trainer.starting import MisfitError, load_autoencoder, load_networks, start_of  # noqa: E402

from vedit.cli.models import models_group  # noqa: E402
from vedit.models import resolve as resolving  # noqa: E402
from vedit.models import words  # noqa: E402

WIDTHS = (16, 16, 32)
FEW = ("a", "comic", "night", "painting")
MORE = (*FEW, "bronze", "paint", "subtle")


def networks(words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, seed: int) -> Networks:
    monkeypatch.setattr(form, "known_words", lambda: words)
    torch.manual_seed(seed)
    return Networks.new(widths=WIDTHS, norm_groups=8)


@pytest.fixture
def finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a tiny model that knows few words."""
    folder = tmp_path / "finished"
    export(new_autoencoder(channels=16), networks(FEW, monkeypatch, seed=1), folder)
    return folder


def table_of(nets: Networks) -> torch.Tensor:
    return nets.text_encoder.state_dict()["embeddings.token_embedding.weight"]


def embedding(nets: Networks, word: str) -> torch.Tensor:
    return table_of(nets)[nets.tokenizer.get_vocab()[f"{word}</w>"]]


def test_weights_are_carried_over_and_words_found_by_their_string(
    finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = networks(FEW, monkeypatch, seed=1), networks(MORE, monkeypatch, seed=2)
    assert old.tokenizer.get_vocab()["night</w>"] != new.tokenizer.get_vocab()["night</w>"], "or the test says nothing"
    fresh = load_networks(new, finished)
    assert 0 < fresh < len(new.tokenizer)
    for part in ("unet", "tile", "soft_edge"):
        for a, b in zip(getattr(old, part).parameters(), getattr(new, part).parameters(), strict=True):
            torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-4)  # through fp16
    for word in FEW:
        torch.testing.assert_close(embedding(old, word), embedding(new, word), rtol=1e-3, atol=1e-4)
    table = table_of(new)
    for word in ("bronze", "subtle"):
        apart = (table - embedding(new, word)).norm(dim=1)
        assert apart.sort().values[1] > 0.5 * apart.median(), "unlike any other"
    assert 0.7 < embedding(new, "bronze").std() / embedding(new, "comic").std() < 1.4
    # A prompt of known words means the same as before, by whatever numbers its tokens go.
    with torch.no_grad():
        said = [
            nets.text_encoder(nets.tokenizer("a comic painting", return_tensors="pt").input_ids)[0]
            for nets in (old, new)
        ]
    torch.testing.assert_close(said[0], said[1], rtol=0.02, atol=0.02)


def test_the_package_copes_with_materials_and_modifiers(finished: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known = resolving.resolve(str(finished)).words
    assert words.unknown_words("a subtle bronze statue in teal and orange, qwxz", known) == ("qwxz",)
    monkeypatch.setattr(resolving, "EMBEDDED", finished)
    shown = CliRunner().invoke(models_group, ["info", "embedded"], catch_exceptions=False).output
    for name in ("bronze", "aurora", "subtle", "heavy", "teal and orange", "pastel colors"):
        assert re.search(rf"^  {name} +.", shown, re.MULTILINE), name


def test_the_autoencoder_is_carried_over(finished: Path) -> None:
    torch.manual_seed(5)
    vae, picture = new_autoencoder(channels=16), torch.rand(1, 3, 16, 16)
    before = vae.encoder(picture).detach()
    load_autoencoder(vae, finished)
    assert (vae.encoder(picture) - before).abs().mean() > 0.01
    again = new_autoencoder(channels=16)
    load_autoencoder(again, finished)
    torch.testing.assert_close(again.encoder(picture), vae.encoder(picture))


def test_what_does_not_fit_is_refused_in_one_line_and_changes_nothing(
    finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(form, "known_words", lambda: MORE)
    torch.manual_seed(3)
    wider = Networks.new(widths=(16, 32, 32), norm_groups=8)
    kept = {name: value.clone() for name, value in wider.state_dict().items()}
    cases: list[tuple[Any, str]] = [
        (lambda: load_networks(wider, finished), r"finished/unet does not fit: .* is \(16.* there and \(32.* here"),
        (lambda: load_autoencoder(new_autoencoder(channels=24), finished), "finished/vae does not fit"),
        (lambda: load_autoencoder(new_autoencoder(), finished / "unet"), "cannot begin from .*/unet/vae/"),
    ]
    for load, expected in cases:
        with pytest.raises(MisfitError, match=expected) as caught:
            load()
        assert "\n" not in str(caught.value)
    for name, value in wider.state_dict().items():
        torch.testing.assert_close(value, kept[name], rtol=0, atol=0)
    (finished / "tokenizer" / "tokenizer.json").write_text("{}", encoding="utf-8")
    with pytest.raises(MisfitError, match="no vocabulary"):
        load_networks(networks(MORE, monkeypatch, seed=2), finished)


def test_a_resumed_run_does_not_load_it_again(finished: Path, tmp_path: Path) -> None:
    module, folder = torch.nn.Linear(2, 1), tmp_path / "stage"
    options = LoopOptions(minutes=60, steps=2, log_every=1, save_every_s=0, warmup=1)

    def run(start_from: Path | None, steps: int) -> Path | None:
        begin = start_of(folder, start_from)

        def loss(_: int) -> tuple[torch.Tensor, dict[str, float]]:
            return module(torch.ones(1, 2)).square().sum(), {}

        rows: Iterator[Any] = run_loop(
            module, lambda _: loss, folder=folder, options=replace(options, steps=steps),
            kept=begin.facts,
        )  # fmt: skip
        assert list(rows)
        return begin.load

    assert run(finished, 2) == finished
    facts = read_facts(folder)
    assert facts is not None and facts["started_from"] == str(finished.resolve())
    assert run(finished, 3) is None
    assert run(None, 4) is None, "nor need it be named again"
    again = read_facts(folder)
    assert again is not None and again["started_from"] == facts["started_from"] and again["step"] == 4
    with pytest.raises(MisfitError, match=r"began from .*finished, not from .*other: remove it or give another --work"):
        start_of(folder, tmp_path / "other")
    (folder / "state.json").write_text(json.dumps({"tensors": "", "facts": {"step": 1, "elapsed_s": 1}}))
    with pytest.raises(MisfitError, match="began from nothing"):
        start_of(folder, finished)


def test_a_run_under_another_objective_is_refused(tmp_path: Path) -> None:
    new = start_of(tmp_path, None, objective=HALF_MIN_SNR)
    assert new.facts["objective"] == HALF_MIN_SNR
    (tmp_path / "state.json").write_text(json.dumps({"tensors": "", "facts": {"step": 1, **new.facts}}))
    assert start_of(tmp_path, None, objective=HALF_MIN_SNR).facts == new.facts
    with pytest.raises(MisfitError, match=f"objective is {HALF_MIN_SNR}, not v: remove it or give another --work"):
        start_of(tmp_path, None, objective="v")
    (tmp_path / "state.json").write_text(json.dumps({"tensors": "", "facts": {"step": 1}}))
    with pytest.raises(MisfitError, match="objective is v, not"):
        start_of(tmp_path, None, objective=HALF_MIN_SNR)


def test_the_program_refuses_before_it_makes_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    args = SimpleNamespace(photos=tmp_path, work=tmp_path / "work", start_from=tmp_path / "nothing", out=tmp_path)
    args.keep_latents = False
    monkeypatch.setattr(program, "arguments", lambda: args)
    with pytest.raises(SystemExit, match="error: cannot begin from") as caught:
        program.main()
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "work").exists()


@pytest.mark.parametrize(("was", "now", "said"), [("", True, "without"), ("yes", False, "with")])
def test_a_decoder_is_not_trained_on_as_if_it_were_a_whole_autoencoder(
    was: str, now: bool, said: str, tmp_path: Path
) -> None:
    """The optimiser's state counts the weights that learn."""
    (tmp_path / "autoencoder").mkdir()
    facts = {"step": 1, "keep_latents": was} if was else {"step": 1}
    (tmp_path / "autoencoder" / "state.json").write_text(json.dumps({"tensors": "", "facts": facts}))
    args = Namespace(work=tmp_path, start_from=None, keep_latents=now)
    with pytest.raises(MisfitError, match=f"holds a run {said} --keep-latents: remove it or give another --work"):
        program.check_start(args)
    args.keep_latents = not now
    program.check_start(args)
