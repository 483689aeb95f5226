"""A swap asks the check: errors refuse it, warnings are told."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ksrcore.assemble import load_script, make_proxy
from ksrcore.net.address import Listen
from ksrcore.script.engine import Script, ScriptError
from script.faultless import script

Load = Callable[[str], Script]


@pytest.fixture
def load(tmp_path: Path) -> Iterator[Load]:
    before = dict(sys.modules)

    def make(source: str) -> Script:
        path = tmp_path / "checked.py"
        path.write_text(source)
        proxy, ksr = make_proxy(transmit=lambda data, dest: True, listens=[Listen("udp", "127.0.0.1", 5060)])
        return load_script(str(path), proxy, ksr)

    yield make
    for name in set(sys.modules) - set(before):
        if name in ("KSR", "checked"):
            del sys.modules[name]


MORE = "def relay(self, msg):\n    self.count = LIMIT\n    return 1\n"


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("def relay(self, msg):\n    KSR.tm.t_rely()\n", "line 2: KSR.tm.t_rely: no Kamailio exports this name"),
        ("def relay(self, msg):\n    K.inf('x')\n", "line 2: KSR.inf: no Kamailio exports this name"),
        ("def relay(self, msg):\n    KSR.sl.send_reply(404)\n", "line 2: KSR.sl.send_reply(code: int, reason: str)"),
        ("def relay(self, msg):\n    KSR.setflag('5')\n", "flag is an int, got a str; did you mean 5?"),
        ("def relay(self, msg):\n    KSR.pv.get('$foo')\n", "line 2: KSR.pv.get: no Kamailio has $foo"),
        (
            "def relay(self, msg):\n    return self.relai(msg)\n",
            "line 2: the script has no relai(); did you mean self.rel",
        ),
        ("def relay(self, msg):\n    return LIMITS\n", "line 2: LIMITS is not defined"),
        ("def relay(self):\n    return 1\n", "line 1: relay is called with (self, msg), the new one takes (self)"),
        ("def relay(self, msg):\n    KSR.tm.t_on_branch('x')\n", "line 2: KSR.tm.t_on_branch arms the callback 'x'"),
        ("def relay(self, msg):\n    return msg.inf + KSR.inf + KSR.nope\n", "(and 1 more)"),
    ],
)
def test_errors_refuse(load: Load, source: str, text: str) -> None:
    loaded = load("LIMIT = 5\nimport KSR as K\n" + script("self.relay(msg)", MORE))
    with pytest.raises(ScriptError) as caught:
        loaded.swap(source)
    assert text in str(caught.value)
    assert loaded.generation == 0


def test_what_a_piece_may_use(load: Load) -> None:
    loaded = load("LIMIT = 5\nimport KSR as K\n" + script("self.relay(msg)", MORE))
    good = (
        "def relay(self, msg):\n"
        "    KSR.info('x')\n"
        "    K.info(str(LIMIT) + str(self.count) + self.more())\n"
        "    KSR.tm.t_on_branch('ksr_branch')\n"
        "    return self.child_init(1)\n"
        "\n"
        "def more(self):\n"
        "    return 'x'\n"
        "\n"
        "def ksr_branch(self, msg):\n"
        "    return 1\n"
    )
    assert loaded.check(good) == []
    loaded.swap(good)
    assert loaded.generation == 1


def test_warnings_are_told(load: Load) -> None:
    loaded = load("LIMIT = 5\n" + script("self.relay(msg)", MORE))
    (finding,) = loaded.check("def ksr_reply_route(self, msg):\n    KSR.info('reply')\n")
    assert (finding.line, finding.severity, finding.code) == (1, "warning", "callback-return")
    (finding,) = loaded.check("def relay(self, msg):\n    if KSR.tm.t_relay():\n        return 1\n    return 2\n")
    assert (finding.line, finding.severity, finding.code) == (2, "warning", "truth-value")
