"""A whole proxy put together: parameters, scripts, what is refused."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ksrcore.assemble import load_script, make_proxy, set_modparam
from ksrcore.kemi import MODULES
from ksrcore.kemi.declare import ParamError
from ksrcore.net.address import Listen
from ksrcore.proxy import Proxy
from ksrcore.script.engine import ScriptError
from ksrcore.store.database import Database


@pytest.fixture
def db() -> Iterator[Database]:
    with Database.open(":memory:") as db:
        yield db


def make(db: Database, *modparams: str) -> Proxy:
    proxy, _ = make_proxy(
        transmit=lambda data, dest: True, listens=[Listen("udp", "127.0.0.1", 5060)], modparams=modparams, db=db
    )
    return proxy


def test_every_module_is_there_once(db: Database) -> None:
    names = [module.name for module in MODULES]
    assert len(names) == len(set(names))
    assert list(make(db).modules) == names


def test_parameters_reach_their_modules(db: Database) -> None:
    proxy = make(db, "tm:fr_timer=1500", "nathelper|registrar:received_avp=$avp(x)")
    assert proxy.module("tm").fr_timer == 1500
    assert proxy.module("nathelper").received_avp == proxy.module("registrar").received_avp == "$avp(x)"


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("fr_timer=1", "modparam expects MODULE:NAME=VALUE, such as tm:fr_timer=30000, got 'fr_timer=1'"),
        ("tm:fr_timer", "modparam expects MODULE:NAME=VALUE"),
        ("tm:=1", "modparam expects MODULE:NAME=VALUE"),
        ("nope:x=1", "no module 'nope'; known: acc, "),
        ("tm:nope=1", "module tm has no parameter 'nope'; it has: "),
        ("tm:fr_timer=x", "modparam tm:fr_timer expects an integer, got 'x'"),
    ],
)
def test_parameters_that_are_refused(db: Database, text: str, error: str) -> None:
    with pytest.raises(ParamError) as caught:
        set_modparam(make(db), text)
    assert str(caught.value).startswith(error)


def test_a_script_of_an_unknown_ending(db: Database) -> None:
    proxy, ksr = make_proxy(transmit=lambda data, dest: True, listens=[], db=db)
    with pytest.raises(ScriptError, match=r"scripts end in \.py \(Python\), got '\.cfg'"):
        load_script("kamailio.cfg", proxy, ksr)


def test_a_script_sees_ksr(db: Database, tmp_path: Path) -> None:
    path = tmp_path / "assembled.py"
    path.write_text("import KSR\ndef ksr_request_route(msg):\n    return 1\nassert KSR.is_method_in('O')\n")
    proxy, ksr = make_proxy(transmit=lambda data, dest: True, listens=[Listen("udp", "127.0.0.1", 5060)], db=db)
    try:
        script = load_script(str(path), proxy, ksr)
        assert proxy.script is script and script.has("ksr_request_route")
    finally:
        sys.modules.pop("assembled", None)
        sys.modules.pop("KSR", None)
