"""What a look brings a model beside its words: files that change networks, and settings of these."""

from __future__ import annotations

from dataclasses import dataclass, fields

from vedit.checks.arguments import checked
from vedit.checks.bounds import one_of
from vedit.checks.setting import About, setting
from vedit.options.embeddings import EmbeddingSpec
from vedit.options.freeu import parse_freeu
from vedit.options.loras import LoraSpec
from vedit.options.references import ReferenceSpec
from vedit.registry.regimes import ORDINARY, regime_names


@checked
@dataclass(frozen=True, kw_only=True)
class Adapting:
    """What a look adds to the model, for its own shots alone; a family says what of it its models take."""

    loras: tuple[LoraSpec, ...] = setting(
        (),
        About(
            "Changes of the model's weights (LoRA): file, folder, listed name or hub id; several add up.",
            stage="model",
            metavar="FILE[:WEIGHT][,mask=MASK]",
            option="lora",
            several=True,
            common=True,
            plan="or a table: file, weight, mask",
            easier="Sequence[LoraSpec | str]",
            python="each as a specification or as --lora has it (FILE:WEIGHT)",
        ),
    )
    references: tuple[ReferenceSpec, ...] = setting(
        (),
        About(
            "A still picture that the result takes after: in palette and tone, or as the model's IP-Adapter reads it.",
            stage="look",
            metavar="PICTURE[:WEIGHT]",
            option="reference",
            several=True,
            easier="Sequence[ReferenceSpec | Path | str]",
            python="each as a specification, a path, or as --reference has it",
        ),
    )

    regime: str | None = setting(
        None,
        About(
            "How a few-step model or LoRA is sampled, where its files do not tell or tell wrongly.",
            stage="sampling",
            choices=(ORDINARY, *regime_names()),
            metavar="NAME",
            once=True,
            unset="what the files tell",
            plan=f"{ORDINARY} is sampling as of any other model",
        ),
    )
    embeddings: tuple[EmbeddingSpec, ...] = setting(
        (),
        About(
            "A new word for prompts (textual inversion), called like its file or listed name, or by TOKEN.",
            stage="model",
            metavar="FILE[=TOKEN]",
            option="embedding",
            several=True,
            easier="Sequence[EmbeddingSpec | Path | str]",
            python="each as a specification, a path, or as --embedding has it",
        ),
    )
    clip_skip: int | None = setting(
        None,
        About(
            "The layer of the text encoder that prompts are read to, counted from the last, which is 1.",
            stage="model",
            bounds=(1, 64),
            unset="the model's own",
        ),
    )
    freeu: str = setting(
        "",
        About(
            "Scales of the UNet's features by FreeU; auto takes those that suit the model.",
            stage="model",
            metavar="B1,B2,S1,S2|auto",
            unset="none",
        ),
    )

    def __post_init__(self) -> None:
        if self.regime is not None:
            one_of("regime", self.regime, (ORDINARY, *regime_names()))
        if self.freeu:
            parse_freeu(self.freeu)

    @property
    def brought(self) -> tuple[str, ...]:
        """The names of the settings here that say something else than their defaults."""
        return tuple(one.name for one in fields(Adapting) if getattr(self, one.name) != one.default)
