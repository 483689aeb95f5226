"""Several proxies in one session: the same call on all of them, results by node; swaps that try one node first."""

from __future__ import annotations

from .bynode import ByNode
from .fleet import Fleet, connect_all

__all__ = ["ByNode", "Fleet", "connect_all"]
