"""ksrcore.kemi.xlog"""

import logging

import pytest

from ksrcore.assemble import make_proxy
from ksrcore.net.address import Listen


def test_levels_and_formats(caplog: pytest.LogCaptureFixture) -> None:
    proxy, KSR = make_proxy(transmit=lambda data, dest: True, listens=[Listen("udp", "127.0.0.1", 25371)])
    with caplog.at_level(logging.DEBUG, "ksrcore.script"):
        for name in ("xdbg", "xinfo", "xnotice", "xwarn", "xerr", "xcrit", "xalert"):
            assert getattr(KSR.xlog, name)(f"{name} $rm\n") == 1
        assert KSR.xlog.xlog("L_INFO", "a $$ $avp(none) é") == 1
        assert KSR.xlog.xlog("info", "any other level is an error") == 1
        assert KSR.xlog.xinfo("$nosuch") == -1
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("DEBUG", "<script>: xdbg OPTIONS"),
        ("INFO", "<script>: xinfo OPTIONS"),
        ("NOTICE", "<script>: xnotice OPTIONS"),
        ("WARNING", "<script>: xwarn OPTIONS"),
        ("ERROR", "<script>: xerr OPTIONS"),
        ("CRITICAL", "<script>: xcrit OPTIONS"),
        ("CRITICAL", "<script>: xalert OPTIONS"),
        ("INFO", "<script>: a $ <null> é"),
        ("ERROR", "<script>: any other level is an error"),
        ("ERROR", "KSR.xlog: $nosuch: in a format: $nosuch: unknown pseudo-variable $nosuch at offset 0"),
    ]
