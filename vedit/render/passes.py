"""What renders the shots of one look, one for each look of a job, and what a record tells of them."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vedit.media.writing.sidecar import versions
from vedit.memory import MemoryBudget, MemoryLadder
from vedit.pipelines.pipeline import Prepared
from vedit.progress.callbacks import OnProgress
from vedit.render.conditioning import ConditioningSource
from vedit.render.estimate import describe_job
from vedit.render.finish_keyed import KeyedShot
from vedit.render.finish_shot import FINISHING, finished_shot
from vedit.render.job import Job, conditioning_of
from vedit.render.keyed import ShotKeys
from vedit.render.paintings import Paintings
from vedit.render.parts import plugged_parts, upscaler_facts
from vedit.render.prepare import load_prepared
from vedit.render.provenance import weights_of
from vedit.render.recorded_request import as_recorded, hashes_of
from vedit.render.sample_shot import OnNote, ShotSampler, Stop
from vedit.store.computed import ComputedCache
from vedit.store.units import UnitStore, unit_key
from vedit.types import Shot

if TYPE_CHECKING:
    from vedit.protocols import Reader
    from vedit.types import Clip, IntFrames


@dataclass(frozen=True, kw_only=True)
class Pass:
    """What renders the shots of one look."""

    job: Job
    restyler: Prepared
    steering: ConditioningSource
    ladder: MemoryLadder
    sampler: ShotSampler
    keys: ShotKeys | None = None
    """Where some frames are drawn and the others carried."""

    @property
    def samples(self) -> bool:
        """Whether anything is sampled: at strength 0 nothing is."""
        return bool(self.restyler.steps)

    def finished(self, shot: Shot, reader: Reader) -> Generator[tuple[Clip, IntFrames]]:
        """The shot, sampled now where it is not on disk, and finished as it is asked for."""
        sampled = self.sampler.sample(shot, reader)
        mattes = self.steering.mattes
        if self.keys is None:
            pieces = self.sampler.latents(sampled)
            return finished_shot(self.job, self.restyler, mattes, self.ladder, reader, pieces)
        keyed = KeyedShot(
            job=self.job, restyler=self.restyler, ladder=self.ladder, mattes=mattes, shot=shot, keys=self.keys
        )
        return keyed.frames(reader, self.sampler.key_latents(sampled))

    def shelf_key(self, shot: Shot) -> str:
        """Of everything that decides the shot's finished frames."""
        facts: dict[str, object] = {
            "units": self.sampler.keys(shot),
            "upscale": upscaler_facts(self.job.request.options),
        }
        if self.keys is not None:
            facts["keyframes"] = self.keys.facts(shot)
        # Units outlive a version whose finishing may be another; what was finished of them does not.
        return unit_key(
            {
                **facts,
                "finishing": FINISHING,
                "tiled": self.ladder.footing.tiled,
                "vedit": dict(versions()).get("vedit"),
            }
        )


def open_passes(
    job: Job, work: UnitStore, stack: ExitStack, *, on_progress: OnProgress, on_note: OnNote, stop: Stop
) -> tuple[tuple[Pass, ...], tuple[str, ...]]:
    """One pass for each look, over one model, and what to tell of its precision; none where no shot has a look."""
    looks = job.looks()
    cache = stack.enter_context(ComputedCache())
    # Files are checked before the model is loaded.
    steered = [stack.enter_context(ConditioningSource(conditioning_of(look), cache)) for look in looks]
    if not looks:
        return (), ()
    restylers, notes = load_prepared(looks, cache, precision=work.precision)
    passes: list[Pass] = []
    for look, restyler, steering in zip(looks, restylers, steered, strict=True):
        options = restyler.options
        footing = MemoryBudget(batch=options.batch, window=options.window, tiled=work.tiled)
        ladder = MemoryLadder(footing, restyler.model, on_note=on_note)
        keys = None
        if options.spacing is not None and restyler.steps:
            painted = Paintings(look.painted, (job.metadata.height, job.metadata.width))
            keys = stack.enter_context(ShotKeys(look, options.spacing, cache, painted=painted, on_progress=on_progress))
        chosen = None if keys is None else keys.drawn
        sampler = ShotSampler(look, restyler, steering, work, ladder, on_progress=on_progress, stop=stop, chosen=chosen)
        passes.append(Pass(job=look, restyler=restyler, steering=steering, ladder=ladder, sampler=sampler, keys=keys))
    return tuple(passes), notes


def recipe_of(job: Job, passes: Sequence[Pass]) -> dict[str, object]:
    """Everything that decides the frames, for the file's metadata and the sidecar."""
    described = describe_job(job)
    alike = {
        "frames": [job.frames.start, job.frames.stop],
        "shots": [list(shot) for shot in described.shots],
        "model": job.model.name,
        "weights": weights_of(job.request.all_looks, job.model) if passes else {},
        "device": job.device,
        "interlaced": job.request.writing.interlaced,
        **({"bars": {str(number): sides for number, sides in described.bars.items()}} if described.bars else {}),
        **({"purpose": dict(job.request.purpose)} if job.request.purpose is not None else {}),
    }
    if job.request.looks is None:
        return {**described.settings, **_made_with(passes[0]), **alike}
    told = described.settings["looks"]
    assert isinstance(told, list)
    looks = [{**settings, **_made_with(one)} for settings, one in zip(told, passes, strict=True)]
    kept = {key: described.settings[key] for key in ("untouched", "locked")}
    return {"looks": looks, **kept, **alike}


def asked_of(job: Job) -> dict[str, object] | None:
    """All that has to be known to render a job again, for a record; None where none is written."""
    if job.output.sidecar is None:
        return None
    folder = job.output.path.parent
    return {"request": as_recorded(job.request, folder), "files": hashes_of(job.request, folder)}


def _made_with(one: Pass) -> dict[str, object]:
    return {
        **one.restyler.recipe,
        "controls": [str(spec) for spec in one.restyler.controls],
        "working_size": [one.job.fit.outer[1], one.job.fit.outer[0]],
        "model_sha256": dict(one.restyler.fingerprint),
        **({"plug-ins": parts} if (parts := plugged_parts(one.restyler.options)) else {}),
    }


def used_by(passes: Sequence[Pass]) -> dict[str, object]:
    """What memory and machine have made of the settings, beside the recipe, which says what was asked for."""
    sampled = [pair for one in passes for pair in sorted(one.sampler.sampled_in.items())]
    return {
        "windows": {str(start): window for start, (window, _) in sampled},
        "batches": {str(start): batch for start, (_, batch) in sampled},
        "computed on": [one.sampler.computed_on for one in passes[:1]],
        "tiled": any(one.ladder.footing.tiled for one in passes),
    }
