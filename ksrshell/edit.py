"""``%edit NAME``: a function of the script in the user's editor, swapped in when it is saved."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ksrcore.script.writeback import reindent

from .errors import KsrShellError, RemoteError, UsageError

if TYPE_CHECKING:
    from .session import Session

#: Editors that take ``+LINE`` before the file.
_WITH_LINE = frozenset(("vi", "vim", "nvim", "view", "nano", "pico", "emacs", "emacsclient", "joe", "jed", "mg", "ed"))


def editor() -> list[str]:
    """The user's editor as a command: VISUAL, then EDITOR, else vi."""
    command = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise UsageError(f"cannot read the editor's command {command!r} (VISUAL or EDITOR): {error}") from None
    return words or ["vi"]


def run_editor(path: Path, line: int = 0) -> None:
    """Open the file and wait until the editor has ended. Raises :class:`UsageError`."""
    command = editor()
    at = [f"+{line}"] if line and Path(command[0]).name in _WITH_LINE else []
    try:
        status = subprocess.call([*command, *at, str(path)])
    except OSError as error:
        raise UsageError(
            f"cannot start the editor {command[0]!r} (VISUAL, EDITOR or vi): {error.strerror or error}"
        ) from None
    if status:
        raise UsageError(f"the editor {command[0]!r} ended with status {status}: nothing was swapped")


def edit(session: Session, name: str, ask: Callable[[str], bool], say: Callable[[str], None]) -> Any:
    """Edit a function and swap it; what the swap did, None when the text was not changed or was given up.

    ``ask`` is asked whether to edit again when the proxy refuses the text, ``say`` tells why.
    """
    versions = session.lead.versions(name)
    current = next((version for version in versions.values() if version.current), None)
    if current is None or current.removed:
        raise UsageError(f"{name} is not there: it was removed")
    source = reindent(current.source, "")
    handle, file = tempfile.mkstemp(prefix=f"{name.replace('.', '_')}-", suffix=".py")
    path = Path(file)
    with os.fdopen(handle, "w", encoding="utf-8") as opened:
        opened.write(source)
    line, keep = 0, False
    try:
        while True:
            run_editor(path, line)
            try:
                text = path.read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError) as error:
                raise UsageError(f"cannot read what the editor left in {path}: {error}") from None
            if text == source or not text.strip():
                say("nothing changed: nothing was swapped")
                return None
            try:
                return session.swap(text)
            except KsrShellError as error:
                say(str(error))
                line = int(error.data.get("line") or 0) if isinstance(error, RemoteError) else 0
                if not ask("edit again?"):
                    keep = True
                    say(f"nothing was swapped; the text is in {path}")
                    return None
    finally:
        if not keep:
            path.unlink(missing_ok=True)


def ask_terminal(question: str) -> bool:
    """Yes unless the answer begins with n; the end of the input is a no."""
    try:
        answer = input(f"{question} [Y/n] ")
    except (EOFError, KeyboardInterrupt):
        sys.stdout.write("\n")
        return False
    return not answer.strip().lower().startswith("n")
