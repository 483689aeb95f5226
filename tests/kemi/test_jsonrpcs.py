"""jsonrpcs and xmlrpc from a script and over HTTP: what Kamailio 5.6.3 answered."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ksrcore.assemble import load_script, make_proxy
from ksrcore.control.rpc import commands
from ksrcore.kemi.declare import ParamError
from ksrcore.net.address import Dest, Listen, Rcv

TCP = Listen("tcp", "127.0.0.1", 5060)
SCRIPT = """
import KSR
seen = []
def ksr_request_route(msg):
    state = lambda: tuple(KSR.pv.get(f"$jsonrpl({name})") for name in ("code", "text", "body"))
    seen.append((state(), KSR.jsonrpcs.response()))
    for text in documents:
        seen.append((KSR.jsonrpcs.exec(text), *state()))
    seen.append((KSR.jsonrpcs.execx('{"jsonrpc":"2.0","method":"core.echo"}'), KSR.jsonrpcs.response()))
    seen.append((KSR.jsonrpcs.dispatch(), KSR.xmlrpc.dispatch_rpc(), KSR.xmlrpc.xmlrpc_reply(200, "x")))
    return 1
documents = []
def ksr_xhttp_event(msg, event):
    url = KSR.pv.get("$hu")
    seen.append((event, url, KSR.jsonrpcs.dispatch() if url == "/RPC" else KSR.xmlrpc.xmlrpc_reply(404, "no")))
    return 1
def ksr_xmlrpc_event(msg, event):
    seen.append((event, KSR.xmlrpc.dispatch_rpc()))
    return 1
"""
PARAMS = (
    "xhttp:event_callback=ksr_xhttp_event",
    "xhttp:url_skip=^/RPC2",
    "xmlrpc:event_callback=ksr_xmlrpc_event",
    "jsonrpcs:pretty_format=0",
)


@pytest.fixture(autouse=True)
def modules() -> Iterator[None]:
    yield
    for name in ("routes", "KSR"):
        sys.modules.pop(name, None)


class World:
    def __init__(self, folder: Path, *params: str) -> None:
        path = folder / "routes.py"
        path.write_text(SCRIPT)
        self.sent: list[str] = []
        self.proxy, ksr = make_proxy(transmit=self._transmit, listens=[TCP], modparams=(*PARAMS, *params))
        self.script: Any = load_script(str(path), self.proxy, ksr)

    def _transmit(self, data: bytes, dest: Dest) -> bool:
        self.sent.append(data.decode("latin-1"))
        return True

    @property
    def seen(self) -> list[Any]:
        seen: list[Any] = self.script.module.seen
        return seen

    def feed(self, data: str) -> list[str]:
        self.sent.clear()
        self.proxy.receive(data.encode("latin-1"), Rcv("tcp", "127.0.0.1", 40001, "127.0.0.1", 5060, TCP, 7), 1.0)
        return self.sent

    def post(self, url: str, body: str, method: str = "POST") -> list[str]:
        return self.feed(f"{method} {url} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n{body}")


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


OPTIONS = (
    "OPTIONS sip:x@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1:40001;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\n"
    "To: <sip:a@b>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
)


def test_from_the_script(world: World) -> None:
    world.script.module.documents += [
        '{"jsonrpc":"2.0","method":"core.echo","params":["a"],"id":1}',
        "xx",
        '{"jsonrpc":"2.0","method":"no.such","id":1}',
        '{"jsonrpc":"1.0"}',
    ]
    (sent,) = world.feed(OPTIONS)
    echoed = (200, "OK", '{"jsonrpc":"2.0","result":["a"],"id":1}')
    assert world.seen == [
        ((0, None, None), None),
        (1, *echoed),
        (-1, *echoed),
        (1, 500, "Method Not Found", '{"jsonrpc":"2.0","error":{"code":500,"message":"Method Not Found"},"id":1}'),
        (1, 200, "OK", '{"jsonrpc":"2.0","result":{}}'),
        (1, '{"jsonrpc":"2.0","result":[]}'),
        # A SIP request is left alone by one module and answered by the other, once.
        (1, 1, -1),
    ]
    assert sent.startswith("SIP/2.0 200 OK\r\n") and "Invalid XML-RPC Document" in sent


def test_json_over_http(world: World) -> None:
    (sent,) = world.post("/RPC", '{"jsonrpc":"2.0","method":"core.echo","params":["a"],"id":1}')
    assert sent == (
        "HTTP/1.1 200 OK\r\nSia: SIP/2.0/TCP 127.0.0.1:40001\r\nContent-Type: application/json\r\n"
        f"{world.proxy.server_header}\r\nContent-Length: 39\r\n\r\n" + '{"jsonrpc":"2.0","result":["a"],"id":1}'
    )
    (sent,) = world.post("/RPC", '{"jsonrpc":"2.0","method":"no.such","id":1}')
    assert sent.startswith("HTTP/1.1 500 Method Not Found\r\n")
    assert world.post("/RPC", "no JSON") == []
    assert world.seen == [("xhttp:request", "/RPC", 1), ("xhttp:request", "/RPC", 1), ("xhttp:request", "/RPC", -1)]


def test_xml_over_http(world: World) -> None:
    document = '<?xml version="1.0"?><methodCall><methodName>core.echo</methodName></methodCall>'
    (sent,) = world.post("/RPC2", document)
    head, _, body = sent.partition("\r\n\r\n")
    assert head.startswith("HTTP/1.1 200 OK\r\nSia: ") and "Content-Type" not in head
    assert "<array><data>\n</data></array>" in body
    assert world.post("/RPC2", document, "PUT") == []
    (sent,) = world.post("/else", document)
    assert "<value><int>1</int></value>" in sent
    assert world.seen == [("xmlrpc:request", 1), ("xhttp:request", "/else", 1)]


def test_xmlrpc_left_to_the_script(tmp_path: Path) -> None:
    world = World(tmp_path, "xmlrpc:mode=1")
    assert world.post("/RPC2", "<x/>") == []
    assert world.seen == []


@pytest.mark.parametrize(
    ("param", "text"),
    [
        ("jsonrpcs:transport=9", "from 0 to 7"),
        ("jsonrpcs:dgram_mode=rw", "expects permissions"),
        ("jsonrpcs:fifo_name=relative.fifo", "absolute path"),
        ("xmlrpc:route=XMLRPC", "event_callback"),
        ("xmlrpc:url_match=(", "xmlrpc:url_match expects a regular expression"),
    ],
)
def test_parameters(tmp_path: Path, param: str, text: str) -> None:
    with pytest.raises(ParamError, match=text):
        World(tmp_path, param)


def test_permissions_are_octal_with_a_zero(tmp_path: Path) -> None:
    world = World(tmp_path, "jsonrpcs:dgram_mode=0660", "jsonrpcs:fifo_mode=384")
    module = world.proxy.modules.jsonrpcs
    assert (module.dgram_mode, module.fifo_mode) == (0o660, 0o600)
    assert module.wants(4) and not module.wants(1)


def test_every_command_has_a_line_of_help(world: World) -> None:
    known = commands(world.proxy)
    helped = known["system.methodHelp"]
    assert [name for name in known if helped([name]) == "undocumented"] == []
    assert known["system.listMethods"]([]) == sorted(known)
