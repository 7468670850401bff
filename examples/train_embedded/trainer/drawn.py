"""Looks taught to the UNet alone: what they begin with, and their weights as a low-rank change of the model's own."""

from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from trainer.adversarial import Players
from trainer.checkpoint import read_head
from trainer.starting import MisfitError
from vedit.models.distilled import DistilledWeights, withdraw_other, write_settings
from vedit.models.lora import write_lora


def begin_with(players: Players, folder: Path) -> None:
    """Set the UNet and the critic to those of a run of the adversarial stage; the ControlNets stay.

    Args:
        players: of the run that begins.
        folder: the state of the other run; of its UNet the averaged weights are taken.

    Raises:
        MisfitError: there is no state, or it is of other networks.
    """
    head = read_head(folder)
    if head is None:
        raise MisfitError(f"{folder} holds no saved state to begin with")
    tensors = load_file(folder / Path(head["tensors"]).name)

    def under(prefix: str) -> dict[str, Tensor]:
        return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}

    try:
        players.networks.unet.load_state_dict(under("ema.networks.unet."))
        players.critic.load_state_dict(under("model.critic."))
        players.texture.copy_(tensors["model.texture"])
    except (RuntimeError, KeyError) as error:
        raise MisfitError(f"{folder} is of other networks: {str(error).splitlines()[0]}") from error


def write_drawn(tier: DistilledWeights, own: nn.Module, learnt: dict[str, Tensor], *, rank: int) -> int:
    """Write a fast tier whose change leads from the model's own weights to those that were learnt.

    Args:
        tier: where it goes, and what its settings say.
        own: the UNet as the model has it.
        learnt: its averaged weights by name.
        rank: of the change of each layer, at least 1; what is no layer's matrix (a bias, a norm) stays as it is.

    Returns:
        The size of the weights in bytes.
    """
    pairs = {
        name.removesuffix(".weight"): factors(learnt[name].cpu() - value.detach().cpu(), rank)
        for name, value in own.named_parameters()
        if name.endswith(".weight") and value.ndim >= 2
    }
    withdraw_other(tier)
    size = write_lora(tier.weights, pairs)
    write_settings(tier)
    return size


def factors(change: Tensor, rank: int) -> tuple[Tensor, Tensor]:
    """The nearest A (r, I, ...) and B (O, r, ...) to a change (O, I, ...) (Eckart & Young 1936).

    The singular values are shared between the two, so that float16 holds both.
    """
    left, values, right = torch.linalg.svd(change.float().flatten(1), full_matrices=False)
    shared = values[:rank].sqrt()
    up = (left[:, :rank] * shared).view(change.shape[0], -1, *(1 for _ in change.shape[2:]))
    return (shared[:, None] * right[:rank]).view(-1, *change.shape[1:]), up
