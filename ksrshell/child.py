"""A proxy as a child process: what ``run`` and ``demo`` put their shell on."""

from __future__ import annotations

import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType

from .errors import KsrShellError

#: How click begins the line of a ClickException.
_ERROR = "Error: "
#: How many lines of a proxy's log tell how it ended.
_LAST_LINES = 5


def end_on_signals() -> None:
    """Let SIGTERM and SIGHUP (the terminal is closed) end this process in order, so that nothing of it stays."""

    def end(signum: int, frame: FrameType | None) -> None:
        sys.exit(128 + signum)

    for signum in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, end)


class ChildProxy:
    """``ksrshell serve`` with these arguments; its log goes to the file ``log``. Ends with the context.

    ``control`` is its control socket. Raises :class:`KsrShellError` with the proxy's own line when it cannot start.
    """

    def __init__(self, arguments: list[str], log: Path, *, timeout: float = 20.0) -> None:
        self.log = log
        try:
            errors = log.open("ab")
        except OSError as error:
            raise KsrShellError(f"cannot write the proxy's log {log}: {error.strerror}") from None
        with errors:
            start = self._log_start = errors.tell()
            self.process = subprocess.Popen(
                [sys.executable, "-m", "ksrshell", "serve", "--while-stdin", *arguments],
                # Its end tells the proxy that we are gone, however that came about.
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                # Ctrl-C at the prompt is for the prompt.
                start_new_session=True,
            )
        try:
            self.name, self.control = self._ready(timeout)
        except BaseException as error:
            self.close()
            if isinstance(error, KsrShellError) and (line := _last_line(log, start)):
                if not start:
                    log.unlink(missing_ok=True)  # it says no more than this error does
                raise KsrShellError(line) from None
            raise

    def _ready(self, timeout: float) -> tuple[str, str]:
        assert self.process.stdout is not None
        deadline = time.monotonic() + timeout
        line = b""
        while not line.endswith(b"\n"):
            left = deadline - time.monotonic()
            if left <= 0:
                raise KsrShellError(f"the proxy was not ready after {timeout:.0f} s; its log is {self.log}")
            if select.select([self.process.stdout], [], [], left)[0]:
                more = self.process.stdout.read1(4096)  # type: ignore[attr-defined]
                if not more:
                    raise KsrShellError(f"the proxy ended with status {self.process.wait()}; its log is {self.log}")
                line += more
        word, name, path = line.decode().rstrip("\n").split(" ", 2)
        if word != "ready":
            raise KsrShellError(f"the proxy said {line!r} where 'ready NAME PATH' was expected")
        return name, path

    def ended(self, timeout: float = 2.0) -> str:
        """How the process ended, with the last lines of its log; '' when it still runs after ``timeout`` seconds."""
        try:
            status = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            return ""
        how = f"with status {status}" if status >= 0 else f"by {signal.Signals(-status).name}"
        text = f"the proxy {self.name} was ended {how}" if status < 0 else f"the proxy {self.name} ended {how}"
        lines = _lines(self.log, self._log_start)[-_LAST_LINES:]
        return "\n".join([f"{text}; its log {self.log} ends with:", *lines] if lines else [text])

    def close(self, timeout: float = 5.0) -> None:
        process = self.process
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(timeout)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()

    def __enter__(self) -> ChildProxy:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def _last_line(log: Path, start: int) -> str:
    """The line by which the proxy said why it could not start."""
    lines = [line for line in _lines(log, start) if line.startswith(_ERROR)]
    return lines[-1].removeprefix(_ERROR) if lines else ""


def _lines(log: Path, start: int) -> list[str]:
    """The lines of a log from an offset on; none when it cannot be read."""
    try:
        return log.read_bytes()[start:].decode("utf-8", "replace").splitlines()
    except OSError:
        return []
