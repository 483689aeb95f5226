"""The debugger on a full screen, made for 80x24 and for more."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from prompt_toolkit.application import Application
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.filters import Condition, has_focus
from prompt_toolkit.formatted_text import ANSI, StyleAndTextTuples
from prompt_toolkit.history import InMemoryHistory
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.layout import (
    BufferControl,
    ConditionalContainer,
    FormattedTextControl,
    HSplit,
    Layout,
    VSplit,
    Window,
)
from prompt_toolkit.layout.processors import BeforeInput
from prompt_toolkit.styles import Style
from rich.console import Group, RenderableType
from rich.text import Text

from ..render.console import clean, coloured, flat
from . import panes
from .commands import Commands

#: Keys that are a command by themselves, and those that open the input line with a beginning.
DIRECT = {
    "n": "n", "s": "s", "r": "r", "c": "c", "k": "k", "K": "K", "u": "u", "d": "d", "b": "b", "h": "?", "?": "?",
    "left": "back", "-": "back", "right": "forward", "+": "forward", "home": "first", "end": "last",
}  # fmt: skip
OPENING = {":": "", "!": "", "p": "p ", "w": "w ", "W": "when ", "g": "g ", "t": "t ", "$": "$"}

_STYLE = Style.from_dict({"bar": "reverse", "line": "ansibrightblack", "keys": "ansibrightblack"})


class Screen:
    """``Screen(commands).run()`` until ``q``."""

    def __init__(self, commands: Commands, **application: Any) -> None:
        self.commands = commands
        self.pane = 0
        self.scroll = 0
        self.busy = False
        self.news = ""
        self._last = "n"
        self.buffer = Buffer(multiline=False, history=InMemoryHistory(), accept_handler=self._accept)
        self._input = Window(BufferControl(self.buffer, [BeforeInput(": ", "bold")]), height=1)
        self._source = Window(FormattedTextControl(self._show(self._source_pane), focusable=True))
        typing = Condition(lambda: self.app.layout.has_focus(self.buffer))
        beside = Condition(lambda: self._side() > 0)
        body = HSplit(
            [
                Window(FormattedTextControl(self._show(self._header)), height=1, style="class:bar"),
                VSplit(
                    [
                        self._source,
                        ConditionalContainer(Window(width=1, char="│", style="class:line"), beside),
                        ConditionalContainer(
                            Window(FormattedTextControl(self._show(self._values)), width=self._side), beside
                        ),
                    ]
                ),
                Window(FormattedTextControl(self._tabs), height=1, style="class:bar"),
                Window(FormattedTextControl(self._show(self._lower)), height=self._low),
                Window(FormattedTextControl(self._show(self._outcome)), height=1),
                ConditionalContainer(self._input, typing),
                ConditionalContainer(Window(FormattedTextControl(self._keys), height=1, style="class:keys"), ~typing),
            ]
        )
        self.app: Application[None] = Application(
            Layout(body, focused_element=self._source),
            key_bindings=self._bindings(),
            style=_STYLE,
            full_screen=True,
            refresh_interval=None if commands.step.left is None else 1.0,  # a held message's time runs
            **application,
        )
        # A lone Escape is a key here: it should not be waited on.
        self.app.ttimeoutlen = 0.05

    def run(self) -> None:
        self.app.run()

    def tell(self, text: str) -> None:
        """Something happened elsewhere: a line until the next command. May be called from any thread."""
        self.news = text
        self.app.invalidate()

    # -- parts ----------------------------------------------------------------------------------------------------

    def _show(self, part: Callable[[], tuple[RenderableType, int]]) -> Callable[[], ANSI]:
        def text() -> ANSI:
            renderable, columns = part()
            # In a group: the console would join a bare text to one of its own, which wraps.
            return ANSI(coloured(Group(renderable), columns))

        return text

    @property
    def _rows(self) -> int:
        return self.app.output.get_size().rows

    @property
    def _columns(self) -> int:
        return self.app.output.get_size().columns

    @property
    def _text(self) -> list[str]:
        """An answer of several lines (help, a list of changes) takes the upper part until the next command."""
        note = self.commands.note
        return clean(note).splitlines() if "\n" in note else []

    def _side(self) -> int:
        if self._text or not panes.has_values(self.commands):
            return 0
        return max(20, min(60, self._columns * 3 // 8))

    def _low(self) -> int:
        return max(4, (self._rows - 5) * 2 // 5)

    def _header(self) -> tuple[RenderableType, int]:
        return panes.header(self.commands), self._columns

    def _source_pane(self) -> tuple[RenderableType, int]:
        rows = max(1, self._rows - 5 - self._low())
        side = self._side()
        columns = self._columns - (side + 1 if side else 0)
        if self._text:
            return panes.text(self._text, rows, columns, self.scroll), columns
        _, file, _ = panes.frame(self.commands)
        step = self.commands.step
        # The lines it knows are those of the file it stands in, and its callers mostly are in that file, too.
        lines = step.lines if file and file == step.where.file else []
        return panes.source(self.commands, lines, rows, self.scroll), columns

    def _values(self) -> tuple[RenderableType, int]:
        return panes.values(self.commands), self._side()

    def _lower(self) -> tuple[RenderableType, int]:
        return panes.lower(self.commands, self.pane, self._low()), self._columns

    def _outcome(self) -> tuple[RenderableType, int]:
        if self.busy:
            return Text("running ...", "bold"), self._columns
        if self.news:
            return Text(flat(self.news), "bold yellow"), self._columns
        if self._text:
            return Text("← → or any command goes back to the source", "bright_black"), self._columns
        return panes.outcome(self.commands), self._columns

    def _tabs(self) -> StyleAndTextTuples:
        sent = len(self.commands.step.effects.sent)
        counts = {1: len(self.commands.step.calls), 2: sent}
        out: StyleAndTextTuples = []
        for number, name in enumerate(panes.PANES):
            count = f" {counts[number]}" if counts.get(number) else ""
            out.append(("bold" if number == self.pane else "", f" {number + 1} {name}{count} "))
        return [*out, ("", "  tab, 1-4")]

    def _keys(self) -> str:
        return panes.KEYS

    # -- keys -----------------------------------------------------------------------------------------------------

    def _do(self, line: str) -> None:
        """Run a command without stopping the screen."""
        if self.busy:
            return
        self.busy = True
        self.scroll = 0
        self.news = ""

        async def work() -> None:
            try:
                await asyncio.to_thread(self.commands.run, line)
            finally:
                self.busy = False
                self.app.invalidate()
            if self.commands.finished:
                self.app.exit()

        self.app.create_background_task(work())

    def _accept(self, buffer: Buffer) -> bool:
        line = buffer.text
        self.app.layout.focus(self._source)
        if line.strip():
            self._do(line)
        return False

    def _bindings(self) -> KeyBindings:
        keys = KeyBindings()
        typing = has_focus(self.buffer)

        def direct(key: str, command: str) -> None:
            @keys.add(key, filter=~typing)
            def _(event: KeyPressEvent) -> None:
                if command in ("n", "s", "r", "c", "k", "K", "back", "forward"):
                    self._last = command
                self._do(command)

        def opening(key: str, text: str) -> None:
            @keys.add(key, filter=~typing)
            def _(event: KeyPressEvent) -> None:
                self.buffer.text = text
                self.buffer.cursor_position = len(text)
                event.app.layout.focus(self.buffer)

        def pane(number: int) -> None:
            @keys.add(str(number + 1), filter=~typing)
            def _(event: KeyPressEvent) -> None:
                self.pane = number
                self.commands.note = ""

        for key, command in DIRECT.items():
            direct(key, command)
        for key, text in OPENING.items():
            opening(key, text)
        for number in range(len(panes.PANES)):
            pane(number)

        @keys.add("enter", filter=~typing)
        def _(event: KeyPressEvent) -> None:
            self._do(self._last)

        @keys.add("tab", filter=~typing)
        def _(event: KeyPressEvent) -> None:
            self.pane = (self.pane + 1) % len(panes.PANES)
            self.commands.note = ""

        @keys.add("up", filter=~typing)
        def _(event: KeyPressEvent) -> None:
            self.scroll -= 1

        @keys.add("down", filter=~typing)
        def _(event: KeyPressEvent) -> None:
            self.scroll += 1

        @keys.add("pageup", filter=~typing)
        def _(event: KeyPressEvent) -> None:
            self.scroll -= max(1, self._rows // 2)

        @keys.add("pagedown", filter=~typing)
        def _(event: KeyPressEvent) -> None:
            self.scroll += max(1, self._rows // 2)

        @keys.add("escape", filter=typing)
        @keys.add("c-c", filter=typing)
        def _(event: KeyPressEvent) -> None:
            self.buffer.reset()
            event.app.layout.focus(self._source)

        @keys.add("q", filter=~typing)
        @keys.add("c-c", filter=~typing)
        @keys.add("c-d", filter=~typing)
        def _(event: KeyPressEvent) -> None:
            event.app.exit()

        return keys
