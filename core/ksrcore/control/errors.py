"""Errors that cross the control channel."""

from __future__ import annotations

from typing import Any

# JSON-RPC 2.0, section 5.1.
PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
INTERNAL_ERROR = -32603
#: Our own: what the user asked for cannot be done (an unknown id, a script error, a KSR function that raised).
USER_ERROR = 1


class ControlError(Exception):
    """Answered as a JSON-RPC error object."""

    def __init__(self, code: int, message: str, data: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.data = data
