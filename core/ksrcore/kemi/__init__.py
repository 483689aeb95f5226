"""KSR: Kamailio's modules, one file each, and the object scripts import."""

from __future__ import annotations

from .auth import Auth
from .auth_db import AuthDb
from .core import Core
from .declare import Module
from .hdr import Hdr
from .known import known
from .maxfwd import Maxfwd
from .rr import Rr
from .sanity import Sanity
from .x import X

#: Every module there is, in the order they are started.
MODULES: list[type[Module]] = [
    Core,
    X,
    Hdr,
    Maxfwd,
    Sanity,
    Rr,
    Auth,
    AuthDb,
]

__all__ = ["MODULES", "known"]
