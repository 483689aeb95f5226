"""KSR.domain: as Kamailio 5.6.3 answers."""

from __future__ import annotations

from typing import Any

from lab.sequence import Bench

DATABASE: list[Any] = [
    ("domain", {"domain": "d1.com", "did": "d1"}),
    ("domain", {"domain": "D2.com"}),
    ("domain", {"domain": "d3.com", "did": "d3"}),
    ("domain_attrs", {"did": "d1", "name": "color", "type": 2, "value": "red"}),
    ("domain_attrs", {"did": "d1", "name": "num", "type": 0, "value": "5"}),
    ("domain_attrs", {"did": "d1", "name": "bad", "type": 0, "value": "x"}),
    ("domain_attrs", {"did": "d3", "name": "k", "type": 2, "value": "v"}),
]


def test_what_is_local() -> None:
    bench = Bench(database=DATABASE)
    calls = ["KSR.domain.is_from_local()", "KSR.domain.is_uri_host_local()"]
    step = {"from": "<sip:a@d1.com>;tag=1", "ruri": "sip:b@D2.COM"}
    assert bench.request(step, calls)[0] == [1, 1]
    assert bench.request({}, calls)[0] == [-1, -1]
    assert bench.request({"from": "<tel:1>;tag=1", "ruri": "tel:1"}, calls)[0] == [-1, -1]
    names = ("d1.com", "D1.COM", "d2.com", "none", "")
    assert bench.request({}, [f"KSR.domain.is_domain_local('{name}')" for name in names])[0] == [1, 1, 1, -1, -1]


def test_attributes() -> None:
    calls = [
        "KSR.domain.lookup_domain('d1.com')",
        "[KSR.pv.get(f'$avp({n})') for n in ('did', 'color', 'num', 'bad')]",
        "KSR.domain.lookup_domain('none')",
        "KSR.domain.lookup_domain_prefix('d3.com', 'p_')",
        "[KSR.pv.get(f'$avp({n})') for n in ('p_did', 'p_k', 'k')]",
        "KSR.domain.lookup_domain('d2.com')",
        "KSR.pv.get('$avp(did)')",
    ]
    got = Bench(database=DATABASE).request({}, calls)[0]
    assert got == [1, ["d1", "red", 5, None], -1, 1, ["d3", "v", None], 1, "D2.com"]


def test_reload_and_our_own_domains() -> None:
    bench = Bench(["domain:register_myself=1"], DATABASE)
    own = ["KSR.is_myself('sip:d1.com')", "KSR.is_myself('sip:new.com')", "KSR.is_myself('sip:ex.com')"]
    assert bench.request({}, own)[0] == [True, False, True]
    bench.db.execute("DELETE FROM domain WHERE domain = 'd1.com'")
    bench.db.insert("domain", {"domain": "new.com"})
    bench.db.insert("domain", {"domain": "ex.com"})
    assert bench.rpc("domain.reload") == {}
    assert bench.request({}, own)[0] == [False, True, True]
    bench.db.execute("DELETE FROM domain")
    assert bench.rpc("domain.reload") == {}
    assert bench.request({}, own)[0] == [False, False, True]
    assert bench.rpc("domain.dump") == {
        "domains": [],
        "attributes": [{"did": "d1", "attrs": ["color", "num"]}, {"did": "d3", "attrs": ["k"]}],
    }


def test_a_sandbox_reads() -> None:
    bench = Bench(database=DATABASE)
    fork: Any = bench.proxy.modules["domain"].fork(bench.proxy)
    assert fork.is_domain_local(bench.run, "d1.com") == 1
