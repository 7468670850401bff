"""What a look of a timeline asks of a render: its options and its model."""

from __future__ import annotations

from dataclasses import dataclass

from vedit.edits.confined_paths import NamedFiles
from vedit.errors import InputError
from vedit.models.source import DEFAULT
from vedit.nle.looks import Look
from vedit.options.look_parser import look_options as options_of
from vedit.options.request import RestyleOptions


@dataclass(frozen=True, kw_only=True)
class LookOptions:
    """What a look asks of a render."""

    options: RestyleOptions
    model: str = DEFAULT


def look_options(look: Look, *, files: NamedFiles) -> LookOptions:
    """A look's settings as options.

    Args:
        look: its settings as they are written; keys and values were checked.
        files: where the files that it names may lie.

    Raises:
        InputError: a value is not understood, or names a file that it may not name; the message names look and key.
    """
    where = f"look {look.name!r}"
    settings = {key: value for key, value in look.settings.items() if key != "model"}
    options = options_of(settings, files=files, where=where)
    if options.keyframe:
        raise InputError(
            f"{where} has painted frames, which are of one clip, not of a cut",
            remedy="render that clip by itself, with `vedit restyle`, and leave keyframe out",
        )
    if not options.says_prompts:
        raise InputError(f"{where} has no prompt", remedy='write prompt = "ink drawing"')
    model = str(look.settings.get("model", DEFAULT)).strip()
    if not model:
        raise InputError(f"{where}, model: it is empty", remedy="name one, or leave the key out")
    return LookOptions(options=options, model=files.model(model))
