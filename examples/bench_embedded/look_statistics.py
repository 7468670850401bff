"""Make the statistics of the looks that `vedit evaluate` tells a result's look by.

    python examples/bench_embedded/look_statistics.py PHOTOS --count 50 --out vedit/evaluation/look_statistics.json

The training styles dress photographs in every look that the model knows; what their features are like, and how far
they spread, is written as JSON. With --check, photographs that were left out are dressed too, and how many of their
looks are told is printed.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "train_embedded")]

from scores.data import SIDE, Photographs, looks_of, photographs  # noqa: E402
from trainer.looks import Look  # noqa: E402

from vedit.evaluation.look_features import look_features  # noqa: E402
from vedit.models.resolve import resolve  # noqa: E402
from vedit.models.source import DEFAULT  # noqa: E402

DIRECTIONS = 24
SHRINK = 0.1
"""Of the covariance to its diagonal: features hang together more in few photographs than they do."""
PLAIN = "photograph"


def features_of(held: Photographs, looks: Sequence[Look]) -> np.ndarray:
    """(1 + looks, photographs, 67): of the photographs as they are, then in each look."""
    sources = held.sources()
    rows = [_features(sources, sources)]
    for look in looks:
        rows.append(_features(sources, held.targets(look)))
        print(f"{len(rows) - 1} of {len(looks)}: {look.name}", file=sys.stderr)
    return np.stack(rows)


def statistics(features: np.ndarray, names: Sequence[str]) -> dict[str, object]:
    """What `vedit.evaluation.metrics.look` reads: directions in which pictures of a look have a covariance of 1."""
    means = features.mean(axis=1)
    middle = means.mean(axis=0)
    off = (features - means[:, None]).reshape(-1, features.shape[2])
    scale = off.std(axis=0) + 1e-6
    covariance = (1 - SHRINK) * np.cov((off / scale).T) + SHRINK * np.eye(len(scale))
    values, vectors = np.linalg.eigh(covariance)
    whitening = (vectors / np.sqrt(values)) / scale[:, None]
    _, _, ways = np.linalg.svd((means - middle) @ whitening, full_matrices=False)
    directions = whitening @ ways[:DIRECTIONS].T
    places = (means - middle) @ directions
    return {"names": list(names), "middle": _short(middle), "directions": _short(directions), "places": _short(places)}


def told(found: dict[str, object], features: np.ndarray) -> float:
    """The share of pictures whose own look is the nearest."""
    middle, directions, places = (np.array(found[key]) for key in ("middle", "directions", "places"))
    place = (features - middle) @ directions
    nearest = np.square(place[:, :, None] - places).sum(axis=3).argmin(axis=2)
    return float((nearest == np.arange(len(features))[:, None]).mean())


def _features(sources: torch.Tensor, results: torch.Tensor) -> np.ndarray:
    # As decoded from 8 bits, so that the statistics do not tell rounded pictures from others.
    pairs = (np.rint(part.permute(0, 2, 3, 1).numpy() * 255) / np.float32(255) for part in (sources, results))
    return np.stack([look_features(source, result) for source, result in zip(*pairs, strict=True)])


def _short(values: np.ndarray) -> object:
    return json.loads(json.dumps(values.tolist()), parse_float=lambda text: float(f"{float(text):.5g}"))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("photos", type=Path, help="folder of photographs with a manifest")
    parser.add_argument("--count", type=int, default=50, help="photographs behind the statistics")
    parser.add_argument("--check", type=int, default=0, metavar="COUNT", help="photographs to try them on")
    parser.add_argument("--out", type=Path, required=True, help="the JSON file to write")
    args = parser.parse_args()
    looks = looks_of(Path(resolve(DEFAULT).source.base))
    names = [PLAIN, *(look.name for look in looks)]
    found = statistics(features_of(photographs(args.photos, split="train", count=args.count), looks), names)
    args.out.write_text(json.dumps(found) + "\n", "utf-8")
    print(f"{args.out}: {len(names)} looks at {SIDE} pixels")
    if args.check:
        share = told(found, features_of(photographs(args.photos, split="eval", count=args.check), looks))
        print(f"of pictures of photographs left out, {share:.1%} are nearest to their own look")


if __name__ == "__main__":
    main()
