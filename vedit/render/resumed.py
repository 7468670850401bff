"""A render that goes on with what an earlier run has finished: on as many threads, and said where it cannot."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch

from vedit.store.computed_on import in_words, threads_of, with_threads

if TYPE_CHECKING:
    from vedit.render.sample_shot import OnNote, ShotSampler
    from vedit.store.units import UnitStore


@contextmanager
def same_threads(device: str, work: UnitStore, on_note: OnNote) -> Generator[tuple[str, ...]]:
    """As many CPU threads as what is finished was computed on, for as long as the context lasts; yields what is said.

    Sums that are cut by another count of threads differ in their last bits, and units of two counts would be joined in
    one shot; so the folder's count stands until the result is finished or begun anew.

    Args:
        device: that the networks run on.
        work: the folder, opened.
        on_note: told where the count is another than this run's own.
    """
    count, own = threads_of(work.computed_on), torch.get_num_threads()
    if count is None or count == own or torch.device(device).type != "cpu":
        yield ()
        return
    note = f"CPU threads: {count}, as the units in {work.path.name} were computed, not {own}; --fresh begins anew"
    on_note(note)
    with with_threads(count):
        yield (note,)


def units_kept(
    samplers: Sequence[ShotSampler], work: UnitStore, before: Mapping[str, object] | None, on_note: OnNote
) -> int:
    """How many units of a render an earlier run has kept, said where there are any, or why none of them is of use.

    Args:
        samplers: one for each look that samples.
        work: the folder.
        before: what the newest unit there was computed on.
        on_note: told.
    """
    counts = [sampler.missing() for sampler in samplers]
    missing, total = sum(count[0] for count in counts), sum(count[1] for count in counts)
    if missing < total:
        on_note(f"going on: {total - missing} of {total} units are finished in {work.path}")
    elif work.kept and total:
        now = samplers[0].computed_on
        if before is None or before == now:
            on_note(f"the units in {work.path} are of other settings or another source: beginning anew")
        else:
            on_note(
                f"the units in {work.path} were computed on {in_words(before)}, and this is {in_words(now)}: beginning "
                "anew"
            )
    return total - missing
