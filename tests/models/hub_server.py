"""A hub on 127.0.0.1: the answers of the true one's API that its client asks for, over files of a folder.

What is asked of it is written down, and it can break off in the middle of a file.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

COMMIT = "fedcba9876543210fedcba9876543210fedcba98"


@dataclass
class Hub:
    """What it holds and what was asked of it."""

    folder: Path
    """OWNER/NAME/... of each repository."""
    ranges: list[str] = field(default_factory=list[str])
    """The Range header of each request for a file's bytes, "" where there was none."""
    asked: list[str] = field(default_factory=list[str])
    """The path of every request."""
    cuts: list[int] = field(default_factory=list[int])
    """Of the next requests for a large file: the bytes after which the connection is cut."""
    codes: list[int] = field(default_factory=list[int])
    """What the next requests for the bytes of a large file are answered with."""
    ranged: bool = True
    """It sends parts of files; else all of a file, whatever is asked for."""
    large: int = 100_000
    """Bytes from which on a file is kept as Git LFS does, under its SHA-256."""
    url: str = ""

    def files(self, repo: str) -> list[Path]:
        return sorted(path for path in (self.folder / repo).rglob("*") if path.is_file())


class _Answers(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, *, body: bool) -> None:
        self.hub.asked.append(self.path)
        parts = unquote(urlsplit(self.path).path).strip("/").split("/")
        if parts[:2] == ["api", "models"] and len(parts) >= 4:
            self._repository("/".join(parts[2:4]), tree="tree" in parts)
        elif "resolve" in parts:
            at = parts.index("resolve")
            self._file(self.hub.folder.joinpath(*parts[:at], *parts[at + 2 :]), body=body)
        else:
            self._say(404, b"")

    def _repository(self, repo: str, *, tree: bool) -> None:
        root = self.hub.folder / repo
        files = self.hub.files(repo)
        if not files:
            self._say(404, b"{}", **{"X-Error-Code": "RepoNotFound"})
            return
        names = [(path.relative_to(root).as_posix(), path) for path in files]
        if tree:
            told: object = [
                {"type": "file", "path": name, "size": path.stat().st_size, "oid": _etag(path, self.hub)}
                for name, path in names
            ]
        else:
            told = {"id": repo, "sha": COMMIT, "siblings": [_sibling(name, path, self.hub) for name, path in names]}
        self._say(200, json.dumps(told).encode(), **{"Content-Type": "application/json"})

    def _file(self, path: Path, *, body: bool) -> None:
        if not path.is_file():
            self._say(404, b"", **{"X-Error-Code": "EntryNotFound"})
            return
        content, told = path.read_bytes(), self.headers.get("Range", "")
        etag = _etag(path, self.hub)
        headers = {"ETag": f'"{etag}"', "X-Repo-Commit": COMMIT, "Accept-Ranges": "bytes"}
        if len(content) >= self.hub.large:
            headers |= {"X-Linked-Etag": f'"{etag}"', "X-Linked-Size": str(len(content))}
        start = int(told.removeprefix("bytes=").split("-")[0]) if told and self.hub.ranged else 0
        large = len(content) >= self.hub.large
        if body:
            self.hub.ranges.append(told)
        if body and large and self.hub.codes:
            self._say(self.hub.codes.pop(0), b"")
            return
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        self.send_response(206 if start else 200)
        for name, value in {**headers, "Content-Length": str(len(content) - start)}.items():
            self.send_header(name, value)
        self.end_headers()
        if not body:
            return
        rest = content[start:]
        if large and self.hub.cuts:
            self.wfile.write(rest[: self.hub.cuts.pop(0)])
            self.wfile.flush()
            self.close_connection = True
            self.connection.close()
            return
        self.wfile.write(rest)

    def _say(self, code: int, body: bytes, **headers: str) -> None:
        self.send_response(code)
        for name, value in {**headers, "X-Repo-Commit": COMMIT, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def _sibling(name: str, path: Path, hub: Hub) -> dict[str, object]:
    """What the hub tells of a file with `blobs=true`."""
    etag, size = _etag(path, hub), path.stat().st_size
    lfs = {"lfs": {"sha256": etag, "size": size, "pointerSize": 134}} if size >= hub.large else {}
    return {"rfilename": name, "size": size, "blobId": etag, **lfs}


def _etag(path: Path, hub: Hub) -> str:
    content = path.read_bytes()
    if len(content) >= hub.large:
        return hashlib.sha256(content).hexdigest()
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


@contextmanager
def serving(folder: Path) -> Generator[Hub]:
    """A hub over a folder, for as long as the context lasts."""
    hub = Hub(folder=folder)
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Answers", (_Answers,), {"hub": hub}))
    server.daemon_threads = True
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join(timeout=5)
