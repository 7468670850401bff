"""Stage d: what renders lead to is told from the targets by a critic, and learns to pass.

The targets are strong (long strokes, flat washes with dark rims, dots, panes). A network that is held to them by
squares or by sliced distances draws a third of that. Here it walks a render, with the steps that ship and without
guidance, from noise, from the inverted source, or from a mix of both; the picture foreseen at one of its steps is
decoded and judged (`trainer.critic`), and what the critic sees in it is held against what it sees in the target of the
same photograph (feature matching; Wang et al. 2018, arXiv 1711.11585, equation 4).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from math import sqrt
from pathlib import Path

import torch
import torch.nn.functional as F
from diffusers.models.autoencoders.autoencoder_tiny import AutoencoderTiny
from torch import Tensor, nn

from trainer.batches import iterate_batches
from trainer.courses import SCHEDULES, VELOCITY, Course, course_of
from trainer.critic import Critic, gradient_penalty, hinge
from trainer.export import Networks
from trainer.finishing import Take
from trainer.form import new_scheduler
from trainer.lessons import ALL, Lesson
from trainer.looks import LOOKS
from trainer.loop import Loss
from trainer.pairs import make_pairs
from trainer.sliced import sliced_distance
from trainer.twins import disagreement
from vedit.models.distilled import Schedule

WAYS = {
    # 5 evaluations with the one of its inversion, and 6: eight steps and finer inversions came out farther off.
    "draft": SCHEDULES["draft"],
    "standard": Schedule(sampling=(901, 726, 551, 376, 201), inversion=(1,)),
}
SIZES = ((128, 128, 6),)
"""(height, width, pictures) of a batch: a critic judges patches, so many small crops teach it most."""
DROP_WORDS = (0.0, 0.0)
"""Nothing but the words says which head judges."""
SCORE, FEATURES, PLACES, SQUARES, FLICKER = 0.3, 2.0, 10.0, 1.0, 8.0
"""Weights: of the critic's score, of feature matching, of the mean colours of `PLACE` pixels, of absolute differences,
and of what twins disagree by."""
PLACE = 8
PENALTY, PENALTY_EVERY = 1.0, 8
"""Weight of the gradient penalty, and how rarely it is taken (Karras et al. 2020, arXiv 1912.04958, section 3.1)."""
MEMORY, LEAST, MEASURED_EVERY = 0.1, 0.1, 4
"""How fast a look's texture distance is averaged, the least that its score may weigh, and how rarely the distance is
taken: sorting so many patches is a third of a step on a CPU."""
CALM, FLAT = 40.0, 0.03
"""Weight of fine differences where the target is flat, and the local deviation, of a range of 2, that ends flatness:
patches that all bear the same lattice of cells fool a critic, skies and skin show it."""
HEADS = {look.name: number for number, look in enumerate(LOOKS)}


class Players(nn.Module):
    """All that learns, and what is remembered of each look.

    Attributes:
        networks: UNet and ControlNets learn; the text encoder stays.
        critic: a head for each of `LOOKS`.
        texture: (looks,), the running mean of the distance of textures from what was made to the target, over that from
            the photograph.
    """

    texture: Tensor

    def __init__(self, networks: Networks, *, width: int | None = None) -> None:
        super().__init__()
        self.networks = networks
        self.critic = Critic(len(LOOKS)) if width is None else Critic(len(LOOKS), width=width)
        self.register_buffer("texture", torch.ones(len(LOOKS)))
        networks.text_encoder.requires_grad_(False)

    def weight_of(self, look: Tensor) -> Tensor:
        """(N,), what the critic's score weighs for each picture: little for a look that has run away.

        A look whose texture is farther from the target than the photograph's own has strokes that are too strong, and
        a critic that is not fooled by them asks for yet more.
        """
        return self.texture[look].clamp_min(1).square().reciprocal().clamp_min(LEAST)

    @torch.no_grad()
    def remember(self, look: Tensor, ratio: Tensor) -> None:
        """Take (N,) new ratios into the running means."""
        for number, value in zip(look.tolist(), ratio.tolist(), strict=True):
            self.texture[number] += MEMORY * (value - self.texture[number])


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """What was made of a batch, beside what it was made of and for: pictures (N, 3, H, W) in [-1, 1]."""

    made: Tensor
    target: Tensor
    source: Tensor
    look: Tensor
    motion: Tensor


def adversarial_loss(
    players: Players,
    vae: AutoencoderTiny,
    *,
    packs: Path,
    seed: int,
    workers: int,
    scale: int = 1,
    lesson: Lesson = ALL,
    inverting: Networks | None = None,
) -> Callable[[int], Loss]:
    """For `run_loop`: pairs in, the errors of both players out; neither's reaches the other's weights.

    Args:
        players: on their device.
        vae: frozen.
        packs: of `train.py`.
        seed, workers: of the data.
        scale: times the pictures of a batch.
        lesson: what is taught.
        inverting: what inverts the sources, where it is not what learns.
    """
    config = new_scheduler().config
    ways = [course_of(WAYS[quality], config) for quality in lesson.shares]
    odds = torch.tensor(list(lesson.shares.values()))
    vae.requires_grad_(False).eval()

    def start(first: int) -> Loss:
        pairs = partial(
            make_pairs,
            seed=seed + 2,
            packs=packs,
            scale=scale,
            sizes=SIZES,
            drop_words=DROP_WORDS,
            effort=lesson.effort,
        )
        batches = iterate_batches(pairs, start=first, workers=workers)

        def loss(number: int) -> tuple[Tensor, dict[str, float]]:
            # Every draw is a function of (seed, number): a resumed run draws the same.
            generator = torch.Generator().manual_seed((seed + 2) * 1_000_003 + number)
            batch = next(batches)
            take = Take.of(players.networks, vae, batch, generator, inverting=inverting)
            way = ways[int(torch.multinomial(odds, 1, generator=generator))]
            foreseen = view(take, way, beginning(take, way, lesson, generator), generator)
            device = foreseen.device
            drawn = Drawn(
                made=shown(vae, foreseen),
                target=torch.from_numpy(batch["target"]).to(device).float() / 127.5 - 1,
                source=torch.from_numpy(batch["source"]).to(device).float() / 127.5 - 1,
                look=torch.tensor([HEADS[name] for name in batch["look"].tolist()], device=device),
                motion=take.motion,
            )
            if number % MEASURED_EVERY == 0:
                players.remember(drawn.look, texture_ratio(drawn, generator))
            made, said = maker_loss(players, drawn)
            judged = critic_loss(players.critic, drawn, penalised=number % PENALTY_EVERY == 0)
            return made + judged, {**said, "critic": judged.item()}

        return loss

    return start


@torch.no_grad()
def beginning(take: Take, way: Course, lesson: Lesson, generator: torch.Generator) -> Tensor:
    """Latents (N, C, h, w) where a render begins: sqrt(1 - a^2) of the inverted sources and a of noise of their spread.

    `a` is one for the batch, as the lesson says. The twins have the noise of the first of the batch.
    """
    share, mixed = torch.rand(2, generator=generator).tolist()
    least, most = lesson.mixed
    amount = least + (most - least) * mixed
    if share < lesson.noise + lesson.inverted:
        amount = 1.0 if share < lesson.noise else 0.0
    inverted = take.inverted(way)
    if amount == 0:
        return inverted
    twins = len(take.motion)
    noise = torch.randn((len(inverted) - twins, *inverted.shape[1:]), generator=generator)
    noise = torch.cat([noise, noise[:twins]]).to(inverted)
    return sqrt(1 - amount**2) * inverted + amount * inverted.std() * noise


def view(take: Take, way: Course, x: Tensor, generator: torch.Generator) -> Tensor:
    """The latents foreseen at one step of a render that begins at `x`, with the gradient of that step alone."""
    steps = way.coarse.steps
    chosen = int(torch.randint(len(steps), (), generator=generator))
    with torch.no_grad():
        for step in steps[:chosen]:
            x = VELOCITY.cleaner(x, take.say(x, step.timestep, take.words), step)
    step = steps[chosen]
    return step.alpha**0.5 * x - (1 - step.alpha) ** 0.5 * take.say(x, step.timestep, take.words)


def shown(vae: AutoencoderTiny, latents: Tensor) -> Tensor:
    """The pictures of scaled latents, (N, 3, H, W), about [-1, 1]."""
    latents = latents / float(vae.config["scaling_factor"])
    with torch.autocast(latents.device.type, torch.bfloat16):
        return vae.decoder(latents.contiguous(memory_format=torch.channels_last)).float()


def maker_loss(players: Players, drawn: Drawn) -> tuple[Tensor, dict[str, float]]:
    """What the networks are to lessen, and its parts."""
    judge = players.critic.held()
    score, seen = judge(drawn.made, drawn.source, drawn.look)
    with torch.no_grad():
        _, wanted = judge(drawn.target, drawn.source, drawn.look)
    fooled = -(players.weight_of(drawn.look) * score.mean((1, 2))).mean()
    features = torch.stack([F.l1_loss(a, b) for a, b in zip(seen, wanted, strict=True)]).sum()
    places = F.l1_loss(F.avg_pool2d(drawn.made, PLACE), F.avg_pool2d(drawn.target, PLACE)) / 2
    apart = F.l1_loss(drawn.made, drawn.target) / 2
    calm = unrest(drawn.made, drawn.target)
    twins = len(drawn.motion)
    flicker = disagreement(drawn.made[:twins], drawn.made[len(drawn.made) - twins :], drawn.motion)
    total = SCORE * fooled + FEATURES * features + PLACES * places + SQUARES * apart + FLICKER * flicker + CALM * calm
    return total, {
        "score": score.mean().item(),
        "features": features.item(),
        "places": places.item(),
        "apart": apart.item(),
        "flicker": flicker.item(),
        "calm": calm.item(),
        "texture": players.texture.mean().item(),
    }


def unrest(made: Tensor, target: Tensor) -> Tensor:
    """The mean absolute difference of fine detail, weighed by how flat the target is; () of [-1, 1] pictures."""
    found, wanted = high_pass(made), high_pass(target)
    spread = F.avg_pool2d(wanted.square().mean(1, keepdim=True), 9, stride=1, padding=4).sqrt()
    flat = (-(spread / FLAT).square()).exp()
    return (flat * (found - wanted).abs()).mean() / 2


def high_pass(picture: Tensor) -> Tensor:
    """What is finer than 9 pixels, (N, 3, H, W)."""
    return picture - F.avg_pool2d(picture, 9, stride=1, padding=4, count_include_pad=False)


def critic_loss(critic: Critic, drawn: Drawn, *, penalised: bool) -> Tensor:
    """What the critic is to lessen; the penalty is weighed by how rarely it is taken."""
    real, _ = critic(drawn.target, drawn.source, drawn.look)
    made, _ = critic(drawn.made.detach(), drawn.source, drawn.look)
    error = hinge(real, made)
    if penalised:
        error = error + PENALTY * PENALTY_EVERY / 2 * gradient_penalty(critic, drawn.target, drawn.source, drawn.look)
    return error


@torch.no_grad()
def texture_ratio(drawn: Drawn, generator: torch.Generator) -> Tensor:
    """(N,): how far the texture is from the target's, over how far the photograph's is; 1 is the photograph.

    Where a look leaves the photograph's texture as it is, both are near 0: the ratio is drawn to 1 there.
    """
    fine = [high_pass(picture) for picture in (drawn.made, drawn.target, drawn.source)]
    seed = int(torch.randint(2**31, (), generator=generator))

    def distance(a: Tensor, b: Tensor) -> Tensor:
        same = [torch.Generator().manual_seed(seed) for _ in a]
        return torch.stack([sliced_distance(a[n : n + 1], b[n : n + 1], same[n]) for n in range(len(a))]).sqrt()

    floor = 0.02
    return (distance(fine[0], fine[1]) + floor) / (distance(fine[2], fine[1]) + floor)
