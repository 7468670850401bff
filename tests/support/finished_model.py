"""A finished model of random weights and pictures to distil it on. Skips whoever imports it without the train extra."""

# The example is a script with its package beside it, on no checker's path.
# pyright: reportMissingImports=false

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip("skimage", reason="training needs the extra: pip install 'vedit[train]'")
pytest.importorskip("scipy", reason="training needs the extra: pip install 'vedit[train]'")

EXAMPLE = Path(__file__).parents[2] / "examples" / "train_embedded"
if str(EXAMPLE) not in sys.path:
    sys.path.insert(0, str(EXAMPLE))

from trainer.batches import Batch, rng_for  # noqa: E402
from trainer.export import Networks, export  # noqa: E402
from trainer.form import new_autoencoder  # noqa: E402
from trainer.waking import wake_controlnets  # noqa: E402

from vedit.models.distilled import Schedule  # noqa: E402

CPU = torch.device("cpu")
SAMPLING = (751, 401)
DRAFT = Schedule(sampling=SAMPLING, inversion=(1,))
SCHEDULES = {
    "draft": DRAFT,
    "standard": Schedule(sampling=(801, 601, 401, 201), inversion=(401, 101), fixed_point=2),
}
PROMPTS = ("night", "", "watercolor", "a comic")


def write_finished(folder: Path) -> Path:
    """A model with the embedded one's parts, narrow."""
    torch.manual_seed(3)
    networks = Networks.new(widths=(16, 16, 32), norm_groups=8)
    wake_controlnets(networks)
    export(new_autoencoder(channels=16), networks, folder)
    return folder


def small_pairs(number: int, *, seed: int, packs: Path) -> Batch:
    """Batch `number` of pictures that are nothing but noise and its negative."""
    del packs
    source = rng_for(seed, number).integers(0, 256, (2, 3, 32, 32), dtype=np.uint8)
    return {"source": source, "target": 255 - source, "prompt": np.array([PROMPTS[number % 4], "night"])}
