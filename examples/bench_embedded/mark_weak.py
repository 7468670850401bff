"""Which looks stay weak, by the figures of `bench.py`: marked in the weights' looks.json, where vedit reads it.

    python examples/bench_embedded/mark_weak.py            # says which, of the figures in docs/embedded.md
    python examples/bench_embedded/mark_weak.py --write    # and marks them in vedit/embedded/looks.json

A medium or a material is its strokes and its surface: it is weak where the texture of its results has 0.6 or more of
the untouched photograph's distance to the target. A light or a tone is its colours: it is weak from 0.4 on.
"""

import argparse
import json
import sys
from pathlib import Path

from scores.rendering import fingerprint
from scores.weak import marked, weak_looks

from vedit.models.source import LOOKS

ROOT = Path(__file__).resolve().parents[2]


def main() -> None:
    """Print the weak looks; with --write, mark them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--figures", type=Path, default=ROOT / "docs" / "embedded.md", help="of bench.py, as markdown")
    parser.add_argument("--weights", type=Path, default=ROOT / "vedit" / "embedded", help="what they are of")
    parser.add_argument("--write", action="store_true", help="mark the looks in looks.json of the weights")
    args = parser.parse_args()
    figures = args.figures.read_text("utf-8")
    if fingerprint(args.weights) not in figures:
        print(f"{args.figures} has no figures of these very files; measure again if weights differ", file=sys.stderr)
    weak = weak_looks(figures)
    for name, reason in weak.items():
        print(f"{name}: {reason}")
    if args.write:
        file = args.weights / LOOKS
        document = json.loads(file.read_text("utf-8"))
        file.write_text(json.dumps(marked(document, weak), indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
