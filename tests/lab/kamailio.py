"""A real Kamailio on a configuration derived from Debian's stock KEMI example."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Literal

from lab.database import DOMAIN
from lab.needs import STOCK_CONFIG, STOCK_NATIVE, STOCK_SCRIPT, need, need_file
from lab.server import Modparam, Server

WRAPPER = Path(__file__).parent / "scripts" / "stock.py"

# No RTP proxy runs in the lab: one short try to reach it at start, not five long ones.
QUICK_START: tuple[Modparam, ...] = (("rtpproxy", "rtpproxy_tout", 1), ("rtpproxy", "rtpproxy_retr", 1))


#: What runs KEMI scripts in Python, and kamailio.cfg calls the engine "python" for both.
APP_PYTHON3, APP_PYTHON3S = "app_python3", "app_python3s"


def python_modules() -> list[str]:
    """Which of them the Kamailio of this machine has; app_python3, which is needed, also where it is missing."""
    kamailio = shutil.which("kamailio") or shutil.which("kamailio", path="/usr/sbin:/sbin")
    if kamailio is None:
        return [APP_PYTHON3]
    told = subprocess.run([kamailio, "-I"], capture_output=True, text=True, check=False).stdout
    folders = re.findall(r"Default paths to modules: (\S+)", told)
    has_static = any((Path(folder) / f"{APP_PYTHON3S}.so").exists() for found in folders for folder in found.split(":"))
    return [APP_PYTHON3, APP_PYTHON3S] if has_static else [APP_PYTHON3]


class KamailioServer(Server):
    """Kamailio with app_python3 (or, ``native=True``, with the native routes of the same example).

    app_python3 5.6 insists on callbacks that the stock script lacks: the script runs inside scripts/stock.py, which
    adds them. ``wrapper``: another script to load instead, which finds the script's path in ``KSR_LAB_SCRIPT``.
    ``allocator``: for private and shared memory. ``shared`` and ``private``: their sizes in MiB. ``workers``: UDP
    workers. ``log_level``: at the stock 2 it writes a line about the duration of every request. ``module``: runs the
    script.
    """

    kind = "kamailio"

    def __init__(
        self,
        directory: Path,
        database: Path,
        script: Path = STOCK_SCRIPT,
        *,
        modparams: tuple[Modparam, ...] = (),
        environment: dict[str, str] | None = None,
        domain: str = DOMAIN,
        port: int | None = None,
        wrapper: Path = WRAPPER,
        native: bool = False,
        allocator: Literal["qm", "fm", "tlsf"] = "qm",
        workers: int = 1,
        shared: int = 64,
        private: int = 8,
        log_level: int = 2,
        module: str = APP_PYTHON3,
    ) -> None:
        super().__init__(
            directory,
            database,
            script,
            modparams=modparams,
            environment=environment,
            domain=domain,
            port=port,
        )
        self.wrapper = wrapper
        self.native = native
        self.allocator = allocator
        self.workers = workers
        self.shared = shared
        self.private = private
        self.log_level = log_level
        self.module = module

    def command(self) -> list[str]:
        kamailio = need("kamailio", package="kamailio kamailio-python3-modules kamailio-sqlite-modules")
        config = self.directory / "kamailio.cfg"
        config.write_text(self.config())
        command = [kamailio, "-DD", "-E", "-f", str(config), "-Y", str(self.directory)]
        command += ["-m", str(self.shared), "-M", str(self.private), "-x", self.allocator, "-X", self.allocator]
        return command if self.native else [*command, "-A", "WITH_CFGPYTHON3"]

    def config(self) -> str:
        """The stock configuration with SQLite, our ports, paths and parameters."""
        text = need_file(STOCK_CONFIG, "kamailio").read_text()
        own: tuple[Modparam, ...] = (
            ("ctl", "binrpc", f"unix:{self.directory}/ctl"),
            ("jsonrpcs", "fifo_name", f"{self.directory}/rpc.fifo"),
            ("jsonrpcs", "dgram_socket", f"{self.directory}/rpc.sock"),
        )
        lines = [_modparam(*param) for param in (*own, *QUICK_START, *self.modparams)]
        listen = f'listen=udp:{self.address}\nlisten=tcp:{self.address}\nalias="{self.domain}"\nauto_aliases=no'
        for old, new in (
            ("#!KAMAILIO\n", f'#!KAMAILIO\n#!define DBURL "sqlite:///{self.database}"\n'),
            ("#!define WITH_ACCDB\n", ""),
            ('"db_mysql.so"', '"db_sqlite.so"'),
            ("\nport=5060\n", f"\n{listen}\n"),
            ("\ndebug=2\n", f"\ndebug={self.log_level}\n"),
            ('"app_python3.so"', f'"{self.module}.so"'),
            ('"app_python3"', f'"{self.module}"'),
            ("\nchildren=2\n", f"\nchildren={self.workers}\ntcp_children=1\n"),
            ("/usr/local/etc/kamailio/kamailio-basic-kemi-python.py", str(self.wrapper)),
            ("/usr/local/etc/kamailio/kamailio-basic-kemi-native.cfg", str(STOCK_NATIVE)),
            ("\n#!ifdef WITH_CFGPYTHON\nmodparam(", "\n" + "\n".join(lines) + "\n\n#!ifdef WITH_CFGPYTHON\nmodparam("),
        ):
            if old not in text:
                raise self.failure(f"cannot be configured: {STOCK_CONFIG} no longer contains {old!r}")
            text = text.replace(old, new)
        # A developer's machine may have a local configuration beside the compiled-in default: never read it.
        return re.sub(r'^import_file "kamailio-local.cfg"$', "", text, flags=re.MULTILINE)


def _modparam(module: str, name: str, value: int | str) -> str:
    return f'modparam("{module}", "{name}", {value if isinstance(value, int) else chr(34) + value + chr(34)})'
