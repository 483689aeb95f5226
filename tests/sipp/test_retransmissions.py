"""Who repeats what when somebody is late: counted by SIPp, on the unmodified stock script."""

import pytest

from lab.calls import Caller
from lab.sipp import SippResult


def late_call(caller: Caller, uac: str, uas: str, transport: str) -> tuple[SippResult, SippResult]:
    """One successful call; the results of the caller's and the callee's side."""
    with caller.callee(uas, transport) as callee:
        caller.register(callee.contact, transport)
        results = (caller.sipp(uac, transport).run(), callee.wait())
    for result in results:
        assert (result.ok, result.failed, result.unexpected) == (1, 0, 0), str(result)
    return results


# SIPp's 0.7 s hold one T1 of 0.5 s: one repetition over UDP, none where the transport is reliable.
@pytest.mark.parametrize(("transport", "repeated"), [("udp", 1), ("tcp", 0)])
class TestLate:
    def test_callee(self, caller: Caller, transport: str, repeated: int) -> None:
        uac, uas = late_call(caller, "uac", "uas_late", transport)
        # The proxy's 100 kept the caller quiet, and the proxy repeated the INVITE.
        assert (uac.retransmissions, uac.repeated) == (0, 0)
        assert (uas.retransmissions, uas.repeated) == (0, repeated)

    def test_ack_to_200(self, caller: Caller, transport: str, repeated: int) -> None:
        uac, uas = late_call(caller, "uac_late_ack", "uas", transport)
        # 200s are repeated end to end.
        assert (uac.retransmissions, uac.repeated) == (0, repeated)
        assert (uas.retransmissions, uas.repeated) == (repeated, 0)

    def test_ack_to_486(self, caller: Caller, transport: str, repeated: int) -> None:
        uac, uas = late_call(caller, "uac_busy_late_ack", "uas_busy", transport)
        # A negative reply is the proxy's to repeat; the callee had its ACK at once.
        assert (uac.retransmissions, uac.repeated) == (0, repeated)
        assert (uas.retransmissions, uas.repeated) == (0, 0)
