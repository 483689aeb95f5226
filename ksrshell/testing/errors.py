"""What ends a test: wrong use of the fixture, and what the script or the proxy did that no test may pass over."""

from __future__ import annotations

__all__ = ["MissingFunction", "NotThere", "ProxyDefect", "ScriptRaised", "TestingError", "UsageError"]


class TestingError(Exception):
    """The base of all of them."""

    __test__ = False


class UsageError(TestingError):
    """The fixture was used in a way it cannot be: the text says what was expected, what came and what to do."""


class NotThere(TestingError, AssertionError):
    """What the test looks at did not happen: there is no reply, no relayed request."""


class MissingFunction(TestingError):
    """The script called a KSR function that Kamailio has and ksrshell has not. ``ksr.mock`` stands in for it."""


class ProxyDefect(TestingError):
    """The proxy itself failed. Please report it with the traceback."""


class ScriptRaised(TestingError):
    """A callback of the script raised. ``callback``: its name; ``original``: the exception; ``frames``: the traceback
    with the script's own frames."""

    def __init__(self, callback: str, original: BaseException, frames: str) -> None:
        self.callback = callback
        self.original = original
        self.frames = frames
        lines = frames.splitlines()
        # The first line says "Traceback (most recent call last)", the last what is said here first.
        inner = "\n".join(lines[1:]) if lines and lines[0].startswith("Traceback") else frames
        super().__init__(f"{callback} raised {type(original).__name__}\n{inner}")
