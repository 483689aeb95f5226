"""KSR.permissions: sequences as recorded from Kamailio 5.6.3."""

from __future__ import annotations

from typing import Any

import pytest

from lab.sequence import Bench, check, load

DIFFERS: dict[str, str] = {}


@pytest.mark.parametrize("scenario", load("permissions"), ids=lambda scenario: str(scenario["name"]))
def test_as_in_kamailio(scenario: dict[str, Any]) -> None:
    check(scenario, DIFFERS)


def test_reloads_have_a_rate() -> None:
    bench = Bench(["permissions:db_mode=1"])
    bench.db.insert("address", {"grp": 1, "ip_addr": "127.0.0.1", "mask": 32, "port": 0, "tag": "lo"})
    source = "KSR.permissions.allow_source_address(1)"
    assert bench.request({}, [source])[0] == [-1]
    assert bench.rpc("permissions.addressReload") == "Reload OK"
    assert bench.request({}, [source])[0] == [1]
    assert bench.rpc("permissions.trustedReload") == "error 500: ongoing reload"
    bench.proxy.now += 5
    assert bench.rpc("permissions.trustedReload") == "Reload OK"
    dump = bench.rpc("permissions.addressDump")
    assert dump == [{"table": dump[0]["table"], "group": 1, "item": {"ip": "127.0.0.1", "port": 0, "tag": "lo"}}]


def test_a_row_that_cannot_be_used_leaves_the_list_as_it_is() -> None:
    bench = Bench(["permissions:reload_delta=0"])
    bench.db.insert("address", {"grp": 1, "ip_addr": "127.0.0.1", "mask": 99, "port": 0, "tag": "lo"})
    assert bench.rpc("permissions.addressReload").startswith(
        "error 500: Reload failed. table address, row 1: mask is 99"
    )


def test_too_many_subnets() -> None:
    bench = Bench(["permissions:reload_delta=0", "permissions:max_subnets=1"])
    for n in range(2):
        bench.db.insert("address", {"grp": 1, "ip_addr": f"10.{n}.0.0", "mask": 16, "port": 0, "tag": ""})
    assert "2 subnets, more than 1" in bench.rpc("permissions.addressReload")
    assert bench.rpc("permissions.subnetDump") == []
