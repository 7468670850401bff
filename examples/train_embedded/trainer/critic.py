"""The critic of the adversarial stage: does a patch look drawn, beside the photograph that it was drawn from?

A patch discriminator (Isola et al. 2017, arXiv 1611.07004, section 3.2.2) that sees the source beside the picture, with
a head for each look (a projection onto one of so many classes; Liu et al. 2019, arXiv 1905.01723), spectral
normalisation (Miyato et al. 2018, arXiv 1802.05957) and a gradient penalty at the targets (Mescheder et al. 2018,
arXiv 1801.04406, R1).
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

WIDTH = 48
Judge = Callable[[Tensor, Tensor, Tensor], tuple[Tensor, list[Tensor]]]


class Critic(nn.Module):
    """Scores of patches of 46 pixels, every eighth of them; the larger, the more like a target.

    Args:
        looks: how many heads there are.
        width: channels of the first layer, doubled by the next two.
    """

    def __init__(self, looks: int, *, width: int = WIDTH) -> None:
        super().__init__()
        channels = (6, width, 2 * width, 4 * width, 4 * width)
        strides = (2, 2, 2, 1)
        self.layers = nn.ModuleList(
            spectral_norm(nn.Conv2d(before, after, 4, stride, 1))
            for before, after, stride in zip(channels, channels[1:], strides, strict=False)
        )
        self.heads = spectral_norm(nn.Conv2d(channels[-1], looks, 3, 1, 1))

    def forward(self, picture: Tensor, source: Tensor, look: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Scores (N, h, w) by the head of each picture's look, and what each layer made of it.

        Args:
            picture: (N, 3, H, W) in [-1, 1].
            source: the photographs, of the same shape and range.
            look: (N,), which head.
        """
        found, features = torch.cat([picture, source], dim=1), list[Tensor]()
        for layer in self.layers:
            found = F.leaky_relu(layer(found), 0.2)
            features.append(found)
        scores: Tensor = self.heads(found)
        return scores[torch.arange(len(look), device=look.device), look], features

    def held(self) -> Judge:
        """The critic as it is now: gradients go through it to the pictures and leave its weights alone."""
        weights = {name: value.detach() for name, value in self.named_parameters()}

        def judge(picture: Tensor, source: Tensor, look: Tensor) -> tuple[Tensor, list[Tensor]]:
            return torch.func.functional_call(self, weights, (picture, source, look))

        return judge


def hinge(real: Tensor, made: Tensor) -> Tensor:
    """The critic's error of its scores of targets and of what was made (Lim & Ye 2017, arXiv 1705.02894)."""
    return F.relu(1 - real).mean() + F.relu(1 + made).mean()


def gradient_penalty(judge: Judge, target: Tensor, source: Tensor, look: Tensor) -> Tensor:
    """Mean squared length of the gradient of a patch's score with respect to the target.

    Patches hardly overlap, so the squared length for the sum of their scores is about that of each, added up.
    """
    target = target.detach().requires_grad_()
    scores, _ = judge(target, source, look)
    (gradient,) = torch.autograd.grad(scores.sum(), target, create_graph=True)
    return gradient.square().sum((1, 2, 3)).mean() / scores[0].numel()
