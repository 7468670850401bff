"""What renders the shots of one look, one for each look of a job, and what a record tells of them."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vedit.media.writing.sidecar import versions
from vedit.memory import MemoryBudget, MemoryLadder
from vedit.pipelines.pipeline import Prepared
from vedit.progress.callbacks import OnProgress, Progress
from vedit.render.conditioning import ConditioningSource, hashed
from vedit.render.estimate import describe_job
from vedit.render.finish_keyed import Decoder, KeyedShot
from vedit.render.finish_shot import FINISHING, finished_shot
from vedit.render.job import Job, conditioning_of
from vedit.render.keyed import ShotKeys
from vedit.render.paintings import Paintings
from vedit.render.parts import plugged_parts, upscaler_facts
from vedit.render.prepare import load_prepared
from vedit.render.provenance import weights_of
from vedit.render.recorded_request import as_recorded, hashes_of
from vedit.render.sample_shot import OnNote, ShotSampler, Stop, stop_if_asked
from vedit.store.computed import ComputedCache
from vedit.store.units import unit_key
from vedit.types import Shot

if TYPE_CHECKING:
    from vedit.protocols import Reader
    from vedit.store.shared_units import SharedUnits
    from vedit.types import Clip, IntFrames

NO_MODEL = "none"
"""What a record says of the model where none was used."""


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """What draws under one look: the model."""

    restyler: Prepared
    ladder: MemoryLadder
    sampler: ShotSampler

    @property
    def samples(self) -> bool:
        """Whether anything is sampled: at strength 0 nothing is."""
        return bool(self.restyler.steps)


@dataclass(frozen=True, kw_only=True)
class Pass:
    """What renders the shots of one look."""

    job: Job
    steering: ConditioningSource
    drawing: Drawing | None
    """None: no model draws anything, what is painted is carried."""
    keys: ShotKeys | None = None
    """Where some frames are drawn or painted, and the others carried."""

    def changes(self, shot: Shot) -> bool:
        """Whether a shot of its look comes out otherwise than it went in."""
        if self.drawing is None:
            return self.keys is not None and bool(self.keys.painted.within(shot.frames))
        return self.drawing.samples

    def finished(self, shot: Shot, reader: Reader) -> Generator[tuple[Clip, IntFrames]]:
        """The shot, sampled now where it is not on disk, and finished as it is asked for."""
        mattes, drawing = self.steering.mattes, self.drawing
        if drawing is None:
            assert self.keys is not None
            return KeyedShot(job=self.job, decoder=None, mattes=mattes, shot=shot, keys=self.keys).frames(reader)
        sampled = drawing.sampler.sample(shot, reader)
        if self.keys is None:
            pieces = drawing.sampler.latents(sampled)
            return finished_shot(self.job, drawing.restyler, mattes, drawing.ladder, reader, pieces)
        decoder = Decoder(restyler=drawing.restyler, ladder=drawing.ladder, drawn=drawing.sampler.key_latents(sampled))
        return KeyedShot(job=self.job, decoder=decoder, mattes=mattes, shot=shot, keys=self.keys).frames(reader)

    def units(self, shot: Shot) -> tuple[str, ...]:
        """The names of the units that the shot's frames are made of."""
        return () if self.drawing is None else self.drawing.sampler.keys(shot)

    def shelf_key(self, shot: Shot) -> str:
        """Of everything that decides the shot's finished frames."""
        units = self.units(shot)
        facts: dict[str, object] = {
            "units": units,
            "upscale": upscaler_facts(self.job.request.options),
        }
        if self.keys is not None:
            facts["keyframes"] = self.keys.facts(shot)
        if not units:
            facts |= self._carried_facts(shot)
        # Units outlive a version whose finishing may be another; what was finished of them does not.
        return unit_key(
            {
                **facts,
                "finishing": FINISHING,
                "tiled": self.drawing is not None and self.drawing.ladder.footing.tiled,
                "vedit": dict(versions()).get("vedit"),
            }
        )

    def _carried_facts(self, shot: Shot) -> dict[str, object]:
        """What decides the frames of a shot that has no units to tell it: nothing of it is drawn."""
        job, steering = self.job, self.steering
        return {
            "source": job.source_key,
            "interlaced": job.request.writing.interlaced,
            "shot": [shot.frames.start, shot.frames.stop],
            "fit": hashed(job.fit),
            "bars": hashed(job.bars_at(shot.frames.start)),
            "mask": hashed(job.request.options.mask),
            "masks": list(steering.made_by),
            "part": job.frames.start if steering.by_part else None,
        }


def open_passes(
    job: Job, work: SharedUnits, stack: ExitStack, *, on_progress: OnProgress, on_note: OnNote, stop: Stop
) -> tuple[tuple[Pass, ...], tuple[str, ...]]:
    """One pass for each look, over one model, and what to tell of its precision; none where no shot has a look."""
    looks = job.looks()
    cache = stack.enter_context(ComputedCache())
    # Files are checked before the model is loaded.
    steered = [stack.enter_context(ConditioningSource(conditioning_of(look), cache)) for look in looks]
    drawn = [look for look in looks if not look.request.options.only_painted]
    restylers, notes = load_prepared(drawn, cache, precision=work.precision) if drawn else ((), ())
    loaded = iter(restylers)
    passes: list[Pass] = []

    def looked_at(progress: Progress) -> None:
        stop_if_asked(stop, work)
        on_progress(progress)

    for look, steering in zip(looks, steered, strict=True):
        if look.request.options.only_painted:
            keys = stack.enter_context(_keys_of(look, cache, looked_at))
            passes.append(Pass(job=look, steering=steering, drawing=None, keys=keys))
            continue
        restyler = next(loaded)
        options = restyler.options
        footing = MemoryBudget(batch=options.batch, window=options.window, tiled=work.tiled)
        ladder = MemoryLadder(footing, restyler.model, on_note=on_note)
        keys = None
        if options.spacing is not None and restyler.steps:
            keys = stack.enter_context(_keys_of(look, cache, looked_at))
        chosen = None if keys is None else keys.drawn
        sampler = ShotSampler(look, restyler, steering, work, ladder, on_progress=on_progress, stop=stop, chosen=chosen)
        drawing = Drawing(restyler=restyler, ladder=ladder, sampler=sampler)
        passes.append(Pass(job=look, steering=steering, drawing=drawing, keys=keys))
    return tuple(passes), notes


def _keys_of(look: Job, cache: ComputedCache, on_progress: OnProgress) -> ShotKeys:
    """The keyframes of a look that has some."""
    spacing, size = look.request.options.spacing, (look.metadata.height, look.metadata.width)
    assert spacing is not None
    return ShotKeys(look, spacing, cache, painted=Paintings(look.painted, size), on_progress=on_progress)


def drawings(passes: Sequence[Pass]) -> tuple[Drawing, ...]:
    """Those of the passes in which a model draws."""
    return tuple(one.drawing for one in passes if one.drawing is not None)


def recipe_of(job: Job, passes: Sequence[Pass]) -> dict[str, object]:
    """Everything that decides the frames, for the file's metadata and the sidecar."""
    described = describe_job(job)
    alike = {
        "frames": [job.frames.start, job.frames.stop],
        "shots": [list(shot) for shot in described.shots],
        "model": NO_MODEL if job.request.only_painted else job.model.name,
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
    restyler = None if one.drawing is None else one.drawing.restyler
    options = one.job.request.options if restyler is None else restyler.options
    return {
        **({"steps": 0} if restyler is None else restyler.recipe),
        "controls": [] if restyler is None else [str(spec) for spec in restyler.controls],
        "working_size": [one.job.fit.outer[1], one.job.fit.outer[0]],
        "model_sha256": {} if restyler is None else dict(restyler.fingerprint),
        **({"plug-ins": parts} if (parts := plugged_parts(options)) else {}),
    }


def used_by(passes: Sequence[Pass]) -> dict[str, object]:
    """What memory and machine have made of the settings, beside the recipe, which says what was asked for."""
    drawing = drawings(passes)
    sampled = [pair for one in drawing for pair in sorted(one.sampler.sampled_in.items())]
    return {
        "windows": {str(start): window for start, (window, _) in sampled},
        "batches": {str(start): batch for start, (_, batch) in sampled},
        "computed on": [one.sampler.computed_on for one in drawing[:1]],
        "tiled": any(one.ladder.footing.tiled for one in drawing),
    }
