"""The link: lines both ways, and a node that does not read."""

import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ksrcore.kamailio.ksragent import link as links
from ksrcore.kamailio.ksragent.link import Link, LinkLost


@pytest.fixture
def ends() -> Iterator[tuple[Link, socket.socket]]:
    mine, node = socket.socketpair()
    link = Link(mine)
    yield link, node
    link.close()
    node.close()


def test_orders_come_in_order_also_in_pieces(ends: tuple[Link, socket.socket]) -> None:
    link, node = ends
    assert link.poll() == []
    node.sendall(b'{"id":1}\n{"id":2}\n{"i')
    assert link.poll() == [{"id": 1}, {"id": 2}]
    node.sendall(b'd":3}\nnot json\n[1]\n')
    assert link.poll() == [{"id": 3}]


def test_waiting_for_an_order(ends: tuple[Link, socket.socket]) -> None:
    link, node = ends
    assert link.wait(time.monotonic() + 0.01) is None
    node.sendall(b'{"id":1}\n{"id":2}\n')
    assert link.wait(time.monotonic() + 5) == {"id": 1}
    assert link.wait(time.monotonic()) == {"id": 2}


def test_the_end_comes_after_the_last_order(ends: tuple[Link, socket.socket]) -> None:
    link, node = ends
    node.sendall(b'{"id":1}\n')
    node.close()
    assert link.wait(time.monotonic() + 5) == {"id": 1}
    with pytest.raises(LinkLost):
        link.wait(time.monotonic() + 5)
    with pytest.raises(LinkLost):
        link.send({"event": "x"})


def test_a_node_that_does_not_read_loses_records_and_answers_wait(
    ends: tuple[Link, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    link, node = ends
    monkeypatch.setattr(links, "MAX_WAITING", 100_000)
    record = {"event": "ran", "data": "x" * 10_000}
    sent = [link.send(record, may_lose=True) for _ in range(200)]
    assert not all(sent) and link.lost == sent.count(False)
    assert link.send({"re": 1, "result": {}})
    node.settimeout(5)
    data = b""
    while b'"re"' not in data.rpartition(b"\n")[0].rpartition(b"\n")[2]:
        link.poll()
        data += node.recv(1 << 20)
    lines = [json.loads(line) for line in data.splitlines()]
    assert len(lines) == sent.count(True) + 1


def test_a_node_that_never_reads_is_none(ends: tuple[Link, socket.socket], monkeypatch: pytest.MonkeyPatch) -> None:
    link, _ = ends
    monkeypatch.setattr(links, "MAX_ANSWERS", 500_000)
    with pytest.raises(LinkLost):
        for _ in range(200):
            link.send({"re": 1, "result": "x" * 10_000})
    assert link.closed


def test_an_order_that_is_longer_than_the_socket_takes_is_waited_for() -> None:
    """The node writes on while the worker reads; when it stops in the middle, the worker goes on."""
    node, worker = socket.socketpair()
    link = Link(worker)
    order = json.dumps({"id": 1, "do": "swap", "want": "x" * 3_000_000}).encode() + b"\n"
    writer = threading.Thread(target=node.sendall, args=(order,))
    writer.start()
    while not (got := link.poll()):
        pass  # it has not begun
    writer.join()
    assert [len(each["want"]) for each in got] == [3_000_000]
    node.sendall(order[:100])
    began = time.monotonic()
    assert link.poll() == [] and time.monotonic() - began < 1
    node.sendall(order[100:200])
    node.close()
    with pytest.raises(LinkLost):
        link.poll()
    link.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs another user")
def test_orders_are_taken_from_the_own_user_only(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(tmp_path / "link.sock"))
    os.seteuid(65534)
    try:
        listener.listen(1)
    finally:
        os.seteuid(0)
    with pytest.raises(PermissionError, match="user 65534 listens there"):
        links.connect(str(tmp_path))
    listener.close()
