"""What the ablation compares: variants of one small model, each other than the base in one choice, and what they share.

Both widths variants have about as many parameters as the base, 3.6 M at widths 32, 64, 96.
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Any, Literal

from trainer.diffusion import DROP_CONTROL, FLICKER
from trainer.form import LATENT_CHANNELS
from trainer.objectives import HALF_MIN_SNR
from trainer.pairs import DROP_PLAIN, DROP_STYLED

Group = Literal["base", "latent channels", "widths", "words dropped", "controls dropped", "flicker", "objective"]
BASE, STILL = "base", "no flicker term"


@dataclass(frozen=True, kw_only=True)
class Variant:
    """One model of the table.

    Attributes:
        name: how it is listed.
        beside: the name of the variant that it differs from in one choice.
        seed: of weights, batches and noise.
        latents: channels of the autoencoder's code.
        widths: of the UNet and of each ControlNet, relative to those of the run.
        drop_words: how often the words of a styled picture and of a plain photograph are left out.
        drop_control: how often each ControlNet is silenced.
        flicker: weight of what twins disagree by.
        objective: one of `trainer.objectives.OBJECTIVES`; the base has plain v, which is not what `train.py` trains on.
    """

    name: str
    group: Group
    beside: str = BASE
    seed: int = 0
    latents: int = LATENT_CHANNELS
    widths: tuple[float, float] = (1.0, 1.0)
    drop_words: tuple[float, float] = (DROP_STYLED, DROP_PLAIN)
    drop_control: float = DROP_CONTROL
    flicker: float = FLICKER
    objective: str = "v"


VARIANTS = (
    Variant(name=BASE, group="base"),
    Variant(name="base, seed 1", group="base", seed=1),
    Variant(name="base, seed 2", group="base", seed=2),
    Variant(name="4 channels", group="latent channels", latents=4),
    Variant(name="8 channels", group="latent channels", latents=8),
    Variant(name="32 channels", group="latent channels", latents=32),
    Variant(name="wide UNet, narrow ControlNets", group="widths", widths=(1.15, 0.5)),
    Variant(name="narrow UNet, wide ControlNets", group="widths", widths=(0.85, 1.3)),
    Variant(name="words never dropped", group="words dropped", drop_words=(0.0, 0.0)),
    Variant(name="words dropped, 25 % and 60 %", group="words dropped", drop_words=(0.25, 0.60)),
    Variant(name="controls never dropped", group="controls dropped", drop_control=0.0),
    Variant(name="each control dropped, 40 %", group="controls dropped", drop_control=0.4),
    Variant(name=STILL, group="flicker", flicker=0.0),
    # The flicker term is taken of the picture that an output stands for. Each objective would weigh it otherwise.
    Variant(name="epsilon", group="objective", beside=STILL, flicker=0.0, objective="epsilon"),
    Variant(name="flow matching", group="objective", beside=STILL, flicker=0.0, objective="flow"),
    Variant(
        name="v, zero terminal SNR", group="objective", beside=STILL, flicker=0.0, objective="v, zero terminal SNR"
    ),
    Variant(name="v, min-SNR weights", group="objective", beside=STILL, flicker=0.0, objective="v, min-SNR weights"),
    Variant(name=HALF_MIN_SNR, group="objective", beside=STILL, flicker=0.0, objective=HALF_MIN_SNR),
)
BASE_SEEDS = tuple(variant.name for variant in VARIANTS if variant.group == "base")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What all variants of one table share.

    Attributes:
        steps: of each variant.
        autoencoder_steps: of each autoencoder; variants with as many channels share one.
        widths: of UNet and ControlNets, multiples of 32.
        crop: side of the training crops in pixels, a multiple of 32.
        batch: pictures in a batch, twins included.
        looks: names of the looks that are learnt.
        pictures: styled pictures at most.
        rate: peak learning rate.
        photos: held-out photographs.
        side: of the pictures that are measured, at most 256.
        sampling_steps: network evaluations of a sampling (twice as many with guidance).
        guidance: of classifier-free guidance; 1 is none.
    """

    steps: int
    autoencoder_steps: int
    widths: tuple[int, int, int]
    crop: int
    batch: int
    looks: tuple[str, ...]
    pictures: int
    rate: float
    photos: int
    side: int
    sampling_steps: int
    guidance: float

    def as_json(self) -> dict[str, Any]:
        """As a JSON file gives it back."""
        return json.loads(json.dumps(asdict(self)))

    @property
    def digest(self) -> str:
        """Tells runs of other settings apart."""
        return hashlib.sha256(json.dumps(self.as_json(), sort_keys=True).encode()).hexdigest()[:10]
