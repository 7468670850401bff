"""The options of `vedit restyle`, and the look that they say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from vedit.checks.setting import settings_of
from vedit.cli import params
from vedit.cli.console import count
from vedit.cli.grouped import option
from vedit.cli.mask_params import MASK_OPTIONS, lora_choices, mask_choices, region_choices
from vedit.cli.models_local import model_dir_option
from vedit.cli.prompts import prompt_file_option, said_prompt
from vedit.cli.setting_options import Command, decorated, gathered, option_of, options_of, values_of
from vedit.cli.shared_options import job_options, messages_options, side_by_side_option, writing_options
from vedit.errors import InputError
from vedit.options.embeddings import parse_embedding
from vedit.options.loras import parse_loras
from vedit.options.masks import parse_region
from vedit.options.painted import painted
from vedit.options.references import parse_reference
from vedit.options.request import RenderRequest, RestyleOptions
from vedit.types import ControlSpec

_LOOK = (
    *options_of(RestyleOptions, "prompt"),
    prompt_file_option,
    *(option_of(one) for one in settings_of(RestyleOptions) if one.option and one.name not in ("prompt", "regions")),
    *options_of(ControlSpec),
    *MASK_OPTIONS,
    *options_of(RestyleOptions, "regions"),
)


def look_of(**values: Any) -> RestyleOptions:
    """The values of the options that say how the picture changes.

    Raises:
        InputError: there is no prompt, or a value cannot be understood.
        click.UsageError: two options do not go together.
    """
    prompt = said_prompt(values["prompt"], values["prompt_file"])
    regions = tuple(parse_region(text) for text in values["region_texts"])
    keyframe = painted(values["keyframe_texts"])
    if not prompt.strip() and not regions and not keyframe:
        raise InputError("the prompt is empty", remedy='say the look, for instance --prompt "woodcut"')
    mask = mask_choices(**values)
    loras = parse_loras(values["lora_texts"])
    shaped = [f"--{name}" for name in ("grow", "feather") if values[name]]
    if shaped and not regions and mask is None and all(lora.mask is None for lora in loras):
        raise click.UsageError(f"{shaped[0]} has no mask to act on: name one with --mask, --mask-box or --subject")
    controls = params.controls(values["control_texts"])
    if values["keep"] is not None and controls is not None:
        raise click.UsageError("--keep and --control exclude each other")
    usual = RestyleOptions().controls
    said: dict[str, Any] = values_of(RestyleOptions, values) | {"prompt": prompt}
    return RestyleOptions(
        **said,
        controls=params.controls_from(values["from_texts"], usual if controls is None else controls),
        mask=mask,
        regions=region_choices(regions, **values),
        loras=lora_choices(loras, **values),
        references=tuple(map(parse_reference, values["reference_texts"])),
        embeddings=tuple(map(parse_embedding, values["embedding_texts"])),
        keyframe=keyframe,
    )


look_options = gathered("look", _LOOK, look_of)
"""`look: RestyleOptions`."""
_INSTEAD = (
    option("--dry-run", is_flag=True, help="Print the plan and stop.", stage="run", common=True),
    option(
        "--preview",
        is_flag=True,
        help="Render three stills per shot into OUT.LOOK.preview.png and stop.",
        stage="run",
        common=True,
    ),
    option(
        "--prepare-only",
        is_flag=True,
        help="Write OUT.vedit/run.json and stop: 'vedit unit' makes its parts anywhere, 'vedit finish' the result.",
        stage="run",
    ),
    option(
        "--count",
        "seeds",
        type=click.IntRange(min=1, max=64),
        metavar="N",
        help="Make one frame under N seeds, from --seed on, as OUT.seed-S.png, and stop.",
        stage="run",
    ),
    option(
        "--at",
        metavar="TIME",
        help="The frame of --count: seconds, timecode or #frame.  [default: the middle]",
        stage="run",
    ),
)


@dataclass(frozen=True, kw_only=True)
class Instead:
    """What is made in the place of the result."""

    dry_run: bool
    preview: bool
    prepare_only: bool
    seeds: int | None
    at: str | None

    def check(
        self,
        sources: Sequence[Path],
        side_by_side: Path | None,
        *,
        evaluate: bool = False,
        profile: bool = False,
        workers: int | None = None,
    ) -> None:
        """Refuse what does not go together.

        Raises:
            InputError: several inputs go into one file.
            click.UsageError: two options exclude each other.
        """
        said = {
            "--dry-run": self.dry_run,
            "--preview": self.preview,
            "--count": self.seeds is not None,
            "--prepare-only": self.prepare_only,
        }
        others = [name for name, given in said.items() if given]
        if len(others) > 1:
            raise click.UsageError(f"{others[0]} and {others[1]} exclude each other")
        if side_by_side is not None and others and others[0] in ("--count", "--prepare-only"):
            raise click.UsageError(f"{others[0]} and --side-by-side exclude each other")
        if evaluate and others:
            raise click.UsageError(f"--evaluate and {others[0]} exclude each other: there is no result to measure")
        if profile and others:
            raise click.UsageError(f"--profile and {others[0]} exclude each other: there is no render to measure")
        if workers is not None and others and others[0] != "--dry-run":
            raise click.UsageError(f"--workers and {others[0]} exclude each other: nothing is sampled on them")
        if self.at is not None and self.seeds is None:
            raise click.UsageError("--at names the frame of --count: add it, or leave --at out")
        if self.seeds is not None and len(sources) > 1:
            raise click.UsageError("--count makes variations of one input: name one")
        if side_by_side is not None and len(sources) > 1:
            raise InputError(
                f"--side-by-side names one file, for {count(len(sources), 'input')}",
                remedy="leave it out, or name one input",
            )


_OPTIONS = (
    look_options,
    job_options,
    model_dir_option,
    *options_of(RenderRequest, "output"),
    side_by_side_option,
    writing_options,
    option(
        "--evaluate",
        is_flag=True,
        help="Measure the result against INPUT and keep the report in OUT.vedit.json; see 'vedit evaluate'.",
        stage="run",
    ),
    option(
        "--profile",
        is_flag=True,
        help="Say after the render what each of its stages took: seconds, their share, and memory.",
        stage="run",
    ),
    option(
        "--workers",
        type=click.IntRange(min=1, max=64),
        metavar="N",
        help="Sample on N processes of this machine, one for each GPU where there are several.  [default: this one]",
        stage="run",
    ),
    gathered("instead", _INSTEAD, Instead),
    messages_options,
)


def restyle_options(command: Command) -> Command:
    """Give a command's function all of them, gathered into ten arguments.

    Args:
        command: takes `look`, `job`, `output`, `side_by_side`, `writing`, `evaluate`, `profile`, `workers`, `instead`
            and `messages`.
    """
    return decorated(command, _OPTIONS)
