"""What `--lora` accepts, how plans and Python say the same, and that a model which takes none says so."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from vedit.cli.restyle_options import look_options
from vedit.edits.confined_paths import NamedFiles
from vedit.edits.edit import Edit, plain_options
from vedit.errors import InputError, SettingError
from vedit.options.look_parser import look_options as options_of_table
from vedit.options.look_schema import LOOK, check_table
from vedit.options.loras import LoraSpec, parse_lora
from vedit.options.masks import MaskSpec, parse_mask_spec
from vedit.options.request import RenderRequest, RestyleOptions
from vedit.render.conditioning import hashed
from vedit.render.parts import options_facts
from vedit.render.recorded_request import as_asked, as_recorded


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ink.safetensors", LoraSpec(path=Path("ink.safetensors"))),
        ("ink.safetensors:0.8", LoraSpec(path=Path("ink.safetensors"), weight=0.8)),
        (" a b.safetensors:-1.5 ", LoraSpec(path=Path("a b.safetensors"), weight=-1.5)),
        ("owner/name:.5", LoraSpec(path=Path("owner/name"), weight=0.5)),
        (r"C:\ink.safetensors", LoraSpec(path=Path(r"C:\ink.safetensors"))),
        (r"C:\ink.safetensors:2", LoraSpec(path=Path(r"C:\ink.safetensors"), weight=2)),
        (
            "ink.safetensors,mask=box:1,2,3,4",
            LoraSpec(path=Path("ink.safetensors"), mask=parse_mask_spec("box:1,2,3,4")),
        ),
        (
            "ink.safetensors:0.5,mask=subject:the dog",
            LoraSpec(path=Path("ink.safetensors"), weight=0.5, mask=MaskSpec(subject="the dog")),
        ),
    ],
)
def test_parse(text: str, expected: LoraSpec) -> None:
    assert parse_lora(text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "names no file"),
        (":0.5", "names no file"),
        ("ink.safetensors:strong", "has the weight 'strong'"),
        ("ink.safetensors:nan", "has the weight 'nan'"),
        ("ink.safetensors:11", "give a number from -10 to 10"),
        ("ink.safetensors,mask=", "empty mask"),
        ("ink.safetensors,mask=box:1", "is not X,Y,W,H"),
    ],
)
def test_what_cannot_be_parsed(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        parse_lora(text)


def test_a_file_that_is_there_is_meant_whatever_its_name_looks_like(tmp_path: Path) -> None:
    for name in ("ink:0.5", "ink,mask=x.safetensors"):
        (tmp_path / name).touch()
        assert parse_lora(str(tmp_path / name)) == LoraSpec(path=tmp_path / name)
    assert parse_lora(f"{tmp_path}/ink:0.5:2") == LoraSpec(path=tmp_path / "ink:0.5", weight=2)


def test_weights_have_bounds_in_python_too() -> None:
    with pytest.raises(SettingError, match="the weight of a is 11"):
        LoraSpec(path=Path("a"), weight=11)


def by_command(*arguments: str) -> RestyleOptions:
    found: list[RestyleOptions] = []

    @look_options
    def command(look: RestyleOptions) -> None:
        found.append(look)

    CliRunner().invoke(click.command()(command), arguments, catch_exceptions=False)
    return found[0]


def test_command_plan_and_python_say_the_same(tmp_path: Path) -> None:
    ink, paper = tmp_path / "ink.safetensors", tmp_path / "paper.safetensors"
    told = check_table(
        {
            "prompt": "ink",
            "loras": ["ink.safetensors:0.8", {"file": "paper.safetensors", "weight": -1, "mask": "box:1,2,3,4"}],
            "feather": 3,
        },
        LOOK,
        "plan.toml",
    )
    planned = options_of_table(told, files=NamedFiles(path=tmp_path / "plan.toml"), where="plan.toml")
    said = by_command("-p", "ink", "--lora", f"{ink}:0.8", "--lora", f"{paper}:-1,mask=box:1,2,3,4", "--feather", "3")
    python = plain_options(
        Edit("ink", loras=[f"{ink}:0.8", LoraSpec(path=paper, weight=-1, mask=parse_mask_spec("box:1,2,3,4"))])
    )
    (first, second) = python.loras
    assert second.mask is not None
    feathered = replace(second, mask=replace(second.mask, feather=3.0))
    assert planned.loras == said.loras == (first, feathered)


def test_a_region_of_a_plan_has_loras_of_its_own(tmp_path: Path) -> None:
    table = {
        "prompt": "ink",
        "loras": "ink.safetensors",
        "regions": [
            "box:1,2,3,4=gold",
            {
                "mask": "subject:the dog",
                "prompt": "bronze",
                "loras": ["bronze.safetensors:0.5", {"file": "b2.safetensors"}],
            },
        ],
    }
    look = options_of_table(
        check_table(table, LOOK, "plan"), files=NamedFiles(path=tmp_path / "plan.toml"), where="plan"
    )
    dog = look.regions[1].mask
    assert look.loras == (
        LoraSpec(path=tmp_path / "ink.safetensors"),
        LoraSpec(path=tmp_path / "bronze.safetensors", weight=0.5, mask=dog),
        LoraSpec(path=tmp_path / "b2.safetensors", mask=dog),
    )
    with pytest.raises(InputError, match="regions = "):
        table["regions"] = [{"mask": "a.png", "prompt": "x", "loras": [{"file": "b", "mask": "c.png"}]}]
        options_of_table(check_table(table, LOOK, "plan"), files=NamedFiles(path=Path("plan.toml")), where="plan")


@pytest.mark.parametrize(
    ("loras", "message"),
    [
        ({"weight": 1}, "names no file"),
        ({"file": "a", "weight": 12}, "weight lies between -10 and 10"),
        ({"file": "a", "wait": 1}, "no key 'wait'; the nearest is 'weight'"),
        (["a.safetensors:x"], "loras: the LoRA 'a.safetensors:x' has the weight 'x'"),
        (3, "a text or a list of texts or a table"),
    ],
)
def test_what_a_plan_cannot_say(loras: object, message: str) -> None:
    with pytest.raises(InputError) as caught:
        table = check_table({"prompt": "x", "loras": loras}, LOOK, "plan")
        options_of_table(table, files=NamedFiles(path=Path("plan.toml")), where="plan")
    assert message in f"{caught.value.message}: {caught.value.remedy}"


def test_an_id_of_the_hub_is_no_file_of_the_plan(tmp_path: Path) -> None:
    def loras() -> tuple[LoraSpec, ...]:
        table = {"prompt": "x", "loras": "owner/name"}
        files = NamedFiles(path=tmp_path / "plan.toml")
        return options_of_table(table, files=files, where="plan").loras

    assert loras() == (LoraSpec(path=Path("owner/name")),)
    (tmp_path / "owner" / "name").mkdir(parents=True)
    assert loras() == (LoraSpec(path=tmp_path / "owner" / "name"),)


def test_a_record_has_them_from_its_folder(tmp_path: Path) -> None:
    spec = LoraSpec(path=tmp_path / "a" / "ink.safetensors", weight=0.5, mask=parse_mask_spec("box:1,2,3,4"))
    request = RenderRequest(source=tmp_path / "in.mp4", options=RestyleOptions(prompt="x", loras=(spec,)))
    told = as_recorded(request, tmp_path)
    assert "a/ink.safetensors" in str(told)
    assert as_asked(told, tmp_path).options.loras == (spec,)


def test_looks_without_any_are_known_again_as_before() -> None:
    assert "loras" not in options_facts(RestyleOptions(prompt="x"))
    assert hashed(RestyleOptions(prompt="x").regions) == []
