"""A low-rank change of a network's weights as the only thing that is trained (LoRA, Hu et al. 2021)."""

import math

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from vedit.models.lora import low_rank


class LowRank(nn.Module):
    """W -> W + B A, with A drawn and B zero: a new change changes nothing.

    Scaled down by nothing: with Adam the scale of B A is a learning rate, and a file without alpha means the same to
    whatever reads it.
    """

    def __init__(self, weight: Tensor, rank: int) -> None:
        super().__init__()
        outputs, inputs = weight.shape[0], weight.shape[1:]
        ones = (1,) * (weight.ndim - 2)
        self.lora_A = nn.Parameter(torch.empty(rank, *inputs, device=weight.device))
        self.lora_B = nn.Parameter(torch.zeros(outputs, rank, *ones, device=weight.device))
        nn.init.kaiming_uniform_(self.lora_A, a=math.sqrt(5))

    def forward(self, weight: Tensor) -> Tensor:
        return weight + low_rank(self.lora_A, self.lora_B, weight.shape)


class Changes(nn.Module):
    """The changes of every convolution and linear layer of a network, which is frozen otherwise.

    Args:
        network: float32, on its device; its layers are changed for good.
        rank: at least 1, of all layers.
    """

    def __init__(self, network: nn.Module, *, rank: int) -> None:
        super().__init__()
        network.requires_grad_(False)
        layers = {n: m for n, m in network.named_modules() if isinstance(m, nn.Conv2d | nn.Linear)}
        self.names = tuple(layers)
        self.changes = nn.ModuleList(LowRank(layer.weight, rank) for layer in layers.values())
        for layer, change in zip(layers.values(), self.changes, strict=True):
            parametrize.register_parametrization(layer, "weight", change)

    def pairs(self, state: dict[str, Tensor]) -> dict[str, tuple[Tensor, Tensor]]:
        """A state dict of this module as `vedit.models.lora.write_lora` takes it: (A, B) by layer."""
        return {
            name: (state[f"changes.{number}.lora_A"], state[f"changes.{number}.lora_B"])
            for number, name in enumerate(self.names)
        }
