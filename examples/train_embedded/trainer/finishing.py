"""Stage c: the model learns from where its own renders lead.

Stage b shows the networks sources and targets in noise. A render begins at the inverted source, and its later steps at
what earlier ones made of it: errors add up that were never seen (exposure bias; Ning et al. 2023, arXiv 2301.11706).
And where there is much noise, squared errors are least for the mean of all strokes there may be, a blur that few steps
never leave. Here some batches go the way of a render with the schedules of the fast tier, without guidance, and more
take one step from between source and target (`trainer.diffusion.between`). The picture that is foreseen is held against
the target by how its patches are distributed (`trainer.sliced`), by the colours of places, and by squares.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
import torch.nn.functional as F
from diffusers.models.autoencoders.autoencoder_tiny import AutoencoderTiny
from torch import Tensor

from trainer.batches import Batch, iterate_batches
from trainer.courses import SCHEDULES, VELOCITY, Course, climbed, course_of
from trainer.diffusion import FLICKER, INVERTED, between, diffusion_loss, encoded, leaning, predict
from trainer.export import Networks
from trainer.form import new_scheduler
from trainer.loop import Loss
from trainer.pairs import make_pairs
from trainer.sliced import sliced_distance
from trainer.twins import disagreement
from vedit.diffusion.steps import Step, implied_noise
from vedit.models.families.sd_text import token_ids
from vedit.options.request import RestyleOptions
from vedit.preprocessors.softedge import soft_edges
from vedit.preprocessors.tile import tile

ORDINARY = 4
"""One batch in as many is of stage b, so that guidance, negative prompts and longer trajectories keep their sense."""
SHARES = {"draft": 0.75, "standard": 0.25}
"""Of the renders, by quality, each batch of one: a draft teaches nearly as much in a third of the time."""
WALKED = 0.2
"""Of the others, the share that walks a render; the rest takes one step from between source and target."""
LEARNING = 2
"""Steps of a render that are learnt from."""
FROM_INVERTED = 0.75
"""How often the noise around what stands between source and target is that of the inverted source."""
DROP_CONTROL = 0.08
TEXTURE, COLOUR, SQUARES = 4.0, 2.0, 0.3
"""With 1 for squares, they pull about as much as the texture: shapes are learnt sooner, and strokes come out soft."""
RENDERED_FLICKER = FLICKER / 2
"""With all of `FLICKER`, its gradient was measured at twice that of the texture, and strokes stay away."""
PLACE = 4
"""Cells along each side of what `COLOUR` takes the mean of."""


def finishing_loss(
    networks: Networks,
    vae: AutoencoderTiny,
    *,
    packs: Path,
    seed: int,
    workers: int,
    scale: int = 1,
    squares: float = SQUARES,
) -> Callable[[int], Loss]:
    """For `run_loop`: pairs in, the error of renders out, and every `ORDINARY`th time that of `diffusion_loss`.

    Args:
        networks: as stage b leaves them.
        vae: frozen.
        packs, seed, workers, scale: as of `diffusion_loss`.
        squares: the weight of the squared error.
    """
    config = new_scheduler().config
    ways = [course_of(SCHEDULES[quality], config) for quality in SHARES]
    odds = torch.tensor(list(SHARES.values()))

    def start(first: int) -> Loss:
        before = -(-first // ORDINARY)
        ordinary = diffusion_loss(networks, vae, packs=packs, seed=seed, workers=workers, scale=scale)(before)
        batches = iterate_batches(
            partial(make_pairs, seed=seed + 1, packs=packs, scale=scale), start=first - before, workers=workers
        )

        def loss(number: int) -> tuple[Tensor, dict[str, float]]:
            if number % ORDINARY == 0:
                return ordinary(number // ORDINARY)
            # Every draw is a function of (seed, number): a resumed run draws the same.
            generator = torch.Generator().manual_seed((seed + 1) * 1_000_003 + number)
            take = Take.of(networks, vae, next(batches), generator)
            walks = float(torch.rand((), generator=generator)) < WALKED
            way = ways[int(torch.multinomial(odds, 1, generator=generator))]
            views = walked(take, way, generator) if walks else begun(take, ways[0], generator)
            texture, colour, apart = (
                torch.stack([measure(view, take.wanted) for view in views]).mean()
                for measure in (partial(sliced_distance, generator=generator), places_apart, F.mse_loss)
            )
            flicker = take.flicker(views[-1])
            return TEXTURE * texture + COLOUR * colour + squares * apart + RENDERED_FLICKER * flicker, {
                "texture": texture.item(),
                "colour": colour.item(),
                "squares": apart.item(),
                "rendered_flicker": flicker.item(),
            }

        return loss

    return start


@dataclass(frozen=True, kw_only=True)
class Take:
    """A batch as the networks see it, N pictures of which the last K are the twins of the first K.

    Attributes:
        wanted, filmed: latents (N, C, h, w) of the targets and of the sources.
        words, nothing: embeddings (N, L, D) of the prompts and of what sources are inverted under.
        controls: tile and soft edges, each (N, 3, H, W) in [0, 1].
        keep: (2, N, 1, 1, 1), what each control is weighed by.
        motion: (K, 2, 3), how each twin moved.
        inverting: the networks that invert the sources, where they are not those that learn.
    """

    networks: Networks
    vae: AutoencoderTiny
    wanted: Tensor
    filmed: Tensor
    words: Tensor
    nothing: Tensor
    controls: tuple[Tensor, Tensor]
    keep: Tensor
    motion: Tensor
    inverting: Networks | None = None

    @classmethod
    def of(
        cls,
        networks: Networks,
        vae: AutoencoderTiny,
        batch: Batch,
        generator: torch.Generator,
        *,
        inverting: Networks | None = None,
    ) -> "Take":
        """From a batch of `make_pairs`."""
        device = next(networks.parameters()).device
        source = torch.from_numpy(batch["source"]).to(device).float() / 255
        target = torch.from_numpy(batch["target"]).to(device).float() / 127.5 - 1
        wanted, filmed = encoded(vae, torch.cat([target, source * 2 - 1])).chunk(2)
        count, twins = len(source), len(batch["motion"])
        keep = (torch.rand(2, count, 1, 1, 1, generator=generator) > DROP_CONTROL).float()
        keep[:, count - twins :] = keep[:, :twins]
        with torch.no_grad():
            nothing = embedded(networks, [RestyleOptions().source_prompt] * count, device)
        return cls(
            networks=networks,
            vae=vae,
            wanted=wanted,
            filmed=filmed,
            words=embedded(networks, batch["prompt"].tolist(), device),
            nothing=nothing,
            controls=(tile(source), soft_edges(source)),
            keep=keep.to(device),
            motion=torch.from_numpy(batch["motion"]).to(device),
            inverting=inverting,
        )

    def say(self, x: Tensor, timestep: int | Tensor, words: Tensor, by: Networks | None = None) -> Tensor:
        """v (N, C, h, w), float32, at one timestep or one for each picture; `by` others than what learns."""
        at = timestep if isinstance(timestep, Tensor) else torch.full((len(x),), timestep, device=x.device)
        with torch.autocast(x.device.type, torch.bfloat16):
            x = x.contiguous(memory_format=torch.channels_last)
            return predict(by or self.networks, x, at, words, self.controls, self.keep).float()

    @torch.no_grad()
    def inverted(self, way: Course) -> Tensor:
        """The sources where a render of that way begins (N, C, h, w)."""

        def said(x: Tensor, step: Step) -> Tensor:
            return self.say(x, round(step.level), self.nothing, self.inverting)

        return climbed(said, self.filmed, way.up, leaping=way.leaps)

    def flicker(self, view: Tensor) -> Tensor:
        """What the twins of a view disagree by, once decoded."""
        twins = len(self.motion)
        pair = torch.cat([view[:twins], view[len(view) - twins :]]) / float(self.vae.config["scaling_factor"])
        with torch.autocast(view.device.type, torch.bfloat16):
            shown = self.vae.decoder(pair.contiguous(memory_format=torch.channels_last)).float()
        seen, seen_by_twins = shown.chunk(2)
        return disagreement(seen, seen_by_twins, self.motion)


def walked(take: Take, way: Course, generator: torch.Generator) -> list[Tensor]:
    """The pictures foreseen at `LEARNING` steps of a render, each with the gradient of that step alone."""
    chosen = torch.randperm(len(way.coarse.steps), generator=generator)[:LEARNING].tolist()
    x, views = take.inverted(way), list[Tensor]()
    for index, step in enumerate(way.coarse.steps[: max(chosen) + 1]):
        with torch.set_grad_enabled(index in chosen):
            output = take.say(x, step.timestep, take.words)
        if index in chosen:
            views.append(step.alpha**0.5 * x - (1 - step.alpha) ** 0.5 * output)
        x = VELOCITY.cleaner(x, output.detach(), step)
    return views


def begun(take: Take, way: Course, generator: torch.Generator) -> list[Tensor]:
    """The pictures foreseen from between source and target (`between`), at a noise level of its own each.

    The noise is that of the inverted source (`FROM_INVERTED`), else drawn.
    """
    count, twins = len(take.wanted), len(take.motion)
    first = way.coarse.steps[0]
    if torch.rand((), generator=generator) < FROM_INVERTED:
        noise = implied_noise(take.inverted(way), take.filmed, first)
    else:
        drawn = torch.randn((count - twins, *take.wanted.shape[1:]), generator=generator)
        drawn = torch.cat([drawn, drawn[:twins]]).to(take.wanted)
        noise = leaning(drawn, take.filmed, INVERTED, generator, twins=twins)
    place = (torch.arange(count - twins) + torch.rand(count - twins, generator=generator)) / (count - twins)
    # Evenly in the square root of the level: more where renders begin.
    timestep = (place[torch.randperm(len(place), generator=generator)].sqrt() * 1000).long()
    timestep = torch.cat([timestep, timestep[:twins]]).to(noise.device)
    seen = between(take.wanted, take.filmed, timestep, 1.0, generator, twins=twins)
    alpha = new_scheduler().alphas_cumprod.to(noise)[timestep].view(-1, 1, 1, 1)
    x = alpha.sqrt() * seen + (1 - alpha).sqrt() * noise
    return [alpha.sqrt() * x - (1 - alpha).sqrt() * take.say(x, timestep, take.words)]


def embedded(networks: Networks, prompts: list[str], device: torch.device) -> Tensor:
    """The text encoder's words of the prompts, (N, L, D)."""
    with torch.autocast(device.type, torch.bfloat16):
        return networks.text_encoder(token_ids(networks.tokenizer, prompts).to(device))[0]


def places_apart(made: Tensor, target: Tensor) -> Tensor:
    """Mean squared difference of the means of `PLACE` cells each way."""
    return F.mse_loss(F.avg_pool2d(made, PLACE), F.avg_pool2d(target, PLACE))
