"""The flight recorder's bounds."""

from __future__ import annotations

import pytest

from ksrcore.capture.recorder import Record, Recorder
from ksrcore.net.address import Dest

TEXT = "OPTIONS sip:x SIP/2.0\r\nCall-ID: 1\r\n\r\n"


def add(recorder: Recorder, text: str = TEXT, out: bool = False) -> Record:
    return recorder.add(1.5, Dest("udp", "10.0.0.1", 5060), text, out)


def test_ids_start_at_one_and_lead_to_records() -> None:
    recorder = Recorder()
    first, second = add(recorder), add(recorder)
    assert (first.id, second.id, recorder.last_id, len(recorder)) == (1, 2, 2, 2)
    assert recorder.get(1) is first and recorder.get(3) is None and recorder.get(0) is None
    assert list(recorder) == [first, second]


def test_the_oldest_go_first_and_are_counted() -> None:
    recorder = Recorder(max_count=3)
    for _ in range(5):
        add(recorder)
    assert [record.id for record in recorder] == [3, 4, 5]
    assert recorder.gone == 2
    assert recorder.get(2) is None
    found = recorder.get(4)
    assert found is not None and found.id == 4


def test_bytes_are_bounded_too() -> None:
    recorder = Recorder(max_bytes=50_000)
    for _ in range(30):
        add(recorder, TEXT + "x" * 8000)
    assert recorder.bytes <= 50_000
    assert len(recorder) == 5
    assert recorder.bytes == sum(record.size for record in recorder)


def test_one_message_larger_than_the_bound_is_still_kept() -> None:
    recorder = Recorder(max_bytes=100)
    add(recorder)
    add(recorder, TEXT + "x" * 1000)
    assert [record.id for record in recorder] == [2]


def test_a_message_is_parsed_when_asked_for() -> None:
    recorder = Recorder()
    record, bad = add(recorder), add(recorder, "garbage")
    assert record.msg is not None and record.msg.callid == "1"
    assert bad.msg is None


def test_a_bound_below_one_message_is_refused() -> None:
    with pytest.raises(ValueError, match="room for at least one"):
        Recorder(max_count=0)
