"""KSR.statistics: as Kamailio 5.6.3 answers."""

from __future__ import annotations

import pytest

from ksrcore.kemi.declare import ParamError
from lab.sequence import Bench


def test_counters() -> None:
    bench = Bench(["statistics:variable=a", "statistics:variable=b/no_reset"])
    bench.proxy.count("core:rcv_requests")
    calls = [
        "KSR.statistics.update_stat('a', 5)",
        "KSR.statistics.update_stat('a', -2)",
        "KSR.pv.get('$stat(a)')",
        "KSR.statistics.update_stat('b', 3)",
        "KSR.statistics.reset_stat('a')",
        "KSR.statistics.reset_stat('b')",
        "KSR.pv.get('$stat(a)')",
        "KSR.pv.get('$stat(b)')",
        "KSR.statistics.update_stat('zz', 1)",
        "KSR.statistics.reset_stat('zz')",
        "KSR.statistics.update_stat('rcv_requests', 2)",
        "KSR.pv.get('$stat(rcv_requests)')",
    ]
    assert bench.request({}, calls)[0] == [1, 1, 3, 1, 1, 1, 0, 3, -1, -1, 1, 3]
    assert bench.proxy.counters["script:b"] == 3


@pytest.mark.parametrize("text", ["", "a/reset", "/no_reset"])
def test_counters_that_cannot_be(text: str) -> None:
    with pytest.raises(ParamError, match="NAME/no_reset"):
        Bench([f"statistics:variable={text}"])
