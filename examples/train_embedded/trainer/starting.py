"""Begin from finished weights: a diffusers folder that this trainer wrote, perhaps with fewer words than there are now.

Everything is loaded by name and must have the shape it has here. Token embeddings go by the token's string, since one
new word renumbers the whole vocabulary.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import torch
from diffusers.models.autoencoders.autoencoder_tiny import AutoencoderTiny
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from trainer.checkpoint import read_facts
from trainer.export import CONTROLS, Networks

WEIGHTS = "diffusion_pytorch_model.safetensors"
EMBEDDING = "embeddings.token_embedding.weight"
KEY = "started_from"
OBJECTIVE = "objective"
FIRST_OBJECTIVE = "v"
"""Of states that do not say."""


class MisfitError(ValueError):
    """The folder cannot be begun from; the message is one line."""


@dataclass(frozen=True, kw_only=True)
class Start:
    """How a stage begins.

    Attributes:
        load: the folder whose weights it begins with; None where a saved state goes on, or nothing was asked for.
        facts: what its state is to keep of this, for later runs.
    """

    load: Path | None
    facts: dict[str, str]

    @property
    def finished(self) -> bool:
        """Whether the run began from finished weights, now or when its state was new."""
        return bool(self.facts[KEY])


def start_of(state_folder: Path, start_from: Path | None, *, objective: str | None = None) -> Start:
    """Settle how the stage that keeps its state in `state_folder` begins.

    Args:
        state_folder: of the stage.
        start_from: the folder to begin from, where it is new.
        objective: what it is trained on, one of `trainer.objectives.OBJECTIVES`; None of a stage that has no choice.

    Raises:
        MisfitError: a state is there that began from something else than `start_from`, or under another objective.
    """
    asked = "" if start_from is None else str(start_from.resolve())
    said = {} if objective is None else {OBJECTIVE: objective}
    facts = read_facts(state_folder)
    if facts is None:
        return Start(load=start_from, facts={KEY: asked, **said})
    began, under = str(facts.get(KEY, "")), str(facts.get(OBJECTIVE, FIRST_OBJECTIVE))
    if objective is not None and under != objective:
        raise MisfitError(
            f"{state_folder} holds a run whose objective is {under}, not {objective}: remove it or give another --work"
        )
    if start_from is not None and began != asked:
        raise MisfitError(
            f"{state_folder} holds a run that began from {began or 'nothing'}, not from {start_from}: remove it or "
            "give another --work"
        )
    return Start(load=None, facts={KEY: began, **said})


def load_autoencoder(vae: AutoencoderTiny, folder: Path) -> None:
    """Set the weights of `vae` to those in a diffusers folder.

    Raises:
        MisfitError: there are none, or they are of another form.
    """
    _fill({"vae": (vae, _read(folder / "vae" / WEIGHTS))}, folder)


def load_networks(networks: Networks, folder: Path) -> int:
    """Set the weights of UNet, ControlNets and text encoder; returns how many tokens are new.

    A new token begins as the mean of the known ones plus noise of their spread: a word like any other and unlike each
    of them. The noise is drawn from torch's global generator.

    Raises:
        MisfitError: a part is missing or of another form. Nothing of `networks` is changed then.
    """
    # transformers has put a prefix in front of these names and taken it away again, from release to release.
    words = {_bare(name): value for name, value in _read(folder / "text_encoder" / "model.safetensors").items()}
    if EMBEDDING not in words:
        raise MisfitError(f"{folder}/text_encoder has no {EMBEDDING}")
    words[EMBEDDING], new = _matched_embeddings(networks, words[EMBEDDING].float(), folder)
    own = networks.text_encoder.state_dict()
    controls = {"tile": networks.tile, "softedge": networks.soft_edge}
    parts: dict[str, tuple[nn.Module, dict[str, Tensor]]] = {
        "unet": (networks.unet, _read(folder / "unet" / WEIGHTS)),
        **{CONTROLS[kind]: (net, _read(folder / CONTROLS[kind] / WEIGHTS)) for kind, net in controls.items()},
        "text_encoder": (networks.text_encoder, {name: words[_bare(name)] for name in own if _bare(name) in words}),
    }
    _fill(parts, folder)
    return new


def _matched_embeddings(networks: Networks, table: Tensor, folder: Path) -> tuple[Tensor, int]:
    """The embeddings of this vocabulary, (tokens, width), from those of the folder's; and how many are new."""
    before = _vocabulary(folder)
    if set(before.values()) != set(range(len(table))):
        raise MisfitError(f"{folder}: its tokenizer has {len(before)} tokens, its text encoder {len(table)}")
    after: dict[str, int] = networks.tokenizer.get_vocab()
    made = table.mean(0) + table.std(0) * torch.randn(len(after), table.shape[1])
    shared = [token for token in after if token in before]
    made[[after[token] for token in shared]] = table[[before[token] for token in shared]]
    return made, len(after) - len(shared)


def _vocabulary(folder: Path) -> dict[str, int]:
    """Token -> number, from either file that a tokenizer may be saved as."""
    plain, fast = folder / "tokenizer" / "vocab.json", folder / "tokenizer" / "tokenizer.json"
    try:
        if plain.is_file():
            return json.loads(plain.read_text(encoding="utf-8"))
        document = json.loads(fast.read_text(encoding="utf-8"))
        added = {token["content"]: token["id"] for token in document["added_tokens"]}
        return {**document["model"]["vocab"], **added}
    except (OSError, ValueError, KeyError) as error:
        raise MisfitError(f"no vocabulary in {folder}/tokenizer") from error


def _bare(name: str) -> str:
    return name.removeprefix("text_model.")


def _read(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise MisfitError(f"cannot begin from {path}: {str(error).splitlines()[0]}") from error


def _fill(parts: dict[str, tuple[nn.Module, dict[str, Tensor]]], folder: Path) -> None:
    """Load each part's weights, once all of them are known to fit."""
    for name, (module, found) in parts.items():
        wanted = module.state_dict()
        for key, value in wanted.items():
            if key not in found:
                raise MisfitError(f"{folder}/{name} does not fit: it has no {key}")
            there, here = tuple(found[key].shape), tuple(value.shape)
            if there != here:
                raise MisfitError(f"{folder}/{name} does not fit: {key} is {there} there and {here} here")
        if more := sorted(found.keys() - wanted.keys()):
            raise MisfitError(f"{folder}/{name} does not fit: there is no {more[0]} here")
    for module, found in parts.values():
        module.load_state_dict(found)
