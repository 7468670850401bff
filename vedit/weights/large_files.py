"""Large files of the hub, fetched so that what was cut goes on where it stopped.

The hub's client throws away what it has of a file when its connection or its process ends. Here it stays beside the
place of the file, under the SHA-256 that the hub says: the next pull asks for the rest alone (RFC 9110, section 14),
and a file that has changed on the hub has another SHA-256, so that nothing is ever put behind another file's beginning.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from filelock import FileLock, Timeout

from vedit.errors import ModelError
from vedit.weights.hub_cache import snapshots_of
from vedit.weights.store import digest, first_line, own_folders

if TYPE_CHECKING:
    from huggingface_hub.hf_api import ModelInfo

PARTIAL = ".vedit-part"
"""Ending of what has come of a file so far."""
WAITS: Sequence[float] = (1, 3, 10, 30)
"""Seconds before each further attempt while nothing comes; with the first byte that does they begin anew."""
MOST = 50 * 10**9
"""Bytes: the hub sends no larger file over plain HTTP, and its client fetches those by other means."""
_NOTES = ".cache/huggingface/download"
"""Where the client keeps its own in a folder that it fetches into."""
_PASSING = (408, 429, 500, 502, 503, 504)
"""HTTP codes of what another attempt may find mended."""


@dataclass(frozen=True, kw_only=True)
class LargeFile:
    """A file that the hub keeps by its SHA-256."""

    repo: str
    commit: str
    name: str
    """Its path in the repository."""
    size: int
    sha256: str


def large_files(repo: str, told: ModelInfo, names: Iterable[str]) -> tuple[LargeFile, ...]:
    """Those of some files of a repository that are kept by their SHA-256, as the hub tells of all of them."""
    wanted = set(names)
    found = [(one.rfilename, one.lfs) for one in told.siblings or () if one.rfilename in wanted]
    return tuple(
        LargeFile(repo=repo, commit=str(told.sha), name=name, size=lfs.size, sha256=lfs.sha256)
        for name, lfs in found
        if lfs is not None and lfs.size <= MOST
    )


def fetch_large(files: Sequence[LargeFile], *, folder: Path | None = None, force: bool = False) -> Mapping[str, str]:
    """Bring files to where the hub's client looks for them, each whole and of its SHA-256.

    Args:
        files: of one repository.
        folder: that they go to by their names; None is the hub's cache.
        force: fetch again what is there.

    Returns:
        Those that came, by name: the SHA-256 that each has.

    Raises:
        ModelError: the hub is out of reach or ends the connection again and again; what came stays for the next call.
            Or the disk is full, another process is fetching the file, or what came is not what the hub has.
    """
    came: dict[str, str] = {}
    for file in files:
        place = _Place.of(file, folder)
        if place.is_there and not force:
            continue
        with place.alone(file):
            if not place.is_there or force:
                _fetch(file, place)
                came[file.name] = file.sha256
    return came


def forget_parts(repo: str, newest: ModelInfo, *, folder: Path | None = None) -> None:
    """Take away what came of files that a repository no longer has, but for those that another process is fetching.

    Args:
        repo: owner/name.
        newest: what the hub tells of its newest commit.
        folder: see `fetch_large`.
    """
    known = {one.lfs.sha256 for one in newest.siblings or () if one.lfs is not None}
    held, locks = _kept_in(repo, folder)
    for part in held.glob(f"*{PARTIAL}"):
        sha256 = part.name.removesuffix(PARTIAL)
        if sha256 not in known:
            with suppress(OSError), _locked(locks, sha256):  # which a Timeout is
                part.unlink(missing_ok=True)


def parts() -> Mapping[Path, int]:
    """What has come of files that were cut, in the hub's cache and the model folders: path and bytes."""
    from huggingface_hub.constants import HF_HUB_CACHE

    found = sorted(Path(HF_HUB_CACHE).glob(f"models--*/blobs/*{PARTIAL}"))
    found += [part for folder in own_folders() for part in sorted(folder.glob(f"*/{_NOTES}/*{PARTIAL}"))]
    return {path: path.stat().st_size for path in found}


def _kept_in(repo: str, folder: Path | None) -> tuple[Path, Path]:
    """The folders of what has come of files, and of its locks."""
    if folder is not None:
        return folder / _NOTES, folder / _NOTES
    snapshots = snapshots_of(repo)
    # The client's own locks, which other programs hold while they fetch the same.
    return snapshots.parent / "blobs", snapshots.parents[1] / ".locks" / snapshots.parent.name


@contextmanager
def _locked(locks: Path, sha256: str) -> Generator[None]:
    """The lock of what has come of a file. Raises Timeout where another process has it."""
    locks.mkdir(parents=True, exist_ok=True)
    with FileLock(str(locks / f"{sha256}.lock"), timeout=0):
        yield


@dataclass(frozen=True, kw_only=True)
class _Place:
    """Where a file goes."""

    whole: Path
    part: Path
    locks: Path
    link: Path | None
    """By which a snapshot has it."""
    notes: Path | None
    """What the client knows of the file that lies there now."""

    @classmethod
    def of(cls, file: LargeFile, folder: Path | None) -> _Place:
        held, locks = _kept_in(file.repo, folder)
        return cls(
            whole=folder / file.name if folder else held / file.sha256,
            part=held / f"{file.sha256}{PARTIAL}",
            locks=locks,
            link=None if folder else snapshots_of(file.repo) / file.commit / file.name,
            notes=held / f"{file.name}.metadata" if folder else None,
        )

    @property
    def is_there(self) -> bool:
        return self.whole.exists() if self.link is None else self.whole.exists() or self.link.exists()

    @contextmanager
    def alone(self, file: LargeFile) -> Generator[None]:
        try:
            with _locked(self.locks, file.sha256):
                yield
        except Timeout:
            raise ModelError(
                f"{file.name} of {file.repo} is being fetched by another process", remedy="wait until it has come"
            ) from None

    def put(self) -> None:
        """Let the part be the file."""
        self.whole.parent.mkdir(parents=True, exist_ok=True)
        self.part.replace(self.whole)
        for old in (self.link, self.notes):  # of a file that was there before
            if old is not None:
                old.unlink(missing_ok=True)


def _fetch(file: LargeFile, place: _Place) -> None:
    place.part.parent.mkdir(parents=True, exist_ok=True)
    resumed = place.part.exists() and place.part.stat().st_size > 0
    whole = _complete(file, place.part)
    if resumed and not whole:  # its beginning was no good
        whole = _complete(file, place.part)
    if not whole:
        raise ModelError(
            f"{file.name} of {file.repo} did not come as the hub has it (its SHA-256 differs)", remedy="pull it again"
        )
    place.put()


def _complete(file: LargeFile, part: Path) -> bool:
    """Fetch what a part lacks, in as many attempts as bring something; False where the whole is not what the hub has,
    and is taken away. Raises ModelError as `fetch_large`."""
    with part.open("ab") as kept:
        if kept.tell() > file.size:
            kept.truncate(0)
            kept.seek(0)
        _check_space(file, part.parent, file.size - kept.tell())
        waits = iter(WAITS)
        while kept.tell() < file.size:
            before = kept.tell()
            try:
                _append(file, kept)
                fault = "the connection ended"
            except Exception as error:  # of the client, of what it is made of, and of the disk
                fault = first_line(error)
                if not _passes(error):
                    raise _unfinished(file, kept.tell(), fault) from error
            if kept.tell() > before:
                waits = iter(WAITS)
            if kept.tell() < file.size:
                wait = next(waits, None)
                if wait is None:
                    raise _unfinished(file, kept.tell(), fault)
                time.sleep(wait)
    right = digest(part) == file.sha256
    if not right:
        part.unlink()
    return right


def _append(file: LargeFile, kept: BinaryIO) -> None:
    """Ask for the rest of a file and put what comes behind what is kept."""
    from huggingface_hub import hf_hub_url
    from huggingface_hub.utils import build_hf_headers, hf_raise_for_status, http_stream_backoff, tqdm

    start = kept.tell()
    # Of a commit, which never changes: a file of another commit is asked for under another address.
    url = hf_hub_url(file.repo, file.name, revision=file.commit)
    headers: dict[str, Any] = {**build_hf_headers(), "Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
    once: dict[str, Any] = {"max_retries": 0, "retry_on_exceptions": (), "retry_on_status_codes": ()}
    with http_stream_backoff("GET", url, headers=headers, **once) as response:
        hf_raise_for_status(response)
        if start and response.status_code != 206:
            kept.truncate(0)  # all of it comes again
            kept.seek(0)
        bar = {"desc": file.name[-40:], "total": file.size, "initial": kept.tell(), "unit": "B", "unit_scale": True}
        with tqdm(**bar, disable=None, name="vedit.pull") as shown:
            for chunk in response.iter_bytes():  # as they come: of one of a fixed size a cut would lose the beginning
                kept.write(chunk)
                kept.flush()  # what another process may go on from
                shown.update(len(chunk))


def _passes(error: Exception) -> bool:
    """Whether another attempt may go better."""
    answer = getattr(error, "response", None)
    if answer is not None:
        return answer.status_code in _PASSING
    # The hub's client lets the errors of what it speaks HTTP with through, which is another library with each version.
    of_http = any(base.__module__.partition(".")[0] in ("httpx", "httpx2") for base in type(error).__mro__)
    return of_http or isinstance(error, ConnectionError | TimeoutError)


def _unfinished(file: LargeFile, done: int, fault: str) -> ModelError:
    came = f"{done / 1e6:.1f} of {file.size / 1e6:.1f} MB of {file.name} are kept"
    return ModelError(
        f"{file.name} cannot be fetched from {file.repo}: {fault}",
        remedy=f"run it again, it goes on where it stopped: {came}" if done else "try again where the hub is in reach",
    )


def _check_space(file: LargeFile, folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise ModelError(
            f"{file.name} of {file.repo} needs {needed / 1e9:.1f} GB, and {free / 1e9:.1f} GB are free at {folder}",
            remedy="free some space, or set HF_HOME or VEDIT_MODEL_DIR to a larger disk",
        )
