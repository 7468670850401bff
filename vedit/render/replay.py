"""A render again, from the record beside its result: the same source, settings and weights, which are checked first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import torch

from vedit.checks.structured import parse_json
from vedit.errors import FULL, InputError, MediaError, ModelError, VeditError
from vedit.media.writing.sidecar import FORMAT, read_record, sidecar_path, source_hash, versions
from vedit.models.loading import loading_of
from vedit.models.resolve import model_of
from vedit.options.request import RenderRequest, RestyleOptions
from vedit.render.parts import PluggedPart, recorded_parts
from vedit.render.provenance import weights_of
from vedit.render.recorded_request import as_asked, placed
from vedit.render.settle import pick_device, settle
from vedit.store.computed_on import computed_on, in_words, threads_of, with_threads

_ANEW = "render it with `vedit restyle`: its settings are in the record"


@dataclass(frozen=True, kw_only=True)
class Replay:
    """What a record says of its render, as far as it was checked."""

    record: Path
    result: Path
    """Beside the record."""
    request: RenderRequest
    shots: tuple[tuple[int, int], ...]
    """The shots that were rendered, as frame ranges."""
    frames_sha256: str
    """Of the frames as they went to the encoder."""
    threads: int | None
    """Of the CPU, where it computed; another count rounds otherwise."""
    computed_on: Mapping[str, object]
    versions: Mapping[str, str]
    plugged: tuple[PluggedPart, ...] = ()
    """Parts of plug-ins that made it."""

    def elsewhere(self) -> tuple[str, ...]:
        """How this machine is another than the one that rendered, so that the frames may differ; asked as it computes.

        Raises:
            InputError: there is no such device here.
        """
        device = pick_device(self.request.device)
        now = computed_on(torch.device(device), _precision(self.request, device))
        strange = {key: value for key, value in self.computed_on.items() if key in now and now[key] != value}
        here = dict(versions())
        others = {name: here.get(name, "absent") for name, was in self.versions.items() if here.get(name) != was}
        told: list[str] = []
        if strange:
            ours = in_words({key: now[key] for key in strange})
            told.append(f"it was computed on {in_words(strange)}, and this is {ours}: frames may differ by rounding")
        if others:
            was = ", ".join(f"{name} {self.versions[name]}" for name in others)
            told.append(f"it was rendered with {was}, and this is {in_words(others)}: frames may differ")
        for part in self.plugged:
            here = part.here
            if here != part:
                now = "absent" if here is None else here.brought_by
                told.append(f"{part.name} was of {part.brought_by}, and this is {now}: frames may differ")
        return tuple(told)

    def on_its_threads(self) -> AbstractContextManager[None]:
        """As many CPU threads as it was computed on, for as long as the context lasts."""
        return with_threads(self.threads)


def read_replay(path: Path, *, source: Path | None = None, device: str | None = None) -> Replay:
    """The render of a record, and that everything behind it is as it was.

    Args:
        path: OUT.vedit.json, or OUT beside it.
        source: the source, where it lies no longer where the record says.
        device: to compute on, instead of the one that it was computed on.

    Raises:
        InputError: it is no record of a render, lacks what is needed, or its source, a mask or the weights are absent
            or others now.
    """
    record = sidecar_path(path) if path.suffix.lower() != ".json" and sidecar_path(path).is_file() else path
    told = _read(record)
    asked = told.get("asked")
    if not isinstance(asked, dict) or "recipe" not in told:
        raise InputError(
            f"{record.name} does not say all that a replay needs: an earlier version wrote it, or no render did",
            remedy=_ANEW,
        )
    try:
        return _checked(record, told, cast("dict[str, Any]", asked), source=source, device=device)
    except (LookupError, TypeError, ValueError, AttributeError, OSError) as error:
        if isinstance(error, VeditError):
            raise
        raise InputError(f"{record.name} cannot be read as a record ({error})", remedy=_ANEW) from None


def _checked(
    record: Path, told: Mapping[str, Any], asked: Mapping[str, Any], *, source: Path | None, device: str | None
) -> Replay:
    folder, recipe, used = record.parent, told["recipe"], told["used"]
    plugged = recorded_parts(recipe)
    try:
        request = as_asked(asked["request"], folder)
    except InputError as error:
        absent = {part.brought_by for part in plugged if part.here is None and repr(part.name) in error.message}
        remedies = filter(None, (error.remedy, *(f"install {one}, which brought it" for one in absent)))
        raise InputError(f"{record.name}: {error.message}", remedy=", or ".join(remedies) or _ANEW) from None
    if request.locked:
        raise InputError(
            f"{record.name}: shots were locked, whose frames are those of an earlier render", remedy="use `vedit edit`"
        )
    request = replace(
        _as_memory_had_it(request, used, record.name),
        source=_source(request.source, told["source"]["sha256"], record, named=source),
        device=device or str(recipe["device"]),
    )
    for name, digest in asked["files"].items():
        _check_same(placed(folder, name), digest, f"{record.name} names {name}", remedy="put back what it was")
    _check_weights(request, recipe["weights"], record.name)
    computed = (used["computed on"] or [{}])[0]
    request = _as_it_computed(request, computed)
    return Replay(
        record=record,
        result=placed(folder, Path(told["output"]).name),
        request=request,
        shots=tuple((int(start), int(stop)) for start, stop in recipe["shots"]),
        frames_sha256=str(told["frames_sha256"]),
        threads=threads_of(computed) if request.device == "cpu" else None,
        computed_on={key: value for key, value in computed.items() if key != "threads"},
        versions=dict(told["versions"]),
        plugged=plugged,
    )


def frames_of(result: Path) -> str | None:
    """SHA-256 of a result's frames as they went to the encoder, as its record has it; None where there is none."""
    return (read_record(sidecar_path(result)) or {}).get("frames_sha256")


def check_shots(replay: Replay, shots: Sequence[tuple[int, int]]) -> None:
    """Raises InputError where the shots that are found now are others than those that were rendered."""
    if tuple(map(tuple, shots)) != replay.shots:
        raise InputError(
            f"{len(shots)} shots are found in {replay.request.source.name}, where the render had {len(replay.shots)} "
            "or had them at other frames",
            remedy=_ANEW,
        )


def _read(record: Path) -> dict[str, Any]:
    try:
        told = parse_json(record.read_text("utf-8"), record.name)
    except OSError as error:
        raise InputError(f"{record} cannot be read: {error.strerror}", remedy="name OUT.vedit.json") from None
    except UnicodeDecodeError:
        told = None
    if not isinstance(told, dict) or "format" not in told:
        raise InputError(f"{record.name} is no record of a render", remedy="name OUT.vedit.json")
    found = cast("dict[str, Any]", told)
    if found["format"] != FORMAT:
        raise InputError(f"{record.name} is of another version: format {found['format']}, not {FORMAT}", remedy=_ANEW)
    return found


def _source(recorded: Path, digest: str, record: Path, *, named: Path | None) -> Path:
    """The source where it is now: as it is named, where the record says, or beside the record."""
    if named is not None:
        _check_same(named, digest, f"{record.name} is of another file than {named.name}", remedy="name that file")
        return named
    for place in (recorded, record.with_name(recorded.name)):
        try:
            found = source_hash(place)[0]
        except (OSError, MediaError):
            continue
        if found != digest:
            raise InputError(
                f"{place} is not the file that was rendered: its SHA-256 is another",
                remedy="name that file with --source",
            )
        return place
    raise InputError(f"the source is not at {recorded}", remedy="say with --source where it is now")


def _check_same(path: Path, digest: str, said: str, *, remedy: str) -> None:
    try:
        found = source_hash(path)[0]
    except (OSError, MediaError):
        raise InputError(f"{said}, which is not there", remedy=remedy) from None
    if found != digest:
        raise InputError(f"{said}, whose SHA-256 is another now", remedy=remedy)


def _check_weights(request: RenderRequest, recorded: Mapping[str, object], name: str) -> None:
    """Raises InputError where a part of the model is another than the one that rendered, or is absent."""
    if request.looks is not None and not request.looks:
        return
    try:
        model = model_of(request)
        now = weights_of(settle(request, model).all_looks, model)
    except ModelError as error:
        raise InputError(f"{name}: {error.message}", remedy=error.remedy) from None
    others = [part for part in {**recorded, **now} if recorded.get(part) != now.get(part)]
    if others:
        raise InputError(
            f"{name}: the weights of {', '.join(others)} are others now than those that rendered it",
            remedy="install those again, or render it with `vedit restyle`",
        )


def _as_it_computed(request: RenderRequest, computed: Mapping[str, object]) -> RenderRequest:
    """The request in float32, where that was computed in and this CPU would unasked do better, in other frames."""
    wide = request.device == "cpu" and computed.get("precision") == FULL and request.precision == "auto"
    return replace(request, precision=FULL) if wide and _precision(request, "cpu") != FULL else request


def _precision(request: RenderRequest, device: str) -> str:
    """What the network would compute in here."""
    traits = model_of(request).traits
    return loading_of(request, device).on_this_machine(bears_bfloat16=traits.bears_bfloat16).samples_in


def _as_memory_had_it(request: RenderRequest, used: Mapping[str, Any], name: str) -> RenderRequest:
    """The request with the window and batch that its shots were sampled in, where memory left less than was asked.

    Raises:
        InputError: they cannot be asked for.
    """
    windows, batches = ({int(size) for size in used[key].values()} for key in ("windows", "batches"))
    looks = request.all_looks
    if windows <= {look.window for look in looks} and batches <= {look.batch for look in looks} and not used["tiled"]:
        return request
    if used["tiled"] or len(windows) > 1 or len(batches) > 1:
        raise InputError(
            f"{name}: memory ran out in that render, and its shots were made with less and less of it",
            remedy=_ANEW,
        )
    (window,), (batch,) = windows, batches

    def smaller(look: RestyleOptions) -> RestyleOptions:
        overlap = None if look.overlap is None else min(look.overlap, window // 3)
        return replace(look, window=window, batch=batch, overlap=overlap)

    options = smaller(request.options)
    return replace(
        request,
        options=options,
        looks=None if request.looks is None else {number: smaller(look) for number, look in request.looks.items()},
    )
