"""Tests for KEMI scripts: the pytest plugin's fixture ``ksr`` and what it gives (docs/testing.md).

For annotations and ``pytest.raises``::

    from ksrshell.testing import Ksr, Result, ScriptRaised
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .calls import Call
    from .errors import MissingFunction, NotThere, ProxyDefect, ScriptRaised, TestingError, UsageError
    from .headers import Headers
    from .ksr import Ksr
    from .messages import Message
    from .mocks import KsrMock
    from .result import Result
    from .sent import Sent

_WHERE = {
    "Call": "calls",
    "Headers": "headers",
    "Ksr": "ksr",
    "KsrMock": "mocks",
    "Message": "messages",
    "MissingFunction": "errors",
    "NotThere": "errors",
    "ProxyDefect": "errors",
    "Result": "result",
    "ScriptRaised": "errors",
    "Sent": "sent",
    "TestingError": "errors",
    "UsageError": "errors",
}

__all__ = [
    "Call",
    "Headers",
    "Ksr",
    "KsrMock",
    "Message",
    "MissingFunction",
    "NotThere",
    "ProxyDefect",
    "Result",
    "ScriptRaised",
    "Sent",
    "TestingError",
    "UsageError",
]


def __getattr__(name: str) -> Any:
    # pytest imports the plugin, and so this package, in every run on a machine that has it: the proxy's modules are
    # imported when a test asks for them.
    if name in _WHERE:
        return getattr(import_module(f".{_WHERE[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
