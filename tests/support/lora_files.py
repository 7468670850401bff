"""LoRA files of random numbers for the models of `vedit.testing`, in every layout, and what each adds to a weight."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

Tensors = dict[str, torch.Tensor]
TO_K = "down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k"
TO_OUT = "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_out.0"
CONV = "down_blocks.0.resnets.0.conv1"
PROJ = "up_blocks.1.attentions.1.proj_in"
FC1 = "encoder.layers.0.mlp.fc1"
Q = "encoder.layers.0.self_attn.q_proj"
RANK, ALPHA = 3, 2.0
FACTOR = ALPHA / RANK


def weights_of(folder: Path, part: str) -> Tensors:
    """A part's tensors, by today's names."""
    (file,) = (folder / part).glob("*.safetensors")
    return {key.removeprefix("text_model."): value.float() for key, value in load_file(file).items()}


def drawn(*shape: int, seed: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)) * 0.3


def pair(weight: torch.Tensor, *, seed: int, rank: int = RANK) -> tuple[torch.Tensor, torch.Tensor]:
    """(A, B) for a weight: of a convolution A has the kernel."""
    outputs, *inputs = weight.shape
    ones = [1 for _ in inputs[1:]]
    return drawn(rank, *inputs, seed=seed), drawn(outputs, rank, *ones, seed=seed + 1000)


def product(pair: tuple[torch.Tensor, torch.Tensor], weight: torch.Tensor) -> torch.Tensor:
    """B A, by the sum over the rank written out."""
    down, up = pair
    return sum(  # pyright: ignore[reportReturnType]
        up.flatten(1)[:, r].reshape(-1, *[1] * (weight.ndim - 1)) * down[r][None] for r in range(len(down))
    )


def write(path: Path, tensors: Mapping[str, torch.Tensor], metadata: dict[str, str] | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({key: value.contiguous().clone() for key, value in tensors.items()}, path, metadata)
    return path


def write_kohya(
    path: Path,
    model: Path,
    *,
    modules: Mapping[str, tuple[str, ...]] | None = None,
    alpha: float | None = ALPHA,
    name_of: Callable[[str, str], str] | None = None,
    seed: int = 0,
) -> Mapping[str, Tensors]:
    """A file in kohya's layout; returns what it adds to each weight, by part and module.

    Args:
        path: of the file.
        model: a folder, by whose weights the shapes are.
        modules: of each part.
        alpha: of all modules.
        name_of: (part, module) -> what the file calls it.
        seed: of the numbers.
    """
    modules = modules or {"unet": (TO_K, TO_OUT, CONV, PROJ), "text_encoder": (FC1, Q)}
    tensors: Tensors = {}
    added: dict[str, Tensors] = {}
    for part, names in modules.items():
        weights = weights_of(model, part)
        for number, name in enumerate(names):
            weight = weights[f"{name}.weight"]
            both = pair(weight, seed=seed + number + 100 * len(part))
            stem = (name_of or kohya_name)(part, name)
            tensors |= {f"{stem}.lora_down.weight": both[0], f"{stem}.lora_up.weight": both[1]}
            if alpha is not None:
                tensors[f"{stem}.alpha"] = torch.tensor(alpha)
            factor = 1.0 if alpha is None else alpha / RANK
            added.setdefault(part, {})[name] = product(both, weight) * factor
    write(path, tensors)
    return added


def kohya_name(part: str, module: str) -> str:
    before = {"unet": "lora_unet_", "text_encoder": "lora_te_text_model_", "text_encoder_2": "lora_te2_text_model_"}
    return before[part] + module.replace(".", "_")


def diffusers_name(part: str, module: str) -> str:
    return f"{part}.{'' if part == 'unet' else 'text_model.'}{module}"


def renamed(path: Path, to: Path, key_of: Callable[[str], str]) -> Path:
    """A file once more, under other keys."""
    return write(to, {key_of(key): value for key, value in load_file(path).items()})
