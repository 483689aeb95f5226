"""The terminal of ksrshell: command line, client, shell.

Programs use :func:`connect`, which gives them what the prompt has::

    with ksrshell.connect("demo") as proxy:
        print(proxy.msgs[-1].method)
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .fleet import Fleet
    from .session import Session

__all__ = ["connect", "connect_all"]


def connect(name_or_path: str | Path | None = None, *, timeout: float = 10.0) -> Session:
    """A session with a running proxy: by name, by its control socket's path, or the only one that runs.

    ``timeout`` is in seconds, for each call. Raises :class:`ksrshell.errors.AttachError` when there is none to choose.
    """
    from .session import connect

    return connect(name_or_path, timeout=timeout)


def connect_all(names: Iterable[str | Path], *, timeout: float = 10.0) -> Fleet:
    """Several running proxies as one: names, control sockets' paths, or ``@FILE`` with one of these on each line.

    Raises :class:`ksrshell.errors.AttachError` for the first that is not there.
    """
    from .fleet import connect_all

    return connect_all(names, timeout=timeout)
