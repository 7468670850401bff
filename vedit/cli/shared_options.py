"""Sets of options that several commands have, each of them one argument of the command."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from vedit.checks.setting import settings_of
from vedit.cli import params
from vedit.cli.grouped import option
from vedit.cli.setting_options import gathered, held, option_of, options_of, values_of
from vedit.media.output import OutputOptions
from vedit.options.request import RenderRequest, RestyleOptions
from vedit.options.source import SourceOptions
from vedit.options.table import setting_of


@dataclass(frozen=True, kw_only=True)
class Messages:
    """What a command says, and to whom."""

    as_json: bool
    quiet: bool = False


overwrite_option = option_of(setting_of(OutputOptions, "overwrite"))
allow_unknown_option = option_of(setting_of(RestyleOptions, "allow_unknown"))
fresh_option = option_of(setting_of(RenderRequest, "fresh"))
side_by_side_option = option(
    "--side-by-side",
    type=params.FILE,
    metavar="FILE",
    help="Also write source and result side by side.",
    stage="output",
)
PROMPT = setting_of(RestyleOptions, "prompt")

messages_options = gathered("messages", (params.json_option, params.progress_option, params.quiet_option), Messages)
"""`messages: Messages`."""
reading_options = held("reading", SourceOptions)
"""`reading: dict`, all of `SourceOptions`."""
whole_clip_options = held("reading", SourceOptions, "rate", "track", "allow_huge", "interlaced")
"""The same without a part of the clip."""
job_options = held(
    "job", RenderRequest, *(one.name for one in settings_of(RenderRequest) if one.option and one.name != "output")
)
"""`job: dict`, what `RenderRequest` holds beside the source, its look and what is written."""


def output_choices(**values: Any) -> OutputOptions:
    """The values of the options of `OutputOptions`."""
    return OutputOptions(**values_of(OutputOptions, values))


writing_options = gathered("writing", options_of(OutputOptions), output_choices)
"""`writing: OutputOptions`."""
