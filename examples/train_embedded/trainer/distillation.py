"""Few-step distillation: one unguided step of the student lands where several guided steps of the teacher land.

Progressive distillation (Salimans & Ho 2022, arXiv 2202.00512) with the teacher's guidance in the target (Meng et al.
2023, arXiv 2210.03142). Both share every weight but the student's low-rank change of the UNet; the ControlNets'
residuals are the teacher's. Salimans & Ho begin at noised pictures only. A render begins at the inverted source, and
its later steps at what the student itself made of it: a part of the batches begins there.

One change serves several schedules of steps, which differ in their timesteps: the network knows which step it is asked
for. Where a schedule's steps are as short as the teacher's, all that is distilled is the guidance.
"""

from collections.abc import Callable
from functools import partial
from math import sqrt
from pathlib import Path

import torch
import torch.nn.functional as F
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from torch import Tensor

from trainer.batches import iterate_batches
from trainer.courses import VELOCITY, course_of, velocity_between
from trainer.loop import Loss
from trainer.pairs import make_pairs
from trainer.teacher import Teacher, velocity
from vedit.models.distilled import DistilledWeights

DROP_CONTROL = 0.08
"""How often each ControlNet alone is silenced: more rarely than the teacher learnt, whose steps only are copied."""


def distillation_loss(
    teacher: Teacher,
    student: UNet2DConditionModel,
    tier: DistilledWeights,
    *,
    span: int,
    inverted: float,
    packs: Path,
    seed: int,
    workers: int,
) -> Callable[[int], Loss]:
    """For `run_loop`: pairs in, mean square of the student's error in v out.

    Args:
        teacher: its weights are the student's without the change.
        student: a copy of the teacher's UNet with a change that learns.
        tier: the student's schedules; each batch is of one of them, drawn evenly.
        span: about how many timesteps a guided step of the teacher takes.
        inverted: the share of batches, in [0, 1], that begin at inverted sources.
        packs: of `train.py`.
    """
    config = teacher.model.scheduler_config
    courses = [course_of(schedule, config, span=span) for schedule in tier.schedules.values()]
    if (said := courses[0].coarse.solver.name) != "v_prediction":
        raise ValueError(f"the teacher predicts {said}, not v")

    def start(first: int) -> Loss:
        batches = iterate_batches(partial(make_pairs, seed=seed, packs=packs), start=first, workers=workers)

        def loss(number: int) -> tuple[Tensor, dict[str, float]]:
            batch = next(batches)
            # Every draw is a function of (seed, number): a resumed run draws the same.
            generator = torch.Generator().manual_seed(seed * 1_000_003 + number)
            course = courses[int(torch.randint(len(courses), (), generator=generator))]
            coarse, parts = course.coarse.steps, course.parts
            index = int(torch.randint(len(coarse), (), generator=generator))
            from_source = bool(torch.rand((), generator=generator) < inverted)
            keep = (torch.rand(2, len(batch["source"]), 1, 1, 1, generator=generator) > DROP_CONTROL).float()
            scene, step = teacher.scene(batch, keep), coarse[index]
            picture = torch.from_numpy(batch["source" if from_source else "target"]).float() / 255
            x = teacher.encoded(picture)
            if from_source:
                x = teacher.inverted(x, course, scene)
                with torch.no_grad():
                    for before in coarse[:index]:
                        added = teacher.residuals(x, before.timestep, scene)
                        output = velocity(student, x, before.timestep, scene.words, added)
                        x = VELOCITY.cleaner(x, output, before)
            else:
                noise = torch.randn(x.shape, generator=generator).to(x)
                x = sqrt(step.alpha) * x + sqrt(1 - step.alpha) * noise
            added = teacher.residuals(x, step.timestep, scene)
            landed = teacher.landed(x, course.fine.steps[index * parts : (index + 1) * parts], scene, added)
            wanted = velocity_between(x, landed, step)
            predicted = velocity(student, x, step.timestep, scene.words, added)
            return F.mse_loss(predicted, wanted), {}

        return loss

    return start
