"""Which servers the scenario tests run against: the embedded proxy, or the real Kamailio that proves the tests.

``KSR_LAB``: ``embedded`` (default), ``kamailio`` or ``both``.
"""

import os

from lab.embedded import EmbeddedServer
from lab.kamailio import KamailioServer

ServerType = type[EmbeddedServer] | type[KamailioServer]

KINDS: dict[str, tuple[ServerType, ...]] = {
    "embedded": (EmbeddedServer,),
    "kamailio": (KamailioServer,),
    "both": (EmbeddedServer, KamailioServer),
}


def chosen() -> tuple[ServerType, ...]:
    """The server classes that ``KSR_LAB`` asks for."""
    name = os.environ.get("KSR_LAB", "embedded")
    if name not in KINDS:
        raise ValueError(f"KSR_LAB={name!r}: expected one of {', '.join(KINDS)}")
    return KINDS[name]
