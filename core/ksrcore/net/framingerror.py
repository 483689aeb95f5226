"""Why a stream of messages cannot be read."""

from __future__ import annotations

import enum


class FramingKind(enum.Enum):
    """Why a stream cannot be read further."""

    NOT_SIP = "not SIP"
    TOO_LARGE = "message too large"
    NO_LENGTH = "no Content-Length"
    BAD_LENGTH = "bad Content-Length"
    BAD_CHUNK = "bad chunk"


class FramingError(Exception):
    """The stream cannot be read further; only closing the connection helps. ``kind`` is for programs."""

    def __init__(self, kind: FramingKind, detail: str) -> None:
        super().__init__(f"{kind.value}: {detail}")
        self.kind = kind
