"""Few-step distillation: the steps of teacher and student, and where they lead."""

# The example is a script with its package beside it, on no checker's path.
# pyright: reportMissingImports=false

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.support.finished_model import CPU, SAMPLING, SCHEDULES, small_pairs, write_finished  # isort: skip

import distill as program
from trainer.courses import VELOCITY, course_of, parts_of, refined, velocity_between
from trainer.form import new_scheduler
from trainer.teacher import Teacher, velocity

from vedit.diffusion.conditioning import Conditioning, bind
from vedit.diffusion.distilled import from_timesteps
from vedit.models.distilled import DistilledWeights, Schedule
from vedit.models.families.sd import LoadedDistilled
from vedit.models.load import load_sd
from vedit.models.lora import Lora
from vedit.models.resolve import resolve
from vedit.options.request import RestyleOptions
from vedit.pipelines.inverting import _inverted  # pyright: ignore[reportPrivateUsage]
from vedit.pipelines.pipeline import ignore_step
from vedit.pipelines.restyle import own_guides, prepare
from vedit.types import Latents


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_finished(tmp_path_factory.mktemp("finished") / "model")


def test_the_target_is_where_two_explicit_steps_lead() -> None:
    """By Song et al.'s equation 12 in x0 and epsilon, against one rotation by the v that is asked for."""
    coarse, fine = (from_timesteps(new_scheduler().config, steps) for steps in (SAMPLING, refined(SAMPLING, 2)))
    assert refined(SAMPLING, 2) == (751, 576, 401, 200)
    assert refined((751, 501, 251), 3) == (751, 668, 584, 501, 418, 334, 251, 167, 84)
    generator = torch.Generator().manual_seed(0)
    for index, step in enumerate(coarse.steps):
        first, second = fine.steps[2 * index : 2 * index + 2]
        assert (first.alpha, second.alpha_cleaner) == (step.alpha, step.alpha_cleaner)
        x, *outputs = torch.randn(3, 2, 4, 3, 3, generator=generator, dtype=torch.float64)
        landed = x
        for part, v in zip((first, second), outputs, strict=True):
            a, b = part.alpha, part.alpha_cleaner
            clean = a**0.5 * landed - (1 - a) ** 0.5 * v
            epsilon = (1 - a) ** 0.5 * landed + a**0.5 * v
            landed = b**0.5 * clean + (1 - b) ** 0.5 * epsilon
        wanted = velocity_between(x, landed, step)
        torch.testing.assert_close(VELOCITY.cleaner(x, wanted, step), landed)
        # Where both steps agree on the picture and the noise, the one step's v is theirs.
        clean, noise = outputs
        noisy = step.alpha**0.5 * clean + (1 - step.alpha) ** 0.5 * noise
        end = step.alpha_cleaner**0.5 * clean + (1 - step.alpha_cleaner) ** 0.5 * noise
        true = step.alpha**0.5 * noise - (1 - step.alpha) ** 0.5 * clean
        torch.testing.assert_close(velocity_between(noisy, end, step), true)


def test_steps_as_short_as_the_teachers_are_guidance_alone() -> None:
    config = new_scheduler().config
    assert [parts_of(s.sampling, 100) for s in program.SCHEDULES.values()] == [2, 1]
    draft, standard = (course_of(schedule, config, span=100) for schedule in program.SCHEDULES.values())
    for course in (draft, standard):
        assert len(course.fine.steps) == course.parts * len(course.coarse.steps)
    assert (draft.leaps, standard.leaps) == (True, False)
    assert standard.fine == standard.coarse
    assert [step.level for step in standard.up.steps] == [901, 671, 451, 251, 81]
    options = [RestyleOptions(quality=quality) for quality in program.SCHEDULES]  # pyright: ignore[reportArgumentType]
    assert [program.SCHEDULES[of.quality].evaluations(of) for of in options] == [5, 20]


@pytest.mark.parametrize("schedule", SCHEDULES.values(), ids=SCHEDULES)
def test_inverted_sources_lie_where_a_render_begins(folder: Path, schedule: Schedule) -> None:
    """Against the pipeline's own walk, evaluated once a step."""
    model = load_sd(resolve(str(folder)), controls=("tile", "softedge"))
    teacher = Teacher(model, guidance=2.0, device=CPU)
    batch = small_pairs(0, seed=0, packs=Path())
    scene = teacher.scene(batch, torch.ones(2, 2, 1, 1, 1))
    frames = torch.from_numpy(batch["source"]).float() / 255
    clean = teacher.encoded(frames)
    course = course_of(schedule, model.scheduler_config, span=180)
    found = teacher.inverted(clean, course, scene)

    once = replace(schedule, fixed_point=min(schedule.fixed_point, 1))
    tier = DistilledWeights(folder=Path(), schedules={"standard": once}, guidance=2.0, unet="its own")
    model = replace(model, fast=(LoadedDistilled(tier=tier, lora=Lora(pairs={}, scale=1.0), unet=model.denoiser.unet),))
    restyler = prepare(model, RestyleOptions(cross_frame=False))
    describe = Conditioning(prompt=restyler.source_prompt, controls=own_guides(restyler)((0, 1), frames).controls)
    denoise = bind(model.denoiser, describe, batch=2, memory=None)
    *_, expected = _inverted(restyler, denoise, Latents(data=clean), describe, ignore_step, whole=False)
    # The trainer's is in bfloat16, of which noise that is made whole makes more.
    assert (found - expected).square().mean() < 5e-3 * expected.var()


def test_a_guided_teacher_moves_away_from_no_words(folder: Path) -> None:
    """`landed` against the two halves of the guidance, evaluated one by one."""
    model = load_sd(resolve(str(folder)), controls=("tile", "softedge"))
    teacher = Teacher(model, guidance=3.0, device=CPU)
    scene = teacher.scene(small_pairs(0, seed=0, packs=Path()), torch.ones(2, 2, 1, 1, 1))
    x, step = torch.randn(2, 16, 4, 4), from_timesteps(model.scheduler_config, SAMPLING).steps[0]
    added = teacher.residuals(x, step.timestep, scene)
    with torch.no_grad():
        told, untold = (
            velocity(teacher.unet, x, step.timestep, words, added) for words in (scene.words, scene.nothing)
        )
    assert not torch.equal(told, untold)
    expected = VELOCITY.cleaner(x, untold + 3 * (told - untold), step)
    torch.testing.assert_close(teacher.landed(x, [step], scene, added), expected, rtol=0.02, atol=0.02)  # in bfloat16
