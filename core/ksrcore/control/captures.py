"""Captured messages for files, and messages of files for the recorder: ``ksr.capture.get`` and ``ksr.capture.add``.

The files themselves are read and written by the client: as its user, in its folder. No path crosses the channel.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..capture.captured import MAX_SIP, Captured
from ..capture.foreign import captured, insert
from ..net.address import PROTOS, canonical_ip
from . import errors
from .errors import ControlError

if TYPE_CHECKING:
    from ..proxy import Proxy

#: Messages in one call.
MOST = 500


class CaptureMethods:
    """Over one proxy's recorder."""

    def __init__(self, proxy: Proxy) -> None:
        self.proxy = proxy

    def table(self) -> dict[str, Callable[..., Any]]:
        return {"ksr.capture.get": self.get, "ksr.capture.add": self.add}

    def get(self, ids: list[int]) -> dict[str, Any]:
        """The messages of these ids as they were on the wire; those that are gone are left out."""
        _few(ids)
        found = []
        for id in ids:
            record = self.proxy.recorder.get(id)
            if record is None:
                continue
            message = captured(record, self.proxy.pick_listen)
            ran = [f"{run.callback}: {run.exception!r}" if run.exception else run.callback for run in record.runs]
            found.append(
                {
                    "id": record.id,
                    "time": message.time,
                    "proto": message.proto,
                    "src": [message.src_ip, message.src_port],
                    "dst": [message.dst_ip, message.dst_port],
                    "data": record.data,
                    "conid": message.conid,
                    "out": record.out,
                    "cause": record.cause,
                    "ran": ran,
                }
            )
        return {"messages": found}

    def add(self, messages: list[Any], origin: str) -> dict[str, Any]:
        """Keep messages of a capture. ``cause``: an id, or how many messages before in this list, negative."""
        _few(messages)
        read = [self._read(each) for each in messages]
        recorder = self.proxy.recorder
        ids: list[int] = []
        for at, (message, out, cause) in enumerate(read):
            if cause < 0:
                cause = ids[at + cause] if at + cause >= 0 else 0
            record = insert(self.proxy, message, origin[:200], out=out, cause=cause, told=False)
            before = recorder.get(cause) if cause else None
            if before is not None:
                before.sent += (record.id,)
            ids.append(record.id)
        return {"ids": ids, "room": recorder.max_count}

    def _read(self, given: Any) -> tuple[Captured, bool, int]:
        try:
            src_ip, src_port = given["src"]
            dst_ip, dst_port = given["dst"]
            message = Captured(
                float(given["time"]),
                given["proto"],
                canonical_ip(src_ip),
                int(src_port),
                canonical_ip(dst_ip),
                int(dst_port),
                given["data"].encode("latin-1"),
                int(given.get("conid", 0)),
            )
            out, cause = bool(given.get("out")), int(given.get("cause", 0))
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise _wrong(f"{type(error).__name__}: {error}") from None
        if message.proto not in PROTOS or not message.src_ip or not message.dst_ip:
            raise _wrong(f"proto is one of {', '.join(PROTOS)}, and addresses are [IP, PORT]")
        if not (0 <= message.src_port < 65536 and 0 <= message.dst_port < 65536 and 0 <= message.time < 1e11):
            raise _wrong("a port or the time is out of range")
        if len(message.data) > MAX_SIP:
            raise _wrong(f"a message has at most {MAX_SIP} bytes, this one {len(message.data)}")
        return message, out, cause


def _few(given: list[Any]) -> None:
    if len(given) > MOST:
        raise ControlError(errors.INVALID_PARAMS, f"at most {MOST} messages in one call, got {len(given)}")


def _wrong(why: str) -> ControlError:
    text = "ksr.capture.add: messages are objects with time, proto, src, dst, data, conid?, out?, cause?"
    return ControlError(errors.INVALID_PARAMS, f"{text}: {why}")
