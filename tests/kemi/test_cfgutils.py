"""KSR.cfgutils: as recorded from Kamailio 5.6.3; locks and pauses beside other messages."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from ksrcore.kemi import cfgutils
from ksrcore.kemi.cfgutils import Cfgutils
from ksrcore.kemi.declare import KsrError, ParamError
from lab.sequence import Bench, check, load


@pytest.mark.parametrize("scenario", load("cfgutils"), ids=lambda scenario: str(scenario["name"]))
def test_as_in_kamailio(scenario: dict[str, Any]) -> None:
    check(scenario)


def calls(bench: Bench, *expressions: str) -> list[Any]:
    return bench.request({}, list(expressions))[0]


def test_chance() -> None:
    bench = Bench(["cfgutils:initial_probability=30"])
    bench.proxy.random.seed(2)
    events = calls(bench, *["KSR.cfgutils.rand_event()"] * 1000)
    assert 250 < events.count(1) < 350 and set(events) == {1, -1}


def test_the_hash_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "script.py"
    path.write_text("hello\nworld\n")
    bench = Bench([f"cfgutils:hash_file={path}"])
    assert bench.rpc("cfgutils.get_config_hash") == "0f723ae7f9bf07744445e93ac5595156"
    assert bench.rpc("cfgutils.check_config_hash") == "Identical hash"
    path.write_text("x")
    assert bench.rpc("cfgutils.check_config_hash") == "Different hash"
    path.unlink()
    assert bench.rpc("cfgutils.check_config_hash") == "error 500: Failed to hash the file"
    with pytest.raises(ParamError, match="No such file"):
        Bench([f"cfgutils:hash_file={path}"])


def test_two_texts_are_one_key() -> None:
    bench = Bench(["cfgutils:lock_set_size=4"])
    got = calls(
        bench,
        "KSR.cfgutils.lock_key2('a', 'b')",
        "KSR.cfgutils.trylock('ab')",
        "KSR.cfgutils.trylock_key2('', 'ab')",
        "KSR.cfgutils.unlock_key2('ab', '')",
        "KSR.cfgutils.trylock_key2('a', 'b')",
    )
    assert got == [1, -1, -1, 1, 1]


def test_a_lock_that_nobody_can_open_is_refused() -> None:
    bench = Bench(["cfgutils:lock_set_size=1"])
    assert calls(bench, "KSR.cfgutils.lock('a')", "KSR.cfgutils.lock('a')") == [1, -1]


def test_a_message_waits_for_the_lock_of_another(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(["cfgutils:lock_set_size=1"])
    module = bench.proxy.modules["cfgutils"]
    assert isinstance(module, Cfgutils) and set(module.waits()) == {"sleep", "usleep", "lock", "lock_key2"}
    assert calls(bench, "KSR.cfgutils.lock('a')") == [1]
    monkeypatch.setattr(type(bench.proxy.tasks), "current", object(), raising=False)
    monkeypatch.setattr(bench.proxy.tasks, "current", object(), raising=False)
    waited: list[bool] = []

    def wait(fn: Any) -> Any:
        waited.append(True)
        opener = threading.Timer(0.02, module.locks.release, (module.locks.slot("a"),))  # type: ignore[union-attr]
        opener.start()
        fn()
        opener.join()

    monkeypatch.setattr(bench.proxy, "wait", wait)
    assert module.lock(bench.run, "a") == 1
    assert waited == [True]


def test_a_lock_is_waited_for_so_long(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(["cfgutils:lock_set_size=1"])
    module = bench.proxy.modules["cfgutils"]
    assert isinstance(module, Cfgutils)
    assert calls(bench, "KSR.cfgutils.lock('a')") == [1]
    monkeypatch.setattr(bench.proxy.tasks, "current", object(), raising=False)
    monkeypatch.setattr(bench.proxy, "wait", lambda fn: fn())
    monkeypatch.setattr(cfgutils, "LOCK_WAIT", 0.02)
    assert module.lock(bench.run, "a") == -1


def test_a_pause_is_outside_of_the_core(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench()
    waited: list[Any] = []
    monkeypatch.setattr(bench.proxy, "wait", waited.append)
    assert calls(bench, "KSR.cfgutils.usleep(5)", "KSR.cfgutils.sleep(1)", "KSR.cfgutils.usleep(0)") == [1, 1, 1]
    assert len(waited) == 2


def test_a_sandbox_neither_waits_nor_ends_the_server() -> None:
    bench = Bench(["cfgutils:lock_set_size=1"])
    calls(bench, "KSR.cfgutils.lock('a')")
    bench.proxy.sandbox = True
    fork: Any = bench.proxy.modules["cfgutils"].fork(bench.proxy)
    assert fork.lock(bench.run, "a") == -1
    assert fork.unlock(bench.run, "a") == 1 and fork.lock(bench.run, "a") == 1
    assert fork.sleep(bench.run, 100) == 1
    with pytest.raises(KsrError, match="does not end the server"):
        fork.abort(bench.run)
    bench.proxy.sandbox = False
    assert calls(bench, "KSR.cfgutils.trylock('a')") == [-1]


def test_how_many_locks_there_may_be() -> None:
    with pytest.raises(ParamError, match="lock_set_size expects 0 to 16, got 17"):
        Bench(["cfgutils:lock_set_size=17"])
