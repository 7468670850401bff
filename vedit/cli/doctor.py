"""`vedit doctor`: what is installed, what is broken, and how to mend it."""

from __future__ import annotations

import click

from vedit.cli import params
from vedit.cli.console import count, say, show, show_json


@click.command("doctor", short_help="Examine this installation.")
@params.json_option
def doctor_command(*, as_json: bool) -> int:
    """Examine this installation: Python, torch, the libraries, encoders, weights, disk space and settings.

    \b
    Examples:
      vedit doctor
      vedit doctor --json

    Nothing is changed or downloaded. Exit codes: 0 nothing is broken, 1 something is.
    """
    from vedit.doctor import examine, healthy

    findings = examine()
    well = healthy(findings)
    if as_json:
        show_json({"healthy": well, "findings": findings})
    else:
        marks = {"ok": "ok", "note": "note", "broken": "BROKEN"}
        width = max(len(finding.name) for finding in findings)
        for finding in findings:
            show(f"{marks[finding.state]:<6}  {finding.name:<{width}}  {finding.found}")
            if finding.remedy:
                show(f"{'':<6}  {'':<{width}}  -> {finding.remedy}")
    broken = [finding.name for finding in findings if finding.state == "broken"]
    if broken:
        say(f"{count(len(broken), 'thing')} broken: {', '.join(broken)}")
    return 0 if well else 1
