"""Sandboxes: KSR on a captured message touches nothing that is live."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ksrcore.capture.recorder import Ran, Record
from ksrcore.debug.sandbox import SandboxError, Sandboxes
from ksrcore.kemi.declare import KsrArgumentError
from ksrcore.kemi.facade import KsrNotImplemented, KsrUnknown
from ksrcore.net.address import Dest
from ksrcore.proxy import Proxy

Make = Callable[..., Proxy]


def first(proxy: Proxy) -> Record:
    record = proxy.recorder.get(1)
    assert record is not None
    return record


def test_calls_apply_to_the_message_as_it_came(make: Make) -> None:
    proxy = make()
    boxes = Sandboxes(proxy)
    box = boxes.add(first(proxy))
    assert boxes.call(box, "pv.get", ("$ru",)) == "sip:bob@127.0.0.1"
    assert boxes.call(box, "is_INVITE", ()) is True
    assert boxes.call(box, "pv.get", ("$ci",)) == "c1"


def test_effects_are_collected_and_nothing_leaves(make: Make) -> None:
    proxy = make()
    before = (proxy.recorder.last_id, dict(proxy.counters))
    boxes = Sandboxes(proxy)
    number = boxes.add(first(proxy))
    boxes.call(number, "hdr.append", ("X-A: b\r\n",))
    boxes.call(number, "setdsturi", ("sip:127.0.0.1:5099",))
    assert boxes.call(number, "sl.send_reply", (404, "Not Found")) == 1
    effects = boxes.get(number).effects()
    assert [s["data"].split("\r\n")[0] for s in effects["sent"]] == ["SIP/2.0 404 Not Found"]
    assert effects["sent"][0]["dst"] == "127.0.0.1:5080"
    assert "+X-A: b" in effects["diff"]
    assert effects["state"]["$du"] == "sip:127.0.0.1:5099"
    assert (proxy.recorder.last_id, proxy.counters) == before
    assert proxy.env.hook is None


def test_a_relay_runs_the_branch_route_in_the_sandbox(make: Make) -> None:
    proxy = make()
    routes = proxy.modules.tm.count()
    boxes = Sandboxes(proxy)
    number = boxes.add(first(proxy))
    boxes.call(number, "seturi", ("sip:carol@127.0.0.1:5091",))
    boxes.call(number, "tm.t_on_branch", ("ksr_branch",))
    assert boxes.call(number, "tm.t_relay", ()) == 1
    sent = [s for s in boxes.get(number).effects()["sent"] if s["data"].startswith("INVITE")]
    assert [s["dst"] for s in sent] == ["127.0.0.1:5091"]
    assert "X-Branch: 1" in sent[0]["data"]
    assert proxy.modules.tm.count() == routes


def test_errors_are_those_of_the_script(make: Make) -> None:
    proxy = make()
    boxes = Sandboxes(proxy)
    number = boxes.add(first(proxy))
    with pytest.raises(KsrArgumentError, match="did you mean 404"):
        boxes.call(number, "sl.send_reply", ("404", "x"))
    with pytest.raises(KsrUnknown, match="nearest: KSR.sl.send_reply"):
        boxes.call(number, "sl.sendreply", (404, "x"))
    with pytest.raises(KsrNotImplemented):
        boxes.call(number, "ims_charging.Ro_CCR", ("a", "b", 1))
    with pytest.raises(SandboxError, match="no sandbox 99"):
        boxes.call(99, "is_INVITE", ())
    assert proxy.env.hook is None


def test_any_number_of_arguments(make: Make) -> None:
    boxes = Sandboxes(make())
    number = boxes.add(first(boxes.live))
    assert boxes.call(number, "x.modf", ("is_method", "INVITE")) == 1
    boxes.call(number, "is_INVITE", ("more", "than it takes"))
    calls = boxes.get(number).run.calls
    ran = Ran("", 0, 0, None, False, False, None, "", 0.0, 0, calls)
    assert [(d.name, args) for d, args, _ in ran.iter_calls()] == [
        ("modf", ("is_method", "INVITE")), ("is_INVITE", ()),
    ]  # fmt: skip


def test_text_is_the_scripts(make: Make) -> None:
    proxy = make()
    boxes = Sandboxes(proxy)
    number = boxes.add(first(proxy))
    boxes.call(number, "pv.sets", ("$var(x)", "é"))
    assert boxes.call(number, "pv.get", ("$var(x)",)) == "é"
    assert boxes.call(number, "pv.get", ("$(var(x){s.len})",)) == 2


def test_a_message_that_cannot_be_parsed(make: Make) -> None:
    proxy = make()
    record = proxy.recorder.add(0.0, Dest("udp", "127.0.0.1", 1), "garbage")
    with pytest.raises(SandboxError, match="message .* cannot be parsed"):
        Sandboxes(proxy).add(record)


def test_the_oldest_sandbox_goes_when_there_are_too_many(make: Make) -> None:
    proxy = make()
    boxes = Sandboxes(proxy, limit=2)
    one, two, three = (boxes.add(first(proxy)) for _ in range(3))
    assert list(boxes.open) == [two, three]
    boxes.close(two)
    boxes.close(one)
    assert list(boxes.open) == [three]
