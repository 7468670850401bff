"""`vedit models verify` and `vedit models remove`: what was pulled, held against its record or taken away."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from vedit.cli import completion, params
from vedit.cli.console import count, say, show, show_json, size
from vedit.errors import ModelError

if TYPE_CHECKING:
    from vedit.weights.pulled import Pulled


@click.command("verify", short_help="Hash again what was pulled.")
@click.argument("names", metavar="[NAME...]", nargs=-1, shell_complete=completion.pulled)
@params.json_option
def verify_command(*, names: tuple[str, ...], as_json: bool) -> int:
    """Hash the files of what was pulled, NAME alone or all of it, and compare them with what came then.

    Exit code 1 where a file is missing, cut off or another one.

    \b
    Examples:
      vedit models verify
      vedit models verify sd15 --json
    """
    from vedit.weights.pulled import altered_files

    told = [(one, altered_files(one)) for one in _named(names)]
    if as_json:
        facts = ("name", "repo", "revision", "folder", "size_bytes")
        show_json({"verified": [{**{key: getattr(one, key) for key in facts}, "altered": bad} for one, bad in told]})
    for one, bad in () if as_json else told:
        show(f"{one.name}: {count(len(one.files), 'file')}, {size(one.size_bytes)}, {'not as pulled' if bad else 'ok'}")
        for file, fault in bad.items():
            show(f"  {one.folder / file} {fault}")
    if not told and not as_json:
        say("nothing was pulled so far")
    bad = [one.name for one, faults in told if faults]
    if bad:
        say(f"run: vedit models pull {' '.join(bad)} --force")
    return 1 if bad else 0


@click.command("remove", short_help="Take away what was pulled.")
@click.argument("names", metavar="NAME...", nargs=-1, required=True, shell_complete=completion.pulled)
@click.option("--yes", is_flag=True, help="Do not ask.")
@params.json_option
def remove_command(*, names: tuple[str, ...], yes: bool, as_json: bool) -> None:
    """Take away what `pull` brought for NAME: not what another program put there, nor what another name needs.

    \b
    Examples:
      vedit models remove sd15
      vedit models remove owner/name --yes
    """
    from vedit.weights.pulled import remove

    found = _named(names)
    for one in found:
        brought = sum(int(one.files[file]["size"]) for file in one.fetched if file in one.files)
        say(f"{one.name}: {count(len(one.fetched), 'file')}, {size(brought)}, in {one.folder}")
    if not yes:
        if not sys.stdin.isatty():
            raise ModelError("nothing is removed unasked", remedy="add --yes")
        click.confirm("Take them away?", abort=True, err=True)
    freed = {one.name: 0 for one in found}
    for one in found:
        freed[one.name] += remove(one)
    if as_json:
        show_json({"removed": freed})
        return
    for name, bytes_freed in freed.items():
        show(f"{name}: {size(bytes_freed)} free")


def _named(names: tuple[str, ...]) -> tuple[Pulled, ...]:
    """What was pulled for these names, or for all. Raises ModelError for a name that nothing was pulled for."""
    from vedit.checks.nearest import suggest
    from vedit.weights.pulled import pulled

    found = pulled()
    known = list(dict.fromkeys(one.name for one in found))
    for name in names:
        if name not in known:
            raise ModelError(f"nothing was pulled as {name!r}", remedy=suggest(name, known, before="pulled: "))
    return tuple(one for one in found if not names or one.name in names)
