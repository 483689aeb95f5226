"""Contacts, hash tables, shared variables, subscribers, addresses."""

from __future__ import annotations

import pytest

from ksrshell.testing import UsageError
from shell.testing.routers import Load

LOOKUP = """
def ksr_request_route(self, msg):
    KSR.registrar.lookup("location")
    KSR.tm.t_relay()
    return 1
"""


def test_contacts(load: Load) -> None:
    ksr = load(LOOKUP)
    ksr.location.add("bob", "sip:bob@10.0.0.2", q=0.5)
    ksr.location.add("sip:bob@example.com", "sip:bob@10.0.0.3:5062", q=1, flags=[6], received="sip:10.0.0.99:1024")
    assert [contact.contact for contact in ksr.location["bob"]] == ["sip:bob@10.0.0.3:5062", "sip:bob@10.0.0.2"]
    r = ksr.route(ksr.request("INVITE", "sip:bob@example.com"))
    assert r.relayed_to("sip:bob@10.0.0.3:5062") and r.relayed_to("10.0.0.99:1024")
    assert list(ksr.location) == ["bob"] and len(ksr.location) == 1 and "bob" in ksr.location
    ksr.location.add("eve", "sip:eve@10.0.0.4", expires=10, methods=["MESSAGE"])
    ksr.advance(11)
    assert "eve" not in ksr.location
    ksr.location.remove("bob")
    with pytest.raises(KeyError, match="bob has no contact; registered: nobody"):
        _ = ksr.location["bob"]


def test_contacts_with_domains(load: Load) -> None:
    ksr = load(modparams=["usrloc:use_domain=1"])
    ksr.location.add("bob@example.com", "sip:bob@10.0.0.2")
    assert "bob@example.com" in ksr.location and "bob@example.org" not in ksr.location


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"contact": "<sip:bob@10.0.0.2>"}, "a contact is a URI such as"),
        ({"q": 5}, "q is a number from 0 to 1"),
        ({"flags": [32]}, "a branch flag is a number from 0 to 31"),
        ({"methods": ["CALL"]}, "methods expects names out of INVITE"),
        ({"table": "other"}, r'no location table .other., only location; modparams=\["usrloc:preload=other"\]'),
        ({"aor": ""}, "an AoR such as alice"),
    ],
)
def test_contacts_used_wrongly(load: Load, given: dict[str, object], text: str) -> None:
    ksr = load()
    options: dict[str, object] = {"aor": "bob", "contact": "sip:bob@10.0.0.2", **given}
    with pytest.raises(UsageError, match=text):
        ksr.location.add(**options)  # type: ignore[arg-type]


def test_hash_tables(load: Load) -> None:
    ksr = load(
        """
        def ksr_request_route(self, msg):
            KSR.htable.sht_sets("a", "seen", KSR.pv.gete("$rU"))
            KSR.htable.sht_inc("a", "count")
            return 1
        """,
        modparams=["htable:htable=a=>size=4;autoexpire=100;initval=0;"],
    )
    table = ksr.htable["a"]
    table["count"] = 4
    ksr.route(ksr.request(uri="sip:jürgen@example.com"))
    assert table == {"count": 5, "seen": "jürgen"}
    assert table.expires_in("count") == 100
    del table["seen"]
    ksr.advance(101)
    assert not table and list(ksr.htable) == ["a"]
    with pytest.raises(KeyError, match="'count' is not in table a; it has nothing"):
        _ = table["count"]
    with pytest.raises(UsageError, match=r'only a; modparams=\["htable:htable=b=>size=8;"\] defines it'):
        _ = ksr.htable["b"]
    with pytest.raises(UsageError, match="takes int and str"):
        table["x"] = 1.5  # type: ignore[assignment]


def test_shared_variables(load: Load) -> None:
    ksr = load("def ksr_request_route(self, msg):\n    KSR.pvx.shv_sets('b', KSR.pv.gete('$shv(a)') + '!')")
    ksr.shv["a"] = "ä"
    ksr.route(ksr.request())
    assert dict(ksr.shv) == {"a": "ä", "b": "ä!"} and ksr.shv["c"] == 0
    with pytest.raises(UsageError):
        ksr.shv["a"] = None  # type: ignore[assignment]


def test_addresses(load: Load) -> None:
    ksr = load("def ksr_request_route(self, msg):\n    return KSR.permissions.allow_source_address(1)")
    assert ksr.route(ksr.request()).value == -1
    ksr.address(1, "10.0.0.0/24")
    assert ksr.route(ksr.request()).value == 1
    ksr.address(1, "2001:db8::1")
    ksr.address(2, "10.0.1.1", port=5060, tag="x")
    assert ksr.route(ksr.request(src="10.0.1.1:5060")).value == -1
    with pytest.raises(UsageError, match="mask is 99"):
        ksr.address(1, "10.0.0.0/99")
    with pytest.raises(UsageError, match="an address such as 10.0.0.0/8 was expected"):
        ksr.address(1, "10.0.0.0/x")
    assert ksr.route(ksr.request()).value == 1


def test_subscribers(load: Load) -> None:
    ksr = load()
    ksr.subscriber("alice", "secret", "example.com")
    with pytest.raises(UsageError, match="exists already"):
        ksr.subscriber("alice", "other", "example.com")
