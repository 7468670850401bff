"""The options of the written file, from the command line to `OutputOptions`."""

from __future__ import annotations

from dataclasses import asdict

import click
import pytest
from click.testing import CliRunner

from vedit.cli.shared_options import writing_options
from vedit.media.output import OutputOptions


def parsed(*arguments: str) -> OutputOptions:
    found: list[OutputOptions] = []

    @click.command()
    @writing_options
    def command(writing: OutputOptions) -> None:
        found.append(writing)

    CliRunner().invoke(command, arguments, catch_exceptions=False, standalone_mode=False)
    return found[0]


def test_nothing_said_is_the_default() -> None:
    assert parsed() == OutputOptions()


@pytest.mark.parametrize(
    ("arguments", "field", "value"),
    [
        (("--codec", "prores"), "codec", "prores"),
        (("--preset", "archive"), "preset", "archive"),
        (("--bit-depth", "10"), "bit_depth", 10),
        (("--hardware",), "hardware", True),
        (("--no-label",), "label", False),
        (("--no-sidecar",), "sidecar", False),
        (("--strict",), "strict", True),
        (("--overwrite",), "overwrite", True),
        (("--drop-unsupported",), "drop_unsupported", True),
        (("--drop-alpha",), "drop_alpha", True),
        (("--even",), "even", True),
        (("--interlaced", "weave"), "interlaced", "weave"),
    ],
)
def test_each_option_sets_its_own_field(arguments: tuple[str, ...], field: str, value: object) -> None:
    assert asdict(parsed(*arguments)) == {**asdict(OutputOptions()), field: value}


@pytest.mark.parametrize("arguments", [("--codec", "h265"), ("--bit-depth", "9"), ("--preset", "best")])
def test_what_is_not_there_is_refused(arguments: tuple[str, str]) -> None:
    with pytest.raises(click.BadParameter, match=arguments[1]):
        parsed(*arguments)


@pytest.mark.parametrize(
    ("arguments", "near"),
    [
        (("--codec", "prors"), "did you mean 'prores'?"),
        (("--preset", "Archve"), "did you mean 'archive'?"),
        (("--codec", "h265"), ""),  # one letter from h264, and another codec
        (("--preset", "best"), ""),
    ],
)
def test_a_choice_names_the_nearest(arguments: tuple[str, str], near: str) -> None:
    with pytest.raises(click.BadParameter) as told:
        parsed(*arguments)
    message = told.value.format_message()
    assert message.endswith(near)
    assert ("did you mean" in message) == bool(near)
    assert "is not one of" in message
