"""The debugger without a screen: a line in, a few lines out, as pdb. For pipes, logs and dumb terminals."""

from __future__ import annotations

from typing import TextIO

from ..render.console import clean, plain
from .commands import Commands

PROMPT = "(ksr) "


def run(commands: Commands, reader: TextIO, writer: TextIO) -> None:
    """Until ``q`` or the end of the input."""
    writer.write(plain(commands.step) + "\n")
    while not commands.finished:
        writer.write(PROMPT)
        writer.flush()
        line = reader.readline()
        if not line:
            writer.write("\n")
            return
        before = commands.step.position
        commands.run(line)
        if commands.note:
            prefix = "*** " if commands.failed else ""
            writer.write(f"{prefix}{clean(commands.note)}\n")
        if commands.step.position != before or not (commands.note or commands.finished):
            writer.write(plain(commands.step) + "\n")
