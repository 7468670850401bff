"""The Python API in one call a job: a file and settings by name, or a `RenderRequest` made beforehand."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from fractions import Fraction
from functools import wraps
from inspect import cleandoc, signature
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, cast

from vedit.checks.arguments import checked
from vedit.edits.edit import Edit, plain_looks, plain_options
from vedit.errors import ArgumentError
from vedit.media.output import BitDepth, CodecName, Interlaced, OutputOptions, PresetName
from vedit.media.writing.atomic import Stamp
from vedit.options.embeddings import EmbeddingSpec
from vedit.options.loras import LoraSpec
from vedit.options.masks import MaskSpec, RegionSpec
from vedit.options.output_names import in_folder, is_folder, look_name
from vedit.options.painted import PaintedSpec
from vedit.options.references import ReferenceSpec
from vedit.options.request import (
    AttentionBackend,
    BlackBars,
    InversionName,
    Offload,
    Precision,
    Preserve,
    QualityName,
    Quantize,
    RenderRequest,
    RestyleOptions,
    Start,
)
from vedit.options.table import BOUNDS
from vedit.progress.callbacks import OnProgress, ignore_progress
from vedit.render import preview as stills
from vedit.render import run as render
from vedit.render.outcome import RenderPlan, RenderResult
from vedit.types import ControlSpec, Shot

P = ParamSpec("P")
R = TypeVar("R")

_BESIDE_A_REQUEST = ("source", "side_by_side", "on_progress")
"""What is no part of a request."""


@dataclass(frozen=True, kw_only=True)
class Call:
    """What a call asks for."""

    request: RenderRequest
    side_by_side: Path | None
    on_progress: OnProgress


# The one place of the settings of `restyle`, `plan`, `preview` and `request`: tests/api/test_signatures.py compares it
# with the dataclasses that the settings belong to. An underscore keeps it out of the API.
def _called(
    source: RenderRequest | Path | str,
    *,
    prompt: str = "",
    negative_prompt: str = "",
    source_prompt: str = "a photograph",
    strength: float | None = None,
    guidance: float | None = None,
    controls: Sequence[ControlSpec | str] | None = None,
    keep: Preserve | None = None,
    mask: MaskSpec | Path | str | None = None,
    regions: Sequence[RegionSpec | str] = (),
    allow_unknown: bool = False,
    loras: Sequence[LoraSpec | str] = (),
    references: Sequence[ReferenceSpec | Path | str] = (),
    regime: str | None = None,
    embeddings: Sequence[EmbeddingSpec | Path | str] = (),
    clip_skip: int | None = None,
    freeu: str = "",
    pipeline: str = "restyle",
    variation: float | None = None,
    seed: int = 0,
    quality: QualityName = "standard",
    steps: int | None = None,
    inversion_steps: int | None = None,
    fixed_point: int | None = None,
    short_side: int | None = None,
    start: Start | None = None,
    inversion: InversionName = "fixed-point",
    inject: str | None = None,
    attention: str | None = None,
    cross_frame: bool = True,
    anchor: str | None = None,
    batch: int = 8,
    window: int = 24,
    keyframes: str | None = None,
    keyframe: Sequence[PaintedSpec | Path | str] = (),
    overlap: int | None = None,
    upscale: str = "guided",
    bars: BlackBars = "keep",
    looks: Mapping[int, RestyleOptions] | None = None,
    shots: Sequence[Shot] | None = None,
    locked: frozenset[int] = frozenset(),
    output: Path | str | None = None,
    frames: str | None = None,
    model: str = "embedded",
    controlnets: Mapping[str, str] | Sequence[tuple[str, str]] = (),
    ip_adapter: str | None = None,
    image_encoder: str | None = None,
    motion_adapter: str | None = None,
    unet: str | None = None,
    device: str = "auto",
    precision: Precision = "auto",
    quantize: Quantize = "none",
    offload: Offload = "none",
    attention_backend: AttentionBackend = "auto",
    rate: Fraction | int | None = None,
    track: int | None = None,
    allow_huge: bool = False,
    fresh: bool = False,
    keep_work: bool = False,
    purpose: Mapping[str, object] | None = None,
    keep_frames: bool = False,
    codec: CodecName | None = None,
    preset: PresetName = "edit",
    bit_depth: BitDepth | None = None,
    hardware: bool = False,
    label: bool = True,
    sidecar: bool = True,
    strict: bool = False,
    overwrite: bool = False,
    replaces: Sequence[Stamp] = (),
    drop_unsupported: bool = False,
    drop_alpha: bool = False,
    even: bool = False,
    interlaced: Interlaced = "deinterlace",
    timecode: str | None = None,
    side_by_side: Path | str | None = None,
    on_progress: OnProgress = ignore_progress,
) -> Call:
    """What a call asks for.

    Args:
        source: the clip; or a request, which has its settings already: then only the last two may stand beside it.
        prompt: the look to give, for instance 'woodcut'; it may stay empty where regions have prompts.
        negative_prompt: what the result should not look like.
        source_prompt: what the source shows, in words; the inversion runs under it.
        strength: 0 to 1: how much is regenerated; 0 is the source; None is 1, and of a few-step model that begins at
            the noised source its own.
        guidance: 0 to 100: how strictly the prompt is followed; 1 is without guidance; None is the model's own.
        controls: what keeps the structure; as specifications or as --control has them ("softedge:0.8@0-0.6"), () for
            none; None is tile, softedge.
        keep: "structure", "motion" or "faces": what the result holds on to: controls by intent; instead of controls.
        mask: where the picture changes; a specification, or one mask in a word as --region has it; None is everywhere.
        regions: a part of the picture with a prompt of its own; where nothing else has a prompt, only it changes; each
            as a specification or as --region has it (MASK=PROMPT).
        allow_unknown: render a prompt of which the model knows no word, too.
        loras: changes of the model's weights (LoRA): file, folder, listed name or hub id; several add up; each as a
            specification or as --lora has it (FILE:WEIGHT).
        references: a still picture that the result takes after: in palette and tone, or as the model's IP-Adapter reads
            it; each as a specification, a path, or as --reference has it.
        regime: "none", "lcm-full", "animatelcm", "lcm", "dmd2", "hyper-cfg", "hyper-unified", "hyper", "tcd",
            "lightning" or "turbo": how a few-step model or LoRA is sampled, where its files do not tell or tell
            wrongly; None is what the files tell.
        embeddings: a new word for prompts (textual inversion), called like its file or listed name, or by TOKEN; each
            as a specification, a path, or as --embedding has it.
        clip_skip: 1 to 64: the layer of the text encoder that prompts are read to, counted from the last, which is 1;
            None is the model's own.
        freeu: scales of the UNet's features by FreeU; auto takes those that suit the model.
        pipeline: "restyle" or a plug-in's: the method that makes the frames.
        variation: 0 to 1: how much is drawn from the seed: more gives the look's own strokes, and less of the source's
            detail; None is the look's own, mostly 0.
        seed: 0 to 9223372036854775807: same seed, same frames; it acts where variation is above 0.
        quality: "draft", "standard" or "high": sets the steps and the size that the model works at.
        steps: 1 to 1000: sampling steps, instead of the quality's.
        inversion_steps: 1 to 1000: steps in which the source is inverted, at most those of the sampling; None is as
            many.
        fixed_point: 1 to 100: fixed-point iterations of each inversion step, instead of the quality's.
        short_side: 64 to 4096: pixels of the shorter side that the model works at, instead of the quality's.
        start: "inversion" or "noise": where the trajectory begins: the inverted source, or the source plus noise of the
            seed; None is the inverted source; of a few-step model the noised one.
        inversion: "fixed-point", "ddim" or "ddpm": how the source becomes noise: solved for step by step, by plain
            DDIM, or by noise maps (edit-friendly DDPM), which follow the prompt more freely.
        inject: parts of the sampling in which the source's features, and its attention, take the place of the target's;
            0.8,0.5 is usual; a text: "0.8,0.5"; None is nothing is injected.
        attention: "cross-frame", "extended", "tokenflow", "vidtome", "flatten", "none" or a plug-in's: how frames that
            are sampled together see one another; None is the model's own, what it gains by.
        cross_frame: frames see one another as attention says; false is the same as attention none.
        anchor: a frame in whatever shot whose look the shots share, as seconds (12.5), timecode or #48; a text: "12.5",
            "#48"; None is each shot has a look to itself.
        batch: 1 to 1000000: frames per network call: memory and speed, and the frames by a level at most.
        window: 1 to 1000000: frames sampled together; decides the frames, like the seed.
        keyframes: draw some frames, auto or one in N at least, and carry the others between them along the motion; a
            text: "auto", "8"; None is the model draws every frame.
        keyframe: a frame painted by hand, or a folder of `vedit keys export`: kept, and carried to frames around it;
            each as a specification, as --keyframe has it, or a folder's path; TIME is a frame number (0, #24), seconds
            (1.5s) or a timecode.
        overlap: 0 to 333333: frames that neighbouring windows share, at most a third of the window; None is 4, or that
            third where it is less.
        upscale: "guided", "lanczos" or a plug-in's: back to the source's size: guided by the source's edges, or plain.
        bars: "keep" or "paint": black bars around the picture, found in each shot: left as they are, or restyled too.
        looks: number of a shot, from 1 -> how it changes; the others pass through; None: every shot under the settings.
        shots: the shots of the whole clip, without gap or overlap; None detects them.
        locked: numbers of shots that stay as the last render with keep_frames left them, whatever their look says now.
        output: the result; or a folder that is there for NAME.LOOK.EXT in it; None is NAME.vedit.EXT beside the source.
        frames: part of the clip, END exclusive: seconds (1.5..4), timecode (00:00:01:12..00:00:04:00) or frames
            (#36..#96); None is the whole clip.
        model: listed name, diffusers folder, .safetensors file or hub id.
        controlnets: a further control branch for the model (ControlNet or T2I-Adapter): listed name, folder,
            .safetensors file or hub id; as kind -> place.
        ip_adapter: an IP-Adapter for the model, which reads the references: listed name, .safetensors file, or hub id.
        image_encoder: what the IP-Adapter looks at pictures with: the folder of a CLIP image encoder, or a hub id; None
            is image_encoder/ near the IP-Adapter.
        motion_adapter: a motion adapter of AnimateDiff for the model, which draws frames together: listed name, folder,
            .safetensors file or hub id.
        unet: a UNet in the place of the model's own, in GGUF: it rests in the blocks of its file.
        device: "auto", "cpu", "cuda" or "mps": where to run.
        precision: "auto", "float32", "float16" or "bfloat16": what the networks compute in; auto is float16 on a GPU,
            and on a CPU float32, or bfloat16 where the CPU is faster in it and the model bears it.
        quantize: "none", "int8", "fp8", "int4" or "nf4": hold the network's weights in 8 or 4 bits: less memory,
            slower, and frames near those without.
        offload: "none", "model" or "group": what waits in host memory beside a GPU: model takes turns of network and
            autoencoder, group brings the blocks of the networks one by one.
        attention_backend: "auto", "flash", "efficient", "cudnn" or "math": the kernel that computes attention where it
            can; auto is torch's choice.
        rate: frames per second of an image sequence: 25, 23.976, 30000/1001; above 0 up to 1000; None is 25.
        track: from 0 on: the video stream to take, by the number that 'vedit probe' lists; None is the film.
        allow_huge: read sources beyond the limits on frame size and length.
        fresh: do not go on from what an earlier run has kept in OUT.vedit.
        keep_work: keep what the model made: the same result with another codec or upscale does not run it again.
        purpose: what the caller knows the result by, as JSON has it; written into the result and its sidecar.
        keep_frames: keep every shot's finished frames, so that changing one shot only encodes the others anew.
        codec: "h264", "hevc", "av1", "vp9", "prores", "dnxhr", "ffv1", "png", "jpeg", "tiff", "exr" or "gif": codec of
            the result; None is the container's usual one.
        preset: "web", "edit" or "archive": web: small, plays everywhere; edit: visually lossless; archive: lossless
            where the codec can be.
        bit_depth: 8, 10, 12 or 16: bits per sample, or the codec's next higher; None is the source's.
        hardware: encode with this machine's hardware encoder for the codec, where there is one.
        label: write the IPTC label of media made with trained models.
        sidecar: write OUT.vedit.json beside the result.
        strict: stop before rendering where anything of the source cannot be kept.
        overwrite: replace files that are already there; the source never.
        replaces: files that may be replaced without overwrite, as long as they are as they were seen then.
        drop_unsupported: leave out what the output's container or codec cannot hold, with a note, rather than refuse.
        drop_alpha: leave out transparency that the codec cannot hold, with a note, rather than refuse.
        even: pad an odd side by a pixel where 4:2:0 needs an even one, instead of writing 4:4:4.
        interlaced: "deinterlace" or "weave": what is done with the fields of an interlaced source.
        timecode: timecode of the source's first frame, where the source has none itself.
        side_by_side: also write source and result beside each other to this file.
        on_progress: told as frames pass the stages.
    """
    given = locals()
    beside = None if side_by_side is None else Path(side_by_side)
    if isinstance(source, RenderRequest):
        return Call(request=source, side_by_side=beside, on_progress=on_progress)
    look, job, writing = (_of(kind, given) for kind in (RestyleOptions, RenderRequest, OutputOptions))
    pairs = controlnets.items() if isinstance(controlnets, Mapping) else controlnets
    options = plain_options(Edit(**look))
    target = None if output is None else Path(output)
    if output is not None and is_folder(output):
        target = in_folder(output, Path(source), look_name(options), track=track, codec=codec)
    job |= {
        "source": Path(source),
        "output": target,
        "controlnets": tuple(pairs),
        "looks": None if looks is None else plain_looks(looks),
    }
    request = RenderRequest(options=options, writing=OutputOptions(**writing), **job)
    return Call(request=request, side_by_side=beside, on_progress=on_progress)


def _of(kind: type, given: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that are fields of a dataclass."""
    return {field.name: given[field.name] for field in fields(cast("Any", kind)) if field.name in given}


def _with_settings(settings: Callable[P, Call]) -> Callable[[Callable[[Call], R]], Callable[P, R]]:
    """A function of a `Call` as one of the settings that make it, which its signature and its help show."""
    shape = signature(settings)
    arguments = cleandoc(settings.__doc__ or "").partition("\n\n")[2]

    def decorate(function: Callable[[Call], R]) -> Callable[P, R]:
        make = checked(settings, known_as=function.__name__, bounds=BOUNDS)

        @wraps(function)
        def called(*args: P.args, **kwargs: P.kwargs) -> R:
            source = args[0] if args else kwargs.get("source")
            besides = [name for name in kwargs if name not in _BESIDE_A_REQUEST]
            if isinstance(source, RenderRequest) and besides and set(besides) <= set(shape.parameters):
                raise ArgumentError(
                    f"a request has its settings already; {', '.join(besides)} came beside it",
                    remedy=f"write dataclasses.replace(request, {besides[0]}=...)",
                )
            return function(make(*args, **kwargs))

        made = cast("Any", called)
        made.__signature__ = shape.replace(return_annotation=signature(function).return_annotation)
        made.__annotations__ = {**settings.__annotations__, "return": function.__annotations__["return"]}
        made.__doc__ = f"{cleandoc(function.__doc__ or '')}\n\n{arguments}"
        del made.__wrapped__  # whose only argument is not this one's
        return called

    return decorate


@_with_settings(_called)
def request(call: Call) -> RenderRequest:
    """A render as settings by name, to be passed instead of them, or changed with `dataclasses.replace`."""
    return call.request


@_with_settings(_called)
def restyle(call: Call) -> RenderResult:
    """Render a clip under a prompt: `restyle("in.mp4", prompt="night", seed=3)`, or a request; see `render.restyle`.

    Raises:
        InputError: the request cannot be carried out; nothing was written.
        NotFiniteError: NaN or infinity came up; nothing was written.
        ContractError: the written file broke the timing or sound contract; it was removed.
    """
    return render.restyle(call.request, on_progress=call.on_progress, side_by_side=call.side_by_side)


@_with_settings(_called)
def plan(call: Call) -> RenderPlan:
    """What `restyle` would do with the same arguments; nothing is written. Raises InputError as `restyle` does."""
    return render.plan(call.request, on_progress=call.on_progress, side_by_side=call.side_by_side)


@_with_settings(_called)
def preview(call: Call) -> Path:
    """First, middle and last frame of each shot, before and after, as one PNG; see `vedit.render.preview`.

    It takes the arguments of `restyle`, and writes OUT.LOOK.preview.png beside its output instead of it. Raises
    InputError where the request cannot be carried out.
    """
    return stills.preview(call.request, on_progress=call.on_progress)
