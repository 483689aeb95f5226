"""A script without a fault, to put one into."""

from __future__ import annotations

from textwrap import dedent, indent

HEAD = """\
import KSR

def mod_init():
    return Router()

class Router:
    def child_init(self, rank):
        return 0

    def ksr_reply_route(self, msg):
        return 1

    def ksr_onsend_route(self, msg):
        return 1

    def ksr_request_route(self, msg):
        {}
        return 1
"""


def script(code: str, more: str = "") -> str:
    """A script without a fault around these lines of ksr_request_route; ``more``: methods after it."""
    body = indent(dedent(code).strip(), " " * 8).lstrip()
    return HEAD.format(body) + (("\n" + indent(dedent(more), " " * 4)) if more else "")
