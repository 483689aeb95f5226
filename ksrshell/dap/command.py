"""``ksrshell dap``."""

from __future__ import annotations

import sys

import click


@click.command()
def dap() -> None:
    """A debug adapter for editors, on standard input and output.

    VS Code, Neovim, Emacs and others start it by themselves; docs/dap.md says how to tell them. It attaches to a
    running proxy or starts one, as the editor's configuration says:

    \b
      {"request": "attach", "proxy": "NAME"}                      hold live messages at breakpoints
      {"request": "attach", "proxy": "NAME", "message": 687}      step a captured message in a sandbox
      {"request": "launch", "program": "routing.py", "args": ["--listen", "udp:127.0.0.1:5060"]}
    """
    from .adapter import Adapter

    if sys.stdin.isatty():
        raise click.ClickException("this speaks the Debug Adapter Protocol: an editor starts it, see docs/dap.md")
    reader, writer = sys.stdin.buffer, sys.stdout.buffer
    # What anything else prints must not get between the messages.
    sys.stdout = sys.stderr
    sys.exit(Adapter(reader, writer).run())
