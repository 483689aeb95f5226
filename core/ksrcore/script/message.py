"""The ``msg`` argument of callbacks: what app_python3's message object offers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..kemi.facade import from_wire, to_wire

if TYPE_CHECKING:
    from ..run import Run


class ScriptMessage:
    """The message being routed, as app_python3 shows it (README.app_python3; python_msgobj).

    ``Type`` is 'SIP_REQUEST' or 'SIP_REPLY'; ``Method`` and ``RURI`` are None for replies, ``Status`` (str) is None
    for requests; ``src_address`` and ``dst_address`` are (ip, port). Text is the script's UTF-8.
    """

    __slots__ = ("_run",)

    def __init__(self, run: Run) -> None:
        self._run = run

    @property
    def Type(self) -> str:
        return "SIP_REQUEST" if self._run.msg.is_request else "SIP_REPLY"

    @property
    def Method(self) -> str | None:
        msg = self._run.msg
        return msg.method if msg.is_request else None

    @property
    def Status(self) -> str | None:
        msg = self._run.msg
        return None if msg.is_request else str(msg.status)

    @property
    def RURI(self) -> str | None:
        msg = self._run.msg
        return from_wire(msg.uri) if msg.is_request else None

    @property
    def src_address(self) -> tuple[str, int]:
        rcv = self._run.msg.rcv
        return (rcv.src_ip, rcv.src_port) if rcv is not None else ("", 0)

    @property
    def dst_address(self) -> tuple[str, int]:
        rcv = self._run.msg.rcv
        return (rcv.dst_ip, rcv.dst_port) if rcv is not None else ("", 0)

    def getHeader(self, name: str) -> str | None:
        """The body of the first header field of that name (compact forms are found too), None when there is none."""
        if not isinstance(name, str):
            raise TypeError(f"msg.getHeader(name: str): got {name!r}")
        wanted = name.lower()
        for header in self._run.msg.headers:
            if header.name.lower() == wanted or header.key == wanted:
                return from_wire(header.body)
        return None

    def rewrite_ruri(self, uri: str) -> None:
        """Set the Request-URI, like ``KSR.seturi``."""
        self._call("seturi", uri)

    def set_dst_uri(self, uri: str) -> None:
        """Set the destination URI, like ``KSR.setdsturi``."""
        self._call("setdsturi", uri)

    def call_function(self, name: str, *args: Any) -> Any:
        """Call a function of the configuration file by name: done through KSR where KEMI has it."""
        return self._run.proxy.modules.x.modf(self._run, name, *args)

    def _call(self, name: str, text: str) -> None:
        if not isinstance(text, str):
            raise TypeError(f"msg.{name}: expected a str, got {text!r}")
        getattr(self._run.proxy.modules[""], name)(self._run, to_wire(text))

    def __repr__(self) -> str:
        msg = self._run.msg
        return f"<msg {msg.method} {msg.uri}>" if msg.is_request else f"<msg {msg.status} {msg.reason}>"
