"""How one shot changes, as a user of the Python API writes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vedit.checks.arguments import checked
from vedit.options.embeddings import EmbeddingSpec
from vedit.options.embeddings import embeddings as parsed_embeddings
from vedit.options.loras import LoraSpec, parse_lora
from vedit.options.masks import MaskSpec, RegionSpec, parse_mask_spec, parse_region
from vedit.options.painted import PaintedSpec
from vedit.options.painted import painted as parsed_painted
from vedit.options.references import ReferenceSpec
from vedit.options.references import references as parsed_references
from vedit.options.request import (
    DEFAULT_CONTROLS,
    BlackBars,
    InversionName,
    Preserve,
    QualityName,
    RestyleOptions,
    Start,
)
from vedit.types import ControlSpec

if TYPE_CHECKING:
    from collections.abc import Mapping


@checked
class Edit(RestyleOptions):
    """How a shot changes: `Edit("engraving", controls=["tile", "depth:0.8"], strength=0.7)`.

    `RestyleOptions` that are pleasant to write; whatever takes those takes an edit.
    """

    # Beside the fields of `RestyleOptions` the one place of these settings: tests/api/test_signatures.py compares them.
    def __init__(
        self,
        prompt: str = "",
        *,
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
    ) -> None:
        """Make it; all but the prompt is given by name.

        Args:
            prompt: the look to give, for instance 'woodcut'; it may stay empty where regions have prompts.
            negative_prompt: what the result should not look like.
            source_prompt: what the source shows, in words; the inversion runs under it.
            strength: 0 to 1: how much is regenerated; 0 is the source; None is 1, and of a few-step model that begins
                at the noised source its own.
            guidance: 0 to 100: how strictly the prompt is followed; 1 is without guidance; None is the model's own.
            controls: what keeps the structure; as specifications or as --control has them ("softedge:0.8@0-0.6"), ()
                for none; None is tile, softedge.
            keep: "structure", "motion" or "faces": what the result holds on to: controls by intent; instead of
                controls.
            mask: where the picture changes; a specification, or one mask in a word as --region has it; None is
                everywhere.
            regions: a part of the picture with a prompt of its own; where nothing else has a prompt, only it changes;
                each as a specification or as --region has it (MASK=PROMPT).
            allow_unknown: render a prompt of which the model knows no word, too.
            loras: changes of the model's weights (LoRA): file, folder, listed name or hub id; several add up; each as a
                specification or as --lora has it (FILE:WEIGHT).
            references: a still picture that the result takes after: in palette and tone, or as the model's IP-Adapter
                reads it; each as a specification, a path, or as --reference has it.
            regime: "none", "lcm-full", "animatelcm", "lcm", "dmd2", "hyper-cfg", "hyper-unified", "hyper", "tcd",
                "lightning" or "turbo": how a few-step model or LoRA is sampled, where its files do not tell or tell
                wrongly; None is what the files tell.
            embeddings: a new word for prompts (textual inversion), called like its file or listed name, or by TOKEN;
                each as a specification, a path, or as --embedding has it.
            clip_skip: 1 to 64: the layer of the text encoder that prompts are read to, counted from the last, which is
                1; None is the model's own.
            freeu: scales of the UNet's features by FreeU; auto takes those that suit the model.
            pipeline: "restyle" or a plug-in's: the method that makes the frames.
            variation: 0 to 1: how much is drawn from the seed: more gives the look's own strokes, and less of the
                source's detail; None is the look's own, mostly 0.
            seed: 0 to 9223372036854775807: same seed, same frames; it acts where variation is above 0.
            quality: "draft", "standard" or "high": sets the steps and the size that the model works at.
            steps: 1 to 1000: sampling steps, instead of the quality's.
            inversion_steps: 1 to 1000: steps in which the source is inverted, at most those of the sampling; None is as
                many.
            fixed_point: 1 to 100: fixed-point iterations of each inversion step, instead of the quality's.
            short_side: 64 to 4096: pixels of the shorter side that the model works at, instead of the quality's.
            start: "inversion" or "noise": where the trajectory begins: the inverted source, or the source plus noise of
                the seed; None is the inverted source; of a few-step model the noised one.
            inversion: "fixed-point", "ddim" or "ddpm": how the source becomes noise: solved for step by step, by plain
                DDIM, or by noise maps (edit-friendly DDPM), which follow the prompt more freely.
            inject: parts of the sampling in which the source's features, and its attention, take the place of the
                target's; 0.8,0.5 is usual; a text: "0.8,0.5"; None is nothing is injected.
            attention: "cross-frame", "extended", "tokenflow", "vidtome", "flatten", "none" or a plug-in's: how frames
                that are sampled together see one another; None is the model's own, what it gains by.
            cross_frame: frames see one another as attention says; false is the same as attention none.
            anchor: a frame in whatever shot whose look the shots share, as seconds (12.5), timecode or #48; a text:
                "12.5", "#48"; None is each shot has a look to itself.
            batch: 1 to 1000000: frames per network call: memory and speed, and the frames by a level at most.
            window: 1 to 1000000: frames sampled together; decides the frames, like the seed.
            keyframes: draw some frames, auto or one in N at least, and carry the others between them along the motion;
                a text: "auto", "8"; None is the model draws every frame.
            keyframe: a frame painted by hand, or a folder of `vedit keys export`: kept, and carried to frames around
                it; each as a specification, as --keyframe has it, or a folder's path; TIME is a frame number (0, #24),
                seconds (1.5s) or a timecode.
            overlap: 0 to 333333: frames that neighbouring windows share, at most a third of the window; None is 4, or
                that third where it is less.
            upscale: "guided", "lanczos" or a plug-in's: back to the source's size: guided by the source's edges, or
                plain.
            bars: "keep" or "paint": black bars around the picture, found in each shot: left as they are, or restyled
                too.

        Raises:
            InputError: a mask, region or control that is not understood, or a value that is not allowed.
        """
        given = locals()
        said: dict[str, Any] = {entry.name: given[entry.name] for entry in fields(RestyleOptions)}
        said["controls"] = DEFAULT_CONTROLS if controls is None else tuple(map(_control, controls))
        said["regions"] = tuple(parse_region(one) if isinstance(one, str) else one for one in regions)
        said["loras"] = tuple(parse_lora(one) if isinstance(one, str) else one for one in loras)
        said["references"] = parsed_references(references)
        said["embeddings"] = parsed_embeddings(embeddings)
        said["keyframe"] = parsed_painted(keyframe)
        if isinstance(mask, Path | str):
            said["mask"] = parse_mask_spec(str(mask))
        super().__init__(**said)

    def __repr__(self) -> str:
        plain = RestyleOptions()
        told = [
            f"{entry.name}={getattr(self, entry.name)!r}"
            for entry in fields(self)
            if entry.name == "prompt" or getattr(self, entry.name) != getattr(plain, entry.name)
        ]
        return f"Edit({', '.join(told)})"


def plain_options(edit: RestyleOptions) -> RestyleOptions:
    """The same as a plain `RestyleOptions`, so that two edits that say the same are one look."""
    said: dict[str, Any] = {entry.name: getattr(edit, entry.name) for entry in fields(RestyleOptions)}
    # Lists are as good as tuples to a caller, but looks are compared by hash.
    several = ("controls", "regions", "loras", "references", "embeddings", "keyframe")
    said |= {key: tuple(said[key]) for key in several}
    return RestyleOptions(**said)


def plain_looks(edits: Mapping[int, RestyleOptions]) -> dict[int, RestyleOptions]:
    """`plain_options` of each, by shot number."""
    return {number: plain_options(edit) for number, edit in edits.items()}


def _control(value: ControlSpec | str) -> ControlSpec:
    if not isinstance(value, str):
        return value
    from vedit.options.controls import parse_control

    return parse_control(value)
