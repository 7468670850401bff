"""A page as tests read it."""

from __future__ import annotations

import html.parser


class Page(html.parser.HTMLParser):
    """What a page holds, as a browser would read it."""

    VOID = ("meta", "input", "img", "br", "link")

    def __init__(self, data: bytes) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.texts: dict[str, list[str]] = {}
        self.open: list[str] = []
        self.feed(data.decode("utf-8"))
        assert not self.open, "every tag is closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in self.VOID:
            self.open.append(tag)
            self.texts.setdefault(tag, []).append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        for tag in set(self.open):
            self.texts[tag][-1] += data

    def all(self, tag: str, **having: str) -> list[dict[str, str]]:
        return [found for name, found in self.tags if name == tag and all(found.get(k) == v for k, v in having.items())]
