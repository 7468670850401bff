"""The options that say a prompt in words, and read it from a file where it is long or made by another program."""

from __future__ import annotations

from pathlib import Path

import click

from vedit.cli.grouped import option
from vedit.errors import InputError

_MOST_BYTES = 64 * 2**10
"""Of a prompt in a file: a hundred times what any model reads."""
prompt_file_option = option(
    "--prompt-file",
    type=click.Path(path_type=Path, allow_dash=True),
    metavar="FILE",
    help="Read the prompt from a text file; - is stdin.",
    stage="look",
)


def said_prompt(prompt: str, prompt_file: Path | None) -> str:
    """What `--prompt` says, or what is in the file of `--prompt-file`, in one line.

    Raises:
        InputError: the file cannot be read, or is no text of a prompt's size.
        click.UsageError: both are given.
    """
    if prompt_file is None:
        return prompt
    if prompt.strip():
        raise click.UsageError("--prompt and --prompt-file exclude each other")
    name = "stdin" if prompt_file == Path("-") else str(prompt_file)
    try:
        with click.open_file(str(prompt_file), "rb") as stream:
            raw = stream.read(_MOST_BYTES + 1)
    except OSError as error:
        raise InputError(f"{name} cannot be read: {error.strerror}", remedy="check the path of --prompt-file") from None
    if len(raw) > _MOST_BYTES:
        raise InputError(
            f"{name} holds more than {_MOST_BYTES // 2**10} kB", remedy="give a text file that says the look in words"
        )
    try:
        text = " ".join(raw.decode("utf-8-sig").split())
    except UnicodeDecodeError:
        raise InputError(f"{name} is no text in UTF-8", remedy="save the prompt as UTF-8") from None
    if any(ord(sign) < ord(" ") for sign in text):
        raise InputError(f"{name} is no text: it holds control characters", remedy="give a text file")
    if not text:
        raise InputError(f"{name} is empty", remedy='write the look into it, for instance "woodcut"')
    return text
