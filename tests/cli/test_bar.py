"""What a terminal shows of a command's progress, as a small terminal sees it."""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Callable

import pytest
from rich.console import Console

from vedit.cli.bar import WIDEST, Bar, on_terminal
from vedit.cli.console import say
from vedit.progress.callbacks import Progress


class Terminal(io.StringIO):
    """A screen of so many columns that obeys what the bar uses of a terminal's codes; lines that are too long break."""

    encoding = "utf-8"  # pyright: ignore[reportAssignmentType]

    def __init__(self, columns: int = 80) -> None:
        super().__init__()
        self.columns = columns
        self.rows, self.row, self.column = [""], 0, 0
        self.written = 0

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        self.written += len(text.encode())
        for code, sign in re.findall(r"(\x1b\[[0-9;?]*[A-Za-z])|(.)", text, re.DOTALL):
            if code:
                self._obey(code)
            elif sign == "\r":
                self.column = 0
            elif sign == "\n":
                self.row, self.column = self.row + 1, 0
            else:
                self._put(sign)
            self.rows += [""] * (self.row + 1 - len(self.rows))
        return len(text)

    def narrow(self, columns: int) -> None:
        """What a terminal does that is made narrower: longer lines go on in the next row."""
        broken: list[str] = []
        for number, row in enumerate(self.rows):
            parts = [row[n : n + columns] for n in range(0, max(len(row), 1), columns)]
            broken += parts
            if number == self.row:
                self.row, self.column = len(broken) - 1, len(parts[-1])
        self.rows, self.columns = broken, columns

    @property
    def shown(self) -> list[str]:
        """The rows with something in them."""
        return [row.rstrip() for row in self.rows if row.strip()]

    def _put(self, sign: str) -> None:
        if self.column == self.columns:
            self.row, self.column = self.row + 1, 0
            self.rows += [""] * (self.row + 1 - len(self.rows))
        row = self.rows[self.row].ljust(self.column)
        self.rows[self.row] = row[: self.column] + sign + row[self.column + 1 :]
        self.column += 1

    def _obey(self, code: str) -> None:
        count, what = code[2:-1], code[-1]
        if what == "A":
            self.row = max(0, self.row - int(count or 1))
        elif what == "K":
            assert count == "2"
            self.rows[self.row] = ""
        else:
            assert what == "m", f"the cursor is left alone, not {code!r}"


Opened = tuple[Terminal, Console]
Open = Callable[..., Opened]


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Open:
    """A terminal and a console on it; the bar redraws when it is told to, not by the clock."""
    monkeypatch.setattr("vedit.cli.bar.INTERVAL", 3600.0)
    for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")

    def at(columns: int = 80) -> Opened:
        terminal = Terminal(columns)
        return terminal, Console(file=terminal, width=columns, force_terminal=True)

    return at


def step(share: float | None = 0.25, left: float | None = 80.0, **other: int) -> Progress:
    return Progress(
        stage="sample", **{"done": 6, "total": 24, "shot": 1, "shots": 1, **other}, share=share, seconds_left=left
    )


def test_one_bar_with_the_time_left_and_the_stage_under_it(opened: Open) -> None:
    terminal, console = opened()
    bar = Bar(console)
    console.push_render_hook(bar)
    bar(step(shots=3, shot=2))
    assert terminal.shown == ["━" * 8 + "─" * 24 + " 25 %, 1 min 20 s left", "sampling, frame 6 of 24, shot 2 of 3"]
    bar(step(share=0.999, left=0.2))
    bar.refresh()
    assert terminal.shown == ["━" * 31 + "─ 99 %, 0.2 s left", "sampling, frame 6 of 24"]
    bar.clear()
    assert terminal.shown == []


def test_the_time_left_runs_between_steps(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal, console = opened()
    now = [0.0]
    monkeypatch.setattr("vedit.cli.bar.time.monotonic", lambda: now[0])
    bar = Bar(console)
    console.push_render_hook(bar)
    bar(step(left=100))
    for moment, told in ((30, "1 min 10 s left"), (45, "55 s left"), (95, "50 s left"), (200, "50 s left")):
        now[0] = moment
        bar.refresh()
        assert terminal.shown[0].endswith(told)


def test_messages_stand_above_and_nothing_of_the_bar_stays(opened: Open) -> None:
    terminal, console = opened()
    before = sys.stderr
    with on_terminal(console=console) as report:
        say("before the first step")
        report(step())
        say("going on")
        sys.stderr.write("a library's words\n")
        assert terminal.shown[:3] == ["vedit: before the first step", "vedit: going on", "a library's words"]
        assert terminal.shown[-1] == "sampling, frame 6 of 24"
        assert len(terminal.shown) == 5
    assert sys.stderr is before
    assert terminal.shown == ["vedit: before the first step", "vedit: going on", "a library's words"]
    assert (terminal.row, terminal.column) == (3, 0)


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError, SystemExit])
def test_the_terminal_is_clean_after_an_error_too(opened: Open, error: type[BaseException]) -> None:
    terminal, console = opened()
    before = sys.stderr
    with pytest.raises(error), on_terminal(console=console) as report:
        report(step())
        raise error
    assert sys.stderr is before
    assert (terminal.shown, terminal.row, terminal.column) == ([], 0, 0)


@pytest.mark.parametrize("columns", [1, 5, 12, 20, 30, 40, 60, 80, 200])
def test_it_fits_a_terminal_of_any_width(opened: Open, columns: int) -> None:
    terminal, console = opened(columns)
    bar = Bar(console)
    console.push_render_hook(bar)
    for n in range(5):
        bar(step(share=n / 5, left=10_000.0 - n))
        bar.refresh()
        assert len(terminal.shown) <= 2
        assert max(map(len, terminal.shown)) <= min(max(columns - 1, 1), WIDEST)
    if columns >= 30:
        assert "80 %, 2 h 46" in terminal.shown[0]
    assert ("━" in terminal.shown[0]) == (columns >= 40)


@pytest.mark.parametrize("columns", [60, 45, 37, 20, 10])
def test_a_terminal_that_is_made_narrower_keeps_nothing_of_it(opened: Open, columns: int) -> None:
    terminal, console = opened(80)
    bar = Bar(console)
    console.push_render_hook(bar)
    console.print("above")
    bar(step(shots=30, shot=12))
    terminal.narrow(columns)
    console.width = columns
    bar(step(shots=30, shot=13))
    bar.refresh()
    assert terminal.shown[0] == "above"
    assert len(terminal.shown) == 3
    bar.clear()
    assert terminal.shown == ["above"]


def test_no_color_and_terminals_without_unicode(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    terminal, _ = opened()
    seen: list[str] = []

    def write(text: str) -> int:
        seen.append(text)
        return Terminal.write(terminal, text)

    monkeypatch.setattr(terminal, "write", write)
    terminal.encoding = "ascii"
    console = Console(file=terminal, width=80, force_terminal=True)
    bar = Bar(console)
    console.push_render_hook(bar)
    bar(step())
    assert terminal.shown[0] == "#" * 8 + "-" * 24 + " 25 %, 1 min 20 s left"
    assert not re.search(r"\x1b\[(3|4|9)\d", "".join(seen))


def test_a_terminal_that_obeys_nothing_gets_plain_lines(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    terminal, console = opened()
    with on_terminal(console=console) as report:
        report(step())
    assert terminal.written == 0


def test_without_a_share_there_is_no_bar(opened: Open) -> None:
    terminal, console = opened()
    bar = Bar(console)
    console.push_render_hook(bar)
    bar(step(share=None, left=None))
    assert terminal.shown == ["sampling, frame 6 of 24"]


def test_three_minutes_take_less_than_100_kb(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal, console = opened(200)
    now = [0.0]
    monkeypatch.setattr("vedit.cli.bar.time.monotonic", lambda: now[0])
    bar = Bar(console, each="render")
    console.push_render_hook(bar)
    for second in range(180):
        now[0] = float(second)
        for n in range(30):
            bar(step(share=(second + n / 30) / 180, left=36_000.0 - second, done=100_000 + n, total=999_999, shots=9))
        bar.refresh()
    assert terminal.written < 60_000


def test_what_has_not_changed_is_not_drawn_again(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal, console = opened()
    monkeypatch.setattr("vedit.cli.bar.time.monotonic", lambda: 0.0)
    bar = Bar(console)
    console.push_render_hook(bar)
    bar(step())
    written = terminal.written
    for _ in range(100):
        bar(step())
        bar.refresh()
    assert terminal.written == written
