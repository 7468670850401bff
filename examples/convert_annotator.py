"""Convert a detector of controlnet-aux, published as a pickle, to the safetensors that vedit loads.

    python examples/convert_annotator.py hed ControlNetHED.pth ~/vedit-weights
    export VEDIT_MODEL_DIR=~/vedit-weights
    vedit controls clip.mp4 --kind softedge-hed -o edges.mp4

vedit itself never opens a pickle. Run this once, on a file that you fetched from a place you trust: it is opened with
`weights_only=True`, so that tensors are read and no code is run.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from vedit.weights.store import info


def tensors(loaded: Any) -> dict[str, torch.Tensor]:
    """The weights in a checkpoint, out of the wrapping that training left around them."""
    for key in ("state_dict", "model"):
        if isinstance(loaded, dict) and isinstance(loaded.get(key), dict):
            loaded = loaded[key]
    found = {str(name).removeprefix("module."): value for name, value in loaded.items() if torch.is_tensor(value)}
    return {name: value.detach().clone().contiguous() for name, value in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", help="of the weights, as `vedit models` lists them")
    parser.add_argument("pickle", type=Path, help="the file that was fetched")
    parser.add_argument("folder", type=Path, help="the folder that VEDIT_MODEL_DIR names")
    args = parser.parse_args()
    state = tensors(torch.load(args.pickle, map_location="cpu", weights_only=True))
    if not state:
        parser.error(f"{args.pickle} holds no tensors")
    target = args.folder / info(args.name).name / "model.safetensors"
    target.parent.mkdir(parents=True, exist_ok=True)
    save_file(state, target)
    print(f"{target}: {len(state)} tensors")


if __name__ == "__main__":
    main()
