"""Scripts for the tests of the fixture ``ksr``."""

from __future__ import annotations

import textwrap
from collections.abc import Callable

from ksrshell.testing import Ksr

#: Relays everything.
RELAY = """
def ksr_request_route(self, msg):
    if KSR.tm.t_relay() < 0:
        KSR.sl.sl_reply_error()
    return 1
"""

#: Replies 404 to everything.
REFUSE = """
def ksr_request_route(self, msg):
    KSR.sl.send_reply(404, "Not here")
    return 1
"""

#: The fixture ``load``: loads a script given as the methods of its class, with code before it and options.
Load = Callable[..., Ksr]


def script(methods: str, head: str = "") -> str:
    """The text of a script with these methods."""
    body = textwrap.indent(textwrap.dedent(methods).strip("\n"), "    ")
    return f"import KSR\n{textwrap.dedent(head)}\n\nclass Script:\n{body}\n\n\ndef mod_init():\n    return Script()\n"
