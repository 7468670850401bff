"""Digests of large files, kept for as long as the files are untouched: gigabytes are hashed once, not in each render.

A file is untouched where its place, size, times of change and number on the disk are the same; the time at which its
status changed cannot be set by who replaces it. They are kept in `digests.json` in the folder for caches, where nothing
is ever needed: what is absent or damaged is computed again. Importing this does not import torch.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import cast

from vedit.store.cache_folder import cache_root
from vedit.store.kept_table import DIGESTS, keep, read_table

FILE = DIGESTS
FORMAT = 1
_TABLE = "digests"
_ENTRIES = 500
"""The newest."""
_SETTLED = 2 * 10**9
"""Nanoseconds since a file's last change before it is believed: disks count time in coarse steps, in which a file may
change twice."""
_SHA256 = re.compile(r"[0-9a-f]{64}")


def stamp_of(files: Iterable[Path], **facts: object) -> str | None:
    """What tells files as they are from what they were or will be; None where one was changed just now.

    Args:
        files: each there.
        facts: what else decides a digest, JSON-able.
    """
    told: list[object] = []
    for file in files:
        status = file.stat()
        if time.time_ns() - max(status.st_mtime_ns, status.st_ctime_ns) < _SETTLED:
            return None
        times = [status.st_mtime_ns, status.st_ctime_ns]
        told.append([str(file.resolve()), status.st_dev, status.st_ino, status.st_size, *times])
    return hashlib.sha256(json.dumps({"files": told, "facts": facts}, sort_keys=True).encode()).hexdigest()


def digests_under(stamp: str) -> Mapping[str, str]:
    """Part -> digest, of what was kept under a stamp; nothing where it is not known."""
    found = read_table(cache_root() / FILE, _TABLE, version=FORMAT).get(stamp)
    told = cast("dict[str, object]", found) if isinstance(found, dict) else {}
    digests = {part: one for part, one in told.items() if isinstance(one, str) and _SHA256.fullmatch(one)}
    return digests if len(digests) == len(told) else {}


def keep_digests(stamp: str, digests: Mapping[str, str]) -> None:
    """Keep digests under a stamp. Not to be able to is no error."""
    keep(cache_root() / FILE, _TABLE, {stamp: dict(digests)}, version=FORMAT, newest=_ENTRIES)
