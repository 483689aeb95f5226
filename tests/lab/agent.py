"""A real Kamailio with ksrshell's agent in it, and a folder of its own for what the agent makes."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lab.kamailio import KamailioServer
from lab.needs import STOCK_SCRIPT
from lab.server import Modparam

#: What modparam("app_python3", "load", ...) names: app_python3 imports the package of that name in that folder.
AGENT = Path(__file__).parents[2] / "core" / "ksrcore" / "kamailio" / "ksragent.py"

#: No RTP proxy runs in the lab. Each worker waits a second for it once, and not again after a minute.
PATIENT: tuple[Modparam, ...] = (("rtpproxy", "rtpproxy_disable_tout", 3600),)


@contextmanager
def places(folder: Path) -> Iterator[Path]:
    """``KSRSHELL_DIR`` is a new folder in ``folder``, for servers and for whoever looks for them."""
    base = folder / "agents"
    base.mkdir(mode=0o700, exist_ok=True)
    before = os.environ.get("KSRSHELL_DIR")
    os.environ["KSRSHELL_DIR"] = str(base)
    try:
        yield base
    finally:
        if before is None:
            del os.environ["KSRSHELL_DIR"]
        else:
            os.environ["KSRSHELL_DIR"] = before


def with_agent(
    folder: Path, database: Path, script: Path = STOCK_SCRIPT, *, name: str, **options: Any
) -> KamailioServer:
    """A Kamailio that loads the agent in the script's place; it is attached to by ``name``.

    ``wrapper``: a script to load instead, which finds the script's path in ``KSR_LAB_SCRIPT``.
    """
    modparams: tuple[Modparam, ...] = options.pop("modparams", ())
    loaded = str(options.pop("wrapper", script))
    environment = {"KSRAGENT_SCRIPT": loaded, "KSRSHELL_NAME": name, **options.pop("environment", {})}
    return KamailioServer(
        folder, database, script, wrapper=AGENT, environment=environment, modparams=(*PATIENT, *modparams), **options
    )
