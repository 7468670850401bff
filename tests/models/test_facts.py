"""What `vedit models info PATH` says of files that are put beside a model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import get_args

import pytest

from tests.models.layouts import write_sparse
from vedit.cli import main
from vedit.cli.restyle import restyle_command
from vedit.errors import ModelError
from vedit.models.facts import facts_of
from vedit.models.identify import check_model
from vedit.models.kinds import GIVEN_AS
from vedit.models.lora_file import read_lora_file
from vedit.registry.catalogue import ListedPart

STEM = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k"
PAIR = {f"{STEM}.lora_down.weight": (4, 768), f"{STEM}.lora_up.weight": (320, 4), f"{STEM}.alpha": ()}


def test_a_lora_says_its_rank_and_the_words_it_was_trained_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tags = json.dumps({"folder": {"inked": 20, "a cat": 1}})
    file = write_sparse(tmp_path / "ink.safetensors", PAIR, metadata={"ss_tag_frequency": tags})
    found = facts_of(file)
    assert (found.runs, found.given_as, found.lora["rank"]) == (True, f"--lora {file}", "4")
    assert found.lora["trigger words"].startswith("inked")
    assert main(["models", "info", str(file)], standalone_mode=False) in (0, None)
    rows = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}
    assert rows["rank"].split() == ["rank", "4"] and "inked" in rows["trigger"]


def test_a_lora_of_a_kind_that_is_not_read_says_so(tmp_path: Path) -> None:
    shapes = {**PAIR, f"{STEM}.on_input": (), f"{STEM}.weight": (320,)}
    found = facts_of(write_sparse(tmp_path / "other.safetensors", shapes))
    assert not found.runs and not found.given_as and found.lacks and not found.lora


@pytest.mark.parametrize(
    ("shapes", "option"),
    [
        ({"emb_params": (2, 768)}, "--embedding"),
        ({"image_proj.proj.weight": (3072, 1024), "ip_adapter.1.to_k_ip.weight": (320, 768)}, "--ip-adapter"),
    ],
)
def test_what_is_added_to_a_model_says_how_it_is_given(
    tmp_path: Path, shapes: dict[str, tuple[int, ...]], option: str
) -> None:
    file = write_sparse(tmp_path / "added.safetensors", shapes)
    assert facts_of(file).given_as == f"{option} {file}"
    with pytest.raises(ModelError) as error:
        check_model(file)
    assert f"give it as {option} FILE" in (error.value.remedy or "")
    with pytest.raises(ModelError, match=f"not a LoRA; give it as {option} PATH, and a LoRA as --lora"):
        read_lora_file(file)


def test_what_cannot_be_used_is_not_said_to_be_given(tmp_path: Path) -> None:
    face = {"image_proj.proj.0.weight": (1024, 512), "ip_adapter.1.to_k_ip.weight": (320, 768)}
    file = write_sparse(tmp_path / "face.safetensors", face)
    assert not facts_of(file).given_as
    with pytest.raises(ModelError, match=r"FaceID.*, not a LoRA; give a LoRA$"):
        read_lora_file(file)


def test_every_part_of_the_list_is_given_by_an_option_that_is_there() -> None:
    assert set(get_args(ListedPart)) <= GIVEN_AS.keys()
    there = {text for option in restyle_command.params for text in option.opts}
    assert {given.split()[0] for given in GIVEN_AS.values()} <= there
