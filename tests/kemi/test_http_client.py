"""KSR.http_client against an HTTP server: results and requests as recorded from Kamailio 5.6.3."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import pytest

from ksrcore.kemi.declare import ParamError
from lab.certificates import certificate
from lab.sequence import Bench, load
from lab.webserver import WebServer, webserver

STEP: dict[str, Any] = {}


@pytest.mark.parametrize("number", [0, 1, 2])
def test_as_in_kamailio(number: int) -> None:
    scenario = load("http_client")[number]
    unlike: list[Any] = []
    with webserver() as server:
        server.slow = 2.0 if number == 2 else 1.2
        own = server.url

        def here(text: str) -> str:
            return text.replace("{B}", own).replace("{C}", own.replace("//", "//us:pw@"))

        bench = Bench([here(text) for text in scenario["modparams"]])
        for step in scenario["steps"]:
            results, _ = bench.request(STEP, [here(call) for call, _ in step["calls"]])
            for (call, wanted), result in zip(step["calls"], results, strict=True):
                if result != (here(wanted) if isinstance(wanted, str) else wanted):
                    unlike.append((step["name"], call, wanted, result))
            asked = [entry for entry in server.take()]
            wanted_requests = step["asked"]
            if "digest" in step["name"]:
                asked = [[line, [name for name, _ in headers], body] for line, headers, body in asked]
                wanted_requests = [[line, [name for name, _ in headers], body] for line, headers, body in step["asked"]]
            if asked != wanted_requests:
                unlike.append((step["name"], wanted_requests, asked))
        counters = bench.proxy.counters
        names = ("connections", "connfail", "connok")
        stats = [f"httpclient:{name} = {counters['httpclient:' + name]}" for name in names]
        bench.proxy.modules["http_client"].stop()
        assert server.agents == {bench.proxy.user_agent_header.partition(": ")[2]}
    assert unlike == []
    assert stats == scenario["stats"]


def _query(server: WebServer, path: str, *params: str) -> list[Any]:
    bench = Bench([f"http_client:{param}" for param in params])
    try:
        url = server.url + path
        return bench.request(STEP, [f'KSR.http_client.query("{url}", "$var(r)")', 'KSR.pv.get("$var(r)")'])[0]
    finally:
        bench.proxy.modules["http_client"].stop()


def test_certificates_are_checked(tmp_path: Path) -> None:
    cert, key = certificate(tmp_path, "127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    with webserver(context) as server:
        assert _query(server, "/x") == [60, ""]
        assert _query(server, "/x", "verify_peer=0") == [200, "path /x"]
        assert _query(server, "/x", f"cacert={cert}", "tlsversion=6") == [200, "path /x"]
        assert _query(server, "/x", f"cacert={tmp_path}/none") == [77, ""]
        assert _query(server, "/x", "verify_peer=0", "cipher_suites=NONSENSE") == [59, ""]
        assert _query(server, "/x", "verify_peer=0", f"client_cert={tmp_path}/none") == [58, ""]
    other, key = certificate(tmp_path, "other.example.com")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(other, key)
    with webserver(context) as server:
        assert _query(server, "/x", f"cacert={other}") == [60, ""]
        assert _query(server, "/x", f"cacert={other}", "verify_host=0") == [200, "path /x"]


def test_through_a_proxy_and_from_an_address() -> None:
    with webserver() as proxy:
        bench = Bench([f"http_client:httpproxy={proxy.url}", "http_client:netinterface=127.0.0.1"])
        call = 'KSR.http_client.query("http://far.invalid/x", "$var(r)")'
        assert bench.request(STEP, [call, 'KSR.pv.get("$var(r)")'])[0] == [200, "path http://far.invalid/x"]
        call = 'KSR.http_client.query("https://far.invalid/x", "$var(r)")'
        assert bench.request(STEP, [call])[0] == [56]
        assert proxy.got[0][0] == "GET http://far.invalid/x HTTP/1.1"
    assert Bench(["http_client:netinterface=nosuch0"]).request(STEP, [call])[0] == [45]
    bench = Bench(["http_client:httpproxy=proxy.invalid", "http_client:httpproxyport=8080"])
    assert bench.request(STEP, [call])[0] == [5]


def test_a_file_of_connections(tmp_path: Path) -> None:
    path = tmp_path / "connections"
    with webserver() as server:
        path.write_text(
            f"# two\n[one]\nurl = {server.url}/one\ntimeout = 7\nhttp_follow_redirect = no\nverify_peer = yes\n"
            f'tlsversion = TLSv1.2\n[two]\nurl = {server.url}/two\nusername = "us"\npassword = pw\nfailover = one\n'
        )
        bench = Bench([f"http_client:config_file={path}"])
        calls = [f'KSR.http_client.curl_connect("{name}", "/a", "$var(r)")' for name in ("one", "two", "none")]
        assert bench.request(STEP, calls)[0] == [200, 200, -1]
        two, one = bench.rpc("httpclient.listcon")
        assert one["CONNECTION"]["TIMEOUT"] == 7 and two["CONNECTION"]["FAILOVER"] == "one"
        assert two["CONNECTION"]["USERNAME"] == "us"
    for text in ("url = http://x", "[a]\nnonsense", "[a]\nusername = x"):
        path.write_text(text)
        with pytest.raises(ParamError, match="expected|no url"):
            Bench([f"http_client:config_file={path}"])
    with pytest.raises(ParamError, match="No such file"):
        Bench([f"http_client:config_file={path}.gone"])


def test_connections_are_used_again() -> None:
    with webserver() as server:
        bench = Bench(["http_client:keep_connections=1", f"http_client:httpcon=api=>{server.url}"])
        module: Any = bench.proxy.modules["http_client"]
        call = 'KSR.http_client.curl_connect("api", "/x", "$var(r)")'
        assert bench.request(STEP, [call, call])[0] == [200, 200]
        ((_, (sock,)),) = module._client.idle.items()
        sock.shutdown(2)  # as if the server had closed it meanwhile
        assert bench.request(STEP, [call])[0] == [200]
        module.stop()


def test_listcon_and_headers_of_the_answer() -> None:
    with webserver() as server:
        bench = Bench(["http_client:httpcon=x=>http://h.x:81/api;timeout=3"])
        assert bench.rpc("httpclient.listcon") == {
            "CONNECTION": {
                "NAME": "x", "SCHEMA": "http", "URI": "h.x:81/api", "USERNAME": None, "PASSWORD": None,
                "FAILOVER": None, "TIMEOUT": 3,
            }
        }  # fmt: skip
        calls = [f'KSR.http_client.query("{server.url}/hdr", "$var(r)")', 'KSR.pv.get("$httprhdr(x-two)")']
        assert bench.request(STEP, [*calls, 'KSR.pv.get("$httprhdr(none)")'])[0] == [200, "two", None]
        assert bench.request(STEP, ['KSR.pv.get("$httprhdr(x-two)")'])[0] == [None]


def test_a_sandbox_asks_nobody() -> None:
    with webserver() as server:
        bench = Bench()
        run = bench.make(STEP)
        fork: Any = bench.proxy.modules["http_client"].fork(bench.proxy)
        bench.proxy.sandbox = True
        assert fork.query(run, server.url, "$var(r)") == 7
        assert server.got == []


@pytest.mark.parametrize("text", ["x", "x=>", "x=>h", "x=>http://"])
def test_bad_connections(text: str) -> None:
    with pytest.raises(ParamError, match="httpcon expects"):
        Bench([f"http_client:httpcon={text}"])


@pytest.mark.parametrize("text", ["tlsversion=2", "tlsversion=9", "authmethod=8"])
def test_what_is_not_there(text: str) -> None:
    with pytest.raises(ParamError, match="can be"):
        Bench([f"http_client:{text}"])


def test_any_method() -> None:
    with webserver() as server:
        bench = Bench()
        ask = [
            f'KSR.http_client.query_request("PUT", "{server.url}/p", "some", "X-A: 1", "$var(r)")',
            f'KSR.http_client.query_request("GET", "{server.url}/hdr", "", "", "$var(r)")',
            'KSR.pv.get("$var(r)")',
            f'KSR.http_client.query_request("", "{server.url}/p", "", "", "$var(r)")',
            f'KSR.http_client.query_request("A B", "{server.url}/p", "", "", "$var(r)")',
        ]
        assert bench.request(STEP, ask)[0] == [200, 200, "h", -1, -1]
        bench.proxy.modules["http_client"].stop()
        line, headers, body = server.got[0]
        assert (line, body) == ("PUT /p HTTP/1.1", "some") and ["X-A", "1"] in headers
