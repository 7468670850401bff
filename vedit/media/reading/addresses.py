"""Addresses of files as project files write them, `file:` URLs and plain paths, to and fro; and those of the network,
which are never asked for anything."""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path

from vedit.errors import MediaError

_SCHEME = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]+):")
DRIVE = re.compile(r"^/?[A-Za-z]:[/\\]")
"""How an absolute path of Windows begins."""
_SHARE = re.compile(r"^(?:/*[\\]{2}|//)[^/\\]")
"""How Windows writes a file of another machine, in a URL or alone."""
_DRIVE_ALONE = re.compile(r"[A-Za-z]:")
_PERCENT = re.compile(rb"%([0-9A-Fa-f]{2})")
# RFC 3986: what may stand in a path as it is, the colon left out because Premiere escapes it.
_PLAIN = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/!$&'()*+,;=@")


_NETWORK = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]+):/(?=/{0,2}[^/])")
"""What begins with a scheme; a path that was made of an address has one slash less."""
_CURL, _RECORD = "curl -fLO {}", "ffmpeg -i {} -t 60 -c copy clip.mkv"
_FETCH = {
    "http": _CURL,
    "https": _CURL,
    "ftp": _CURL,
    "sftp": _CURL,
    "s3": "aws s3 cp {} .",
    "gs": "gcloud storage cp {} .",
    "rtsp": _RECORD,
    "rtmp": _RECORD,
    "srt": _RECORD,
    "udp": _RECORD,
}
"""What brings the film behind an address here, by its scheme."""


def check_address(text: str, *, written: bool = False) -> None:
    """Refuse what names a file by an address, and say how to get what is there.

    Args:
        text: as the user wrote it, or as a path has it.
        written: it is to be written to.

    Raises:
        MediaError: it is an address, and no file has it as its name.
    """
    found = _NETWORK.match(text)
    if found is None or DRIVE.match(text) or os.path.lexists(text):
        return
    scheme = found[1].lower()
    whole = text if text[found.end() :].startswith("/") else f"{found[0]}/{text[found.end() :]}"
    if scheme == "file":
        # A path has one slash where the address had three.
        rest = text[found.end() :].lstrip("/")
        whole = f"file:///{rest}" if not text.startswith("file://") or text.startswith("file:///") else whole
        try:
            remedy = f"name the file itself: {path_of(whole)}"
        except ValueError:
            remedy = "name the file itself"
        raise MediaError(f"{whole} is an address", remedy=remedy)
    if written:
        raise MediaError(f"{whole} is an address", remedy="write to a file here, and upload it from there")
    told = _FETCH.get(scheme, "").format(shlex.quote(whole))
    raise MediaError(
        f"{whole} is an address, and vedit reads files only",
        remedy=f"fetch it first: {told}" if told else "copy it to a file first",
    )


class RemoteError(ValueError):
    """An address on another machine, which is never asked for it.

    Args:
        host: the machine.
        path: of the file on it, from the share on, with plain slashes.
    """

    def __init__(self, host: str, path: str) -> None:
        self.path = path
        super().__init__(f"on another machine ({host})" if host else "on another machine")


def path_of(written: str) -> str:
    """An address -> the path in it, percent-decoded where it is a URL.

    Raises:
        RemoteError: it is on another machine.
        ValueError: a scheme other than file, or characters that no path has; the message says which.
    """
    path = written
    scheme = _SCHEME.match(written)
    if scheme and not DRIVE.match(written):
        if scheme[1].lower() != "file":
            raise ValueError(f"{scheme[1].lower()}: addresses are not read")
        rest = written[scheme.end() :]
        if rest.startswith("//"):
            host, _, below = rest[2:].partition("/")
            if _DRIVE_ALONE.fullmatch(host):  # file://C:/..., as some write it
                host, below = "", f"{host}/{below}"
            if host.lower() not in ("", "localhost", "127.0.0.1"):
                raise RemoteError(host, _checked(_decode(below)))
            rest = "/" + below
        path = _decode(rest)
        if DRIVE.match(path):
            path = path[1:]
    share = path.replace("\\", "/").lstrip("/") if _SHARE.match(path) else ""
    if share:
        host, _, below = share.partition("/")
        raise RemoteError(host, _checked(below))
    return _checked(path)


def _checked(path: str) -> str:
    if not path or any(ord(character) < 32 for character in path):
        raise ValueError("not a path")
    return path


def address_of(path: Path, *, like: str) -> str:
    """A path -> an address of the kind that `like` is: a URL with or without host, or a plain path.

    Args:
        path: absolute.
        like: the address that it takes the place of.
    """
    plain = path.as_posix()
    lower = like.lower()
    if lower.startswith("file:") or not like:
        prefix = "file://localhost" if lower.startswith("file://localhost") else "file://"
        return prefix + ("" if plain.startswith("/") else "/") + _encode(plain)
    return plain


def _decode(text: str) -> str:
    raw = _PERCENT.sub(lambda match: bytes((int(match[1], 16),)), text.encode())
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise ValueError("its percent signs do not spell UTF-8") from None


def _encode(path: str) -> str:
    return "".join(chr(byte) if byte in _PLAIN else f"%{byte:02X}" for byte in os.fsencode(path))
