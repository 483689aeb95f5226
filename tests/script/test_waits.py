"""Which callbacks may wait for somebody outside."""

from __future__ import annotations

import ast

import pytest

from ksrcore.script.waits import callbacks_that_wait

WAITING = {"http_client": ["query"], "ndb_redis": ["redis_cmd", "redis_free"], "cfgutils": ["sleep"]}
REQUEST = "def ksr_request_route(self, msg):\n    self.relay(msg)\n"


def waiting(text: str) -> set[str]:
    tree = ast.parse(text)
    functions = [(node.name, node) for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    rest = [node for node in tree.body if not isinstance(node, (ast.FunctionDef, ast.ClassDef))]
    return set(callbacks_that_wait(functions, rest, WAITING))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (REQUEST + "def relay(self, msg):\n    KSR.tm.t_relay()\n", set()),
        (REQUEST + "def relay(self, msg):\n    KSR.http_client.query(a, b)\n", {"ksr_request_route"}),
        # Armed for later, and in a branch route, which runs at once.
        (
            REQUEST
            + 'def relay(self, msg):\n    KSR.tm.t_on_failure("ksr_failure")\n'
            + 'def ksr_failure(self, msg):\n    KSR.http_client.query("a", "b")\n',
            {"ksr_failure"},
        ),
        (
            REQUEST
            + 'def relay(self, msg):\n    KSR.tm.t_on_branch("ksr_branch")\n'
            + 'def ksr_branch(self, msg):\n    KSR.http_client.query("a", "b")\n',
            {"ksr_request_route", "ksr_branch"},
        ),
        # By a name of their own.
        ("redis = KSR.ndb_redis\n" + REQUEST, {"ksr_request_route"}),
        ("from KSR import ndb_redis\n" + REQUEST, {"ksr_request_route"}),
        # In both, through a helper.
        (
            "def ask():\n    KSR.ndb_redis.redis_cmd(a, b, c)\ndef ksr_request_route(self, msg):\n    ask()\n"
            "def ksr_reply_route(self, msg):\n    return 1\ndef ksr_http_event(self, msg, evname):\n    ask()\n",
            {"ksr_request_route", "ksr_http_event"},
        ),
        # Only functions that wait.
        (REQUEST + "def relay(self, msg):\n    KSR.cfgutils.rand_event()\n    KSR.cfgutils.get_random_val()\n", set()),
        (REQUEST + "def relay(self, msg):\n    KSR.cfgutils.lock(KSR.cfgutils.sleep(1))\n", {"ksr_request_route"}),
        (REQUEST + "def relay(self, msg):\n    u = KSR.cfgutils\n    u.rand_event()\n", {"ksr_request_route"}),
        (REQUEST + "def relay(self, msg):\n    f = KSR.cfgutils.sleep\n    f(1)\n", {"ksr_request_route"}),
        ("wait = KSR.cfgutils.sleep\n" + REQUEST, {"ksr_request_route"}),
        ("chance = KSR.cfgutils.rand_event\n" + REQUEST, set()),
        # By their native names.
        (REQUEST + 'def relay(self, msg):\n    KSR.x.modf("sleep", "1")\n', {"ksr_request_route"}),
        (REQUEST + 'def relay(self, msg):\n    KSR.x.modf(NAME, "1")\n', {"ksr_request_route"}),
        (REQUEST + 'def relay(self, msg):\n    KSR.x.modf("sl_send_reply", "404", "No")\n', set()),
        # By a table.
        (
            'def ksr_request_route(self, msg):\n    getattr(self, TABLE[1])(msg)\n    x = "ask"\n'
            "def ask(self, msg):\n    KSR.ndb_redis.redis_free(a)\n",
            {"ksr_request_route", "ask"},
        ),
    ],
)
def test_callbacks_that_wait(text: str, found: set[str]) -> None:
    assert waiting(text) == found
