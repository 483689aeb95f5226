"""The debugger view: a stepped run on one screen, or line by line where there is no terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..stepper import Step
    from ..trace import Replay


#: Says a line on the screen of the view that is open; None when there is none.
tell: Callable[[str], None] | None = None


def view(step: Step | Replay) -> None:
    """Show a step full-screen until ``q``; without a terminal, take commands line by line."""
    from .commands import Commands

    commands = Commands(step)
    if sys.stdin.isatty() and sys.stdout.isatty():
        from .screen import Screen

        global tell
        screen = Screen(commands)
        outer, tell = tell, screen.tell
        try:
            screen.run()
        finally:
            tell = outer
    else:
        from .plain import run

        run(commands, sys.stdin, sys.stdout)
