"""VEFX-Bench (Gao et al. 2026): instructions for edits and effects, judged by a reward model of its own.

    FOLDER/prompts.json                   entries with "original" and "instruction"; or .jsonl, or .csv of its scorer
    FOLDER/videos/a.mp4 ...               the clips, where the entries say
    OUT/0000_a_edited.mp4 ...             the results
    OUT/edits.csv                         original_video, edited_video, instruction: what batch_scoring.py reads

The keys are those of the samples and of the scoring scripts in its repository; the dataset's own listing is read where
it has the same. An instruction ("make it snowy") goes to vedit as the prompt: nothing else describes the result.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from published.item import Film, Item, Need, inside, one_name
from published.placing import place, write_csv
from published.prompt_files import first_there, optional, read_entries
from vedit.errors import InputError

_PROMPTS = ("prompts.json", "prompts.jsonl", "edits.csv", "test.jsonl", "test.json", "metadata.jsonl", "metadata.csv")
_ORIGINAL = ("original", "original_video", "source_video", "video")
_INSTRUCTION = ("instruction", "edit_instruction", "prompt")


class VEFXBench:
    """VEFX-Bench's layout, as its repository's README and examples have it (May 2026)."""

    title = "VEFX-Bench"
    scorer = "python examples/batch_scoring.py --csv {out}/edits.csv --output results.csv --model 4B"
    figures: Mapping[str, str] = {"IF": "", "RQ": "", "EE": "", "Overall": ""}
    needs: Sequence[Need] = (
        Need(
            name="VEFX-Reward-4B (or 32B, 65 GB of GPU memory)",
            size="9 GB, 10 GB of GPU memory",
            figures=("IF", "RQ", "EE", "Overall"),
            beside=("edge_correlation", "flicker_detail"),
        ),
    )

    def items(self, folder: Path) -> Iterator[Item]:
        """See `published.item.Layout`."""
        path = first_there(folder, _PROMPTS, whose=self.title)
        for number, (told, entry) in enumerate(read_entries(path)):
            original, instruction = optional(entry, *_ORIGINAL), optional(entry, *_INSTRUCTION)
            if not original or not instruction:
                raise InputError(
                    f"{told} has no {_ORIGINAL[0]!r} or no {_INSTRUCTION[0]!r}; it has {', '.join(entry) or 'nothing'}",
                    remedy="is this the prompt file of the layout that was named?",
                )
            source = inside(folder, original, told)
            if not source.is_file():
                raise InputError(f"{told} names {original}, which is not there", remedy="unpack the videos there")
            yield Item(
                name=f"{number}: {original}",
                source=source,
                prompt=instruction,
                place=(one_name(f"{number:04d}_{source.stem}_edited", told),),
                form=Film(),
                facts={"category": optional(entry, "category"), "subcategory": optional(entry, "subcategory")},
            )

    def write(self, item: Item, result: Path, out: Path) -> Path:
        """See `published.item.Layout`."""
        return place(item, result, out)

    def index(self, items: Sequence[Item], out: Path) -> Sequence[Path]:
        """The table that the scorer reads. It opens the paths from wherever it runs, so they are written in full."""
        rows = [_row(item, out) for item in items]
        return [write_csv(out / "edits.csv", ["original_video", "edited_video", "instruction", "category"], rows)]

    def table(self, rows: Sequence[tuple[Item, Mapping[str, float]]], folder: Path) -> Sequence[Path]:
        """None: all its figures are the reward model's."""
        return ()


def _row(item: Item, out: Path) -> dict[str, object]:
    paths = {"original_video": item.source.resolve(), "edited_video": item.target(out).resolve()}
    return {**paths, "instruction": item.prompt, "category": item.facts["category"]}
