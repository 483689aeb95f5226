"""Kamailio's jsonrpcs: its RPC commands as JSON-RPC, over a datagram socket, a fifo, HTTP and from the script.

The sockets are opened by the server (``control/rpcsockets.py``) when ``dgram_socket`` and ``fifo_name`` say where; no
path is taken by default, so that a Kamailio on the same machine keeps its own. Over HTTP the script's
``xhttp:event_callback`` calls ``KSR.jsonrpcs.dispatch()``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from ..pv.errors import PvError
from ..pv.registry import Accessor, pv_class
from ..pv.spec import Spec
from .declare import Module, Param, ParamError, Value, export, rpc

if TYPE_CHECKING:
    from ..control.jsonrpc import Answer, Command
    from ..proxy import Proxy
    from ..run import Run

__all__ = ["Jsonrpcs"]

HTTP, FIFO, DATAGRAM = 1, 2, 4


class Mode(Param):
    """Permissions: octal with a leading 0, else decimal, as Kamailio reads numbers."""

    def convert(self, module: str, value: int | str) -> int:
        text = str(value)
        try:
            number = int(text, 8) if text[:1] == "0" else int(text)
        except ValueError:
            number = -1
        if not 0 <= number <= 0o777:
            raise ParamError(f"modparam {module}:{self.name} expects permissions such as 0660, got {value!r}")
        return number


class Jsonrpcs(Module):
    name = "jsonrpcs"

    pretty_format = Param(1, "1: answers in lines with tabs, 0: without blanks: int")
    transport = Param(6, "sum of 1 HTTP, 2 fifo, 4 datagram; 0 all: int")
    fifo_name = Param("", "path of the fifo; '' none (Kamailio: kamailio_rpc.fifo in run_dir): str")
    fifo_mode = Mode(0o660, "permissions of the fifo: int")
    fifo_user = Param("", "owner of the fifo, '' the process's: int or str")
    fifo_group = Param("", "group of the fifo, '' the process's: int or str")
    fifo_reply_dir = Param("/tmp/", "folder of the fifos for answers: str")
    dgram_socket = Param(
        "", "path of the datagram socket, or udp:HOST:PORT; '' none (Kamailio: kamailio_rpc.sock): str"
    )
    dgram_workers = Param(1, "no effect: there is one process: int")
    dgram_mode = Mode(0o660, "permissions of the datagram socket: int")
    dgram_user = Param("", "owner of the datagram socket, '' the process's: int or str")
    dgram_group = Param("", "group of the datagram socket, '' the process's: int or str")
    dgram_timeout = Param(2000, "no effect: a client that does not read delays nobody: int")

    def __init__(self, proxy: Proxy) -> None:
        super().__init__(proxy)
        #: What the last command of the script gave: $jsonrpl(code), (text), (body).
        self.last: Answer | None = None
        self._commands: dict[str, Command] = {}

    def start(self) -> None:
        if not 0 <= self.transport <= 7:
            raise ParamError(f"modparam jsonrpcs:transport expects a number from 0 to 7, got {self.transport}")
        for name in ("fifo_name", "dgram_socket"):
            path = getattr(self, name)
            if path and not path.startswith(("/", "udp:", "udp4:", "udp6:")):
                raise ParamError(f"modparam jsonrpcs:{name} expects an absolute path, got {path!r}")

    def fork(self, proxy: Proxy) -> Self:
        new = super().fork(proxy)
        new._commands = {}
        return new

    def wants(self, transport: int) -> bool:
        """Whether HTTP, FIFO or DATAGRAM is on."""
        return not self.transport or bool(self.transport & transport)

    def execute(self, document: str) -> Answer | None:
        """Carry out a document (latin-1 text); None: it is no JSON."""
        from ..control.jsonrpc import run
        from ..control.rpc import commands

        if not self._commands:
            self._commands = commands(self.proxy)
        return run(self._commands, document, bool(self.pretty_format))

    # -- KEMI ---------------------------------------------------------------------------------------------------------

    @export
    def dispatch(self, run: Run) -> int:
        """Answer an HTTP request whose body is a JSON-RPC document. 1, or -1 when it is none: nothing is sent then.

        A SIP request is left alone (1).
        """
        msg = run.msg
        if not msg.is_request or not msg.version.startswith("HTTP/"):
            return 1
        answer = self.execute(msg.body)
        if answer is None:
            return -1
        xhttp = self.proxy.modules.xhttp
        return 1 if xhttp.xhttp_reply(run, answer.code, answer.reason, "application/json", answer.body) >= 0 else -1

    @export
    def exec(self, run: Run, cmd: str) -> int:
        """Carry out a JSON-RPC document. 1, also when the command fails: see $jsonrpl(code), (text), (body); -1 when
        it is no JSON."""
        answer = self.execute(cmd)
        if answer is None:
            return -1
        self.last = answer
        return 1

    @export
    def execx(self, run: Run, cmd: str) -> int:
        """The same as exec, which is a reserved word in some languages."""
        return self.exec(run, cmd)

    @export
    def response(self, run: Run) -> Value:
        """The document that answered the last exec(), null before one: $jsonrpl(body)."""
        return self.last.body if self.last is not None else None

    # -- RPC ----------------------------------------------------------------------------------------------------------

    @rpc("jsonrpc.echo")
    def rpc_echo(self, params: list[Any]) -> list[Any]:
        """Returns parameters back to the client."""
        return [str(value) for value in params]


@pv_class("jsonrpl")
def jsonrpl(spec: Spec) -> Accessor:
    part = spec.inner or ""
    if part not in ("code", "text", "body"):
        raise PvError("$jsonrpl expects code, text or body such as $jsonrpl(code)", str(spec))

    def get(run: Run) -> Value:
        last: Answer | None = run.proxy.modules.jsonrpcs.last
        if part == "code":
            return last.code if last is not None else 0
        if last is None:
            return None
        return last.reason if part == "text" else last.body

    return Accessor(spec, get)
