"""What rtpengine tells of a call: counters, MOS, JSON; more in tests/parity/cases/rtpengine (mos, statistics)."""

from __future__ import annotations

from ksrcore.kemi.rtpengine_json import to_json
from ksrcore.kemi.rtpengine_stats import counters
from ksrcore.net.ng import NgValue
from lab.ngpeer import NgPeer
from lab.sequence import Bench


def test_counters() -> None:
    rtp = {"packets": 1, "bytes": 2, "errors": 0}
    assert counters({"totals": {"RTP": rtp, "RTCP": {"bytes": "x"}}}) == (
        "RTP: 2 bytes, 1 packets, 0 errors; RTCP: -1 bytes, -1 packets, -1 errors"
    )
    assert counters({"totals": {"RTP": rtp}}) is None
    assert counters({"totals": 5}) is None


def test_json() -> None:
    value: NgValue = {"a": [1, {"b": 'x"\n\x01'}], "c": {}, "d": []}
    assert to_json(value) == '{"a":[1,{"b":"x\\"\\n\\u0001"}],"c":{},"d":[]}'
    assert to_json(value, pretty=True) == (
        '{\n\t"a":\t[1, {\n\t\t\t"b":\t"x\\"\\n\\u0001"\n\t\t}],\n\t"c":\t{\n\t},\n\t"d":\t[]\n}'
    )


def test_mos() -> None:
    with NgPeer() as peer:
        bench = Bench(
            [
                f"rtpengine:rtpengine_sock={peer.url}",
                "rtpengine:rtpengine_tout_ms=100",
                "rtpengine:mos_min_pv=$avp(min)",
                "rtpengine:mos_min_at_pv=$avp(at)",
                "rtpengine:mos_average_A_pv=$avp(a)",
                "rtpengine:mos_A_label_pv=$var(label)",
            ]
        )
        bench.make({})
        peer.reset(
            {
                "query": [
                    '{"result": "ok", "created": 100, "SSRC": {"1": {"lowest MOS": {"MOS": 31, "reported at": 165}, '
                    '"average MOS": {"MOS": 43}}, "2": {"average MOS": {"MOS": 20}}}, '
                    '"tags": {"x": {"label": "A", "medias": [{"streams": [{"SSRC": 1}]}]}}}'
                ]
            }
        )
        bench.ksr.pv.sets("$var(label)", "A")
        assert bench.ksr.rtpengine.rtpengine_query0() == 1
        assert [bench.ksr.pv.get(f"$avp({name})") for name in ("min", "at", "a")] == ["3.1", "1:05", "4.3"]
        bench.proxy.modules["rtpengine"].stop()
