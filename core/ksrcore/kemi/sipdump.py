"""Kamailio's sipdump: what comes and leaves, written into files or told to a callback.

A sandbox writes nothing.
"""

from __future__ import annotations

import glob
import logging
from typing import TYPE_CHECKING, Any, Self

from ..capture.foreign import captured
from ..pv.errors import PvError
from ..pv.registry import Accessor, pv_class
from ..pv.spec import Spec
from ..run import EVENT_ROUTE
from .declare import Module, Param, ParamError, Value, export, rpc
from .sipdump_files import Dumped, Files

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..capture.recorder import Record
    from ..proxy import Proxy
    from ..run import Run

__all__ = ["Sipdump"]

log = logging.getLogger("ksrcore.sipdump")

_TEXT, _EVENT, _PCAP, _MARK = 1, 2, 4, 8
_CLEAN_EVERY = 600.0


class Sipdump(Module):
    """Traffic written into files, or told to a callback."""

    name = "sipdump"

    enable = Param(0, "1: traffic is written: int")
    mode = Param(1, "a sum of 1: text files, 2: the callback, 4: pcap files, 8: P-KSR-SIPDump in these: int")
    wait = Param(100, "no effect: files are written at once: int")
    rotate = Param(7200, "seconds between new files: int")
    folder = Param("/tmp", "where the files are: str")
    fprefix = Param("kamailio-sipdump-", "what their names begin with: str")
    fage = Param(0, "seconds after which old files are removed, 0: never: int")
    event_callback = Param("", "callback that gets 'sipdump:msg'; drop keeps a message out of the files: str")

    def __init__(self, proxy: Proxy) -> None:
        super().__init__(proxy)
        #: The message the callback is told of; None outside of it.
        self.told: Dumped | None = None
        self._files: Files | None = None
        self._failed = False

    def start(self) -> None:
        if self.rotate < 1:
            raise ParamError(f"modparam sipdump:rotate expects seconds from 1, got {self.rotate}")
        if "/" in self.fprefix or glob.escape(self.fprefix) != self.fprefix:
            raise ParamError(f"modparam sipdump:fprefix expects a part of a file's name, got {self.fprefix!r}")
        text, pcap = bool(self.mode & _TEXT), bool(self.mode & _PCAP)
        if text or pcap:
            self._files = Files(self.folder, self.fprefix, self.rotate, text, pcap, self.proxy.wall())
        if self.enable:
            self._tap()
        if self.fage > 0:
            self.proxy.after(_CLEAN_EVERY, self._clean, every=_CLEAN_EVERY)

    def stop(self) -> None:
        self.proxy.recorder.untap(self._seen)
        if self._files is not None:
            self._files.close()

    def fork(self, proxy: Proxy) -> Self:
        new = super().fork(proxy)
        new._files = None
        return new

    def _tap(self) -> None:
        recorder = self.proxy.recorder
        recorder.untap(self._seen)
        recorder.tap(self._seen)

    def _clean(self) -> None:
        if self._files is not None:
            try:
                self._files.clean(self.proxy.wall(), self.fage)
            except OSError as error:
                log.error("sipdump: old files cannot be removed: %s", error)

    def _seen(self, record: Record) -> None:
        """A message has come or leaves. Never raises."""
        if not self.enable or record.origin:
            return
        try:
            message = captured(record, self.proxy.pick_listen)
            dumped = Dumped(
                "snd" if record.out else "rcv", message.data, message.proto, message.src_ip, message.src_port,
                message.dst_ip, message.dst_port, message.time,
            )  # fmt: skip
            if self.mode & _EVENT and self._dropped(dumped):
                return
            self._write(dumped)
        except Exception:
            log.exception("sipdump: message %d", record.id)

    def _dropped(self, dumped: Dumped) -> bool:
        script = self.proxy.script
        if not self.event_callback or script is None or not script.has(self.event_callback):
            return False
        run = self.proxy.fake_run()
        run.route = EVENT_ROUTE
        before, self.told = self.told, dumped
        try:
            script.call(run, self.event_callback, "sipdump:msg")
        finally:
            self.told = before
        return run.dropped

    def _write(self, dumped: Dumped) -> None:
        if self._files is None:
            return
        try:
            self._files.write(dumped, bool(self.mode & _MARK))
            self._failed = False
        except OSError as error:
            if not self._failed:
                log.error("sipdump: cannot write to %s: %s (more of that is not told)", self.folder, error)
            self._failed = True

    # -- functions ----------------------------------------------------------------------------------------------------

    @export
    def send(self, run: Run, stag: str) -> int:
        """Write this message with a tag of one's own: 1, also when nothing is written."""
        rcv = run.msg.rcv
        if not self.enable:
            return 1
        if self.proxy.sandbox:
            log.info("sipdump: a sandbox writes no files")
            return 1
        if self._files is None:
            log.warning("sipdump.send: modparam sipdump:mode writes no files")
            return 1
        if rcv is not None:
            data = run.msg.buf.encode("latin-1")
            now = self.proxy.wall()
            self._write(Dumped(stag, data, rcv.proto, rcv.src_ip, rcv.src_port, rcv.dst_ip, rcv.dst_port, now))
        return 1

    @export
    def get_buf(self, run: Run) -> Value:
        """The message the callback is told of, '' outside of it."""
        return self.told.data.decode("latin-1") if self.told is not None else ""

    @export
    def get_tag(self, run: Run) -> Value:
        """rcv or snd, '' outside of the callback."""
        return self.told.tag if self.told is not None else ""

    @export
    def get_src_ip(self, run: Run) -> Value:
        """Where the message the callback is told of comes from, '' outside of it."""
        return self.told.src_ip if self.told is not None else ""

    @export
    def get_dst_ip(self, run: Run) -> Value:
        """Where the message the callback is told of goes to, '' outside of it."""
        return self.told.dst_ip if self.told is not None else ""

    @rpc("sipdump.enable")
    def rpc_enable(self, params: list[Any]) -> dict[str, int]:
        """Optional 0 or 1: whether traffic is written."""
        old = self.enable
        if params:
            text = str(params[0]).strip()
            if text == "1":
                self.enable = 1
                self._tap()
            elif text == "0" or not text.lstrip("+-").isdigit():
                self.enable = 0
        return {"oldval": old, "newval": self.enable}


_READ: dict[str, Callable[[Dumped], str | int]] = {
    "tag": lambda told: told.tag,
    "sproto": lambda told: told.tag,
    "buf": lambda told: told.data.decode("latin-1"),
    "len": lambda told: len(told.data),
    "af": lambda told: told.family,
    "proto": lambda told: told.proto,
    "src_ip": lambda told: told.src_ip,
    "dst_ip": lambda told: told.dst_ip,
    "src_port": lambda told: told.src_port,
    "dst_port": lambda told: told.dst_port,
}


@pv_class("sipdump")
def _sipdump(spec: Spec) -> Accessor:
    """``$sipdump(name)`` in the callback; ``sproto`` is the tag, as in Kamailio."""
    read = _READ.get((spec.inner or "").strip())
    if read is None:
        raise PvError(f"expected $sipdump(name) with one of {', '.join(_READ)}", str(spec))

    def get(run: Run) -> Value:
        told: Dumped | None = run.proxy.module("sipdump").told
        return read(told) if told is not None else None

    return Accessor(spec, get)
