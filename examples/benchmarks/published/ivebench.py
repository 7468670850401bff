"""IVEBench (Chen et al. 2026, ICLR): 600 clips of 32 to 1024 frames, 720p to 8K, with an instruction each.

    FOLDER/*.json                     entries with src_video_name, edit_prompt, source_prompt, target_prompt, category
    FOLDER/**/NAME.mp4                the clips, or folders NAME of frames as its data_process scripts make them
    OUT/JSON/NAME/00000.png ...       what the scorer reads: frame folders named as the clips, one parent for each JSON

The short (32 to 128 frames) and the long subset have a JSON each and are scored apart. vedit takes a description of the
result, so it renders `target_prompt`; the instruction, `edit_prompt`, serves where an entry has no description.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from published.item import Item, Need, Pictures, one_name, picture_files
from published.placing import place, write_csv, write_json
from published.prompt_files import optional, read_entries, word
from vedit.errors import InputError

_FORM = Pictures(suffix=".png", first=0)
_NAME = "src_video_name"


class IVEBench:
    """IVEBench's layout, as its repository's README, metrics/ and data_process/ have it (January 2026)."""

    title = "IVEBench"
    scorer = (
        "cd metrics && python evaluate.py --source_videos_path FRAMES_OF_THE_SOURCES --target_videos_path {out}/JSON "
        "--info_json_path {out}/JSON.json --output_path RESULTS; python get_average_score.py -i CSV -o AVERAGES"
    )
    figures: Mapping[str, str] = {
        "subject_consistency": "",
        "temporal_flickering": "still_share",
        "background_consistency": "",
        "motion_smoothness": "",
        "vtss": "",
        "overall_semantic_consistency": "",
        "instruction_satisfaction": "",
        "phrase_semantic_consistency": "",
        "quantity_accuracy": "",
        "semantic_fidelity": "",
        "motion_fidelity": "",
        "content_fidelity": "",
    }
    needs: Sequence[Need] = (
        Need(name="Qwen2.5-VL-72B-Instruct", size="147 GB", figures=("instruction_satisfaction", "content_fidelity")),
        Need(
            name="VideoCLIP-XL-v2",
            size="2 GB",
            figures=("overall_semantic_consistency", "phrase_semantic_consistency", "semantic_fidelity"),
        ),
        Need(
            name="CoTracker3 baseline_offline.pth",
            size="0.1 GB",
            figures=("motion_fidelity",),
            beside=("motion_error",),
        ),
        Need(name="GroundingDINO SwinB", size="0.9 GB", figures=("quantity_accuracy",)),
        Need(name="Koala-36M Training Suitability Assessment", size="", figures=("vtss",)),
        Need(name="AMT-G", size="0.1 GB", figures=("motion_smoothness",), beside=("warp_error", "flicker_detail")),
        Need(
            name="DINO and CLIP as VBench loads them",
            size="0.7 GB",
            figures=("subject_consistency", "background_consistency"),
            beside=("clip_consecutive", "colour_drift"),
        ),
    )

    def items(self, folder: Path) -> Iterator[Item]:
        """See `published.item.Layout`."""
        files = [path for path in sorted(folder.glob("*.json")) if _lists_clips(path)]
        if not files:
            raise InputError(
                f"{folder} has no .json whose entries have {_NAME!r}, the prompt file of {self.title}",
                remedy="name the folder of the dataset as it is downloaded",
            )
        films = {path.name: path for path in sorted(folder.rglob("*.mp4"))}
        folders = {path.name: path for path in sorted(folder.rglob("*")) if path.is_dir() and picture_files(path)}
        for path in files:
            for told, entry in read_entries(path):
                video = one_name(word(entry, _NAME, told), told)
                stem = one_name(Path(video).stem, told)
                source = folders.get(stem) or films.get(video)
                if source is None:
                    raise InputError(
                        f"{told} names {video}, and neither it nor a folder {stem} of frames is in {folder}",
                        remedy="unpack the dataset's videos into it, or take the entry out",
                    )
                prompt = optional(entry, "target_prompt", "edit_prompt")
                if not prompt:
                    raise InputError(f"{told} has no target_prompt and no edit_prompt", remedy="fetch the file anew")
                yield Item(
                    name=f"{path.stem}: {video}",
                    source=source,
                    prompt=prompt,
                    source_prompt=optional(entry, "source_prompt"),
                    place=(one_name(path.stem, told), stem),
                    form=_FORM,
                    facts={"file": path.stem, "entry": json.dumps(dict(entry))},
                )

    def write(self, item: Item, result: Path, out: Path) -> Path:
        """See `published.item.Layout`."""
        return place(item, result, out)

    def index(self, items: Sequence[Item], out: Path) -> Sequence[Path]:
        """The prompt files again, with the entries that were rendered alone: the scorer counts a missing clip as 0."""
        return [
            write_json(out / f"{stem}.json", [json.loads(i.facts["entry"]) for i in items if i.facts["file"] == stem])
            for stem in dict.fromkeys(item.facts["file"] for item in items)
        ]

    def table(self, rows: Sequence[tuple[Item, Mapping[str, float]]], folder: Path) -> Sequence[Path]:
        """The scorer's table, one for each prompt file; -1 is what it writes where a figure was not measured."""
        scores = {name: f"{name}_score" for name in sorted(self.figures)}
        files: list[Path] = []
        for stem in dict.fromkeys(item.facts["file"] for item, _ in rows):
            table: list[dict[str, object]] = []
            for item, found in rows:
                if item.facts["file"] == stem:
                    entry = json.loads(item.facts["entry"])
                    told = {"video_id": entry.get("id", len(table)), "video_name": entry[_NAME]}
                    kinds = {key: entry.get(key, "") for key in ("category", "subcategory")}
                    table.append({**told, **kinds, **{scores[name]: found.get(name, -1) for name in scores}})
            columns = ["category", "subcategory", "video_id", "video_name", *scores.values()]
            files.append(write_csv(folder / f"{stem}_eval_results.csv", columns, table))
        return files


def _lists_clips(path: Path) -> bool:
    """Whether a JSON is a prompt file: a dataset's folder holds others as well."""
    try:
        entries = read_entries(path)
    except InputError:
        return False
    return bool(entries) and all(_NAME in entry for _, entry in entries)
