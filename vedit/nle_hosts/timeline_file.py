"""Kdenlive, Premiere, Final Cut: restyle a project or an exported timeline, and say how the result comes back in.

    python3 vedit_timeline.py FILE [--edits looks.toml] [-o FILE] [OPTION OF `vedit timeline` ...]

See the pages under docs/nle/.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vedit.nle_hosts.launch import HostError, Run, Spoken, find_vedit

LOOKS = "looks.toml"
_BACK = {
    ".kdenlive": "open it in Kdenlive: File > Open; it may ask to reload clips",
    ".xml": "import it in Premiere: File > Import; it becomes a sequence of its own",
    ".fcpxml": "import it in Final Cut: File > Import > XML, or drop it on the event",
    ".fcpxmld": "import it in Final Cut: File > Import > XML, or drop it on the event",
    ".otio": "import it where the first one was exported",
    ".aaf": "import it where the first one was exported",
}


def main(words: Sequence[str] | None = None) -> int:
    """Restyle one file. Returns the exit code."""
    parser = argparse.ArgumentParser(
        description="Restyle clips of a project or timeline; further options go to 'vedit timeline'."
    )
    parser.add_argument(
        "file", type=Path, help="a .kdenlive project, an FCP7 .xml, an .fcpxml or .fcpxmld, .otio, .aaf"
    )
    parser.add_argument("--edits", type=Path, help=f"the looks; else {LOOKS} beside FILE or this script")
    parser.add_argument("-o", "--output", type=Path, help="the result; without it NAME.vedit.EXT beside FILE")
    given, more = parser.parse_known_args(words)
    here = Path(__file__).resolve().parent
    try:
        source = given.file.expanduser().resolve()
        if not source.exists():
            raise HostError(f"{given.file} is not there")
        if source.suffix.lower() not in _BACK:
            raise HostError(f"{source.name} is none of {', '.join(_BACK)}")
        edits = given.edits or next((f / LOOKS for f in (source.parent, here) if (f / LOOKS).is_file()), None)
        output = given.output or source.with_name(f"{source.stem}.vedit{source.suffix}")
        looks = [] if edits is None else ["--edits", str(edits.expanduser().absolute())]
        words = [find_vedit([here]), "timeline", str(source), *looks, "-o", str(output.expanduser().absolute())]
        restyle_timeline([*words, "--json", "--progress=json", *more])
    except HostError as error:
        say(str(error))
        return 1
    say(f"{output}: {_BACK[source.suffix.lower()]}")
    return 0


def restyle_timeline(words: Sequence[str]) -> dict[str, Any]:
    """Run `vedit timeline` and tell how it goes. Raises HostError with its words where it failed."""
    spoken = Spoken()

    def tell(event: dict[str, Any]) -> None:
        line = spoken.line(event)
        if line:
            say(line)

    return Run(list(words)).follow(tell)


def say(line: str) -> None:
    """A line on the terminal."""
    print(f"vedit: {line}", flush=True)  # noqa: T201 - a script's terminal


if __name__ == "__main__":
    sys.exit(main())
