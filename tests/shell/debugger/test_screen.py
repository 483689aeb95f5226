"""The debugger's screen: keys in, what is drawn out, at 80x24 and at sizes that are too small."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.data_structures import Size
from prompt_toolkit.input import PipeInput, create_pipe_input
from prompt_toolkit.output import DummyOutput

from ksrshell.debugger.commands import Commands
from ksrshell.debugger.screen import Screen
from shell.debugger.scripted import scripted


class Output(DummyOutput):
    def __init__(self, rows: int, columns: int) -> None:
        self.size = Size(rows=rows, columns=columns)

    def get_size(self) -> Size:
        return self.size


def drawn(screen: Screen) -> list[str]:
    """The lines of the screen as it was drawn last."""
    shown = screen.app.renderer.last_rendered_screen
    assert shown is not None
    size = screen.app.output.get_size()
    rows = []
    for y in range(size.rows):
        row = shown.data_buffer[y]
        rows.append("".join(row[x].char for x in range(size.columns)).rstrip())
    return rows


@asynccontextmanager
async def running(rows: int = 24, columns: int = 80) -> AsyncIterator[tuple[Screen, PipeInput]]:
    with create_pipe_input() as keys, create_app_session(input=keys, output=Output(rows, columns)):
        screen = Screen(Commands(scripted()))
        task = asyncio.ensure_future(screen.app.run_async())
        await settle(screen)
        yield screen, keys
        if not task.done():
            keys.send_text("\x03\x03")
        await asyncio.wait_for(task, 5)


async def settle(screen: Screen) -> None:
    """Until what was typed is done and drawn."""
    for _ in range(20):
        await asyncio.sleep(0.01)
        if not screen.busy and screen.app.renderer.last_rendered_screen is not None:
            await asyncio.sleep(0.02)
            screen.app._redraw()
            return
    raise AssertionError("the screen is busy")


def test_keys_move_and_the_screen_follows() -> None:
    async def main() -> None:
        async with running() as (screen, keys):
            lines = drawn(screen)
            assert len(lines) == 24
            assert lines[0].startswith(" 1 INVITE sip:bob@biloxi.example  ksr_route_relay:10  step 0 of 3")
            assert any("-> 10" in line and "line_10()" in line for line in lines)
            assert any("'bob0'" in line for line in lines)
            keys.send_text("n")
            await settle(screen)
            assert "about to call KSR.tm.t_relay()" in drawn(screen)[-2]
            keys.send_text("2")
            await settle(screen)
            assert any("> KSR.tm.t_relay()" in line for line in drawn(screen))
            keys.send_text("\x1b[D")
            await settle(screen)
            assert screen.commands.step.position == 0
            keys.send_text("\r")
            await settle(screen)
            assert screen.commands.step.position == 1 - 1  # Enter: back once more, there is nothing before
            keys.send_text("\x1b[F")
            await settle(screen)
            assert "the run has ended" in "\n".join(drawn(screen))
            keys.send_text("q")

    asyncio.run(main())


def test_expressions_and_mistakes_stay_in_the_view() -> None:
    async def main() -> None:
        async with running() as (screen, keys):
            keys.send_text(":user + 1\r")
            await settle(screen)
            assert "<user + 1>" in drawn(screen)[-2]
            keys.send_text("g")
            await settle(screen)
            assert drawn(screen)[-1] == ": g"
            keys.send_text("far\r")
            await settle(screen)
            assert "expected goto N" in drawn(screen)[-2]
            keys.send_text(":nnn\x1b")
            await asyncio.sleep(0.2)  # a lone Escape is told from a sequence by time
            await settle(screen)
            assert screen.commands.step.position == 0 and "quit" not in drawn(screen)[-1]
            keys.send_text("W$du\r")
            await settle(screen)
            assert "<null> -> sip:b" in "\n".join(drawn(screen))
            keys.send_text("?")
            await settle(screen)
            assert any("next line of this function" in line for line in drawn(screen))
            keys.send_text("n")
            await settle(screen)
            assert any("line_11()" in line for line in drawn(screen))
            keys.send_text("q")

    asyncio.run(main())


@pytest.mark.parametrize(("rows", "columns"), [(5, 20), (10, 40), (60, 200)])
def test_any_size(rows: int, columns: int) -> None:
    async def main() -> None:
        async with running(rows, columns) as (screen, keys):
            for key in "n2?3n4":
                keys.send_text(key)
                await settle(screen)
                assert len(drawn(screen)) == rows
            keys.send_text("q")

    asyncio.run(main())


def test_news_take_the_line_until_the_next_command() -> None:
    async def main() -> None:
        async with running() as (screen, keys):
            screen.tell("held 1 went on after 8.0 s: timeout")
            await settle(screen)
            assert "held 1 went on" in drawn(screen)[-2]
            keys.send_text("n")
            await settle(screen)
            assert "held 1" not in "\n".join(drawn(screen))
            keys.send_text("q")

    asyncio.run(main())
