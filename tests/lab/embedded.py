"""The embedded proxy, ``ksrshell serve``, with the passive part of the stock configuration."""

import sys
import time
from pathlib import Path

from lab.database import DOMAIN
from lab.needs import STOCK_SCRIPT
from lab.server import Modparam, Server

# What kamailio-basic-kemi.cfg sets, with its #!defines resolved: the stock script relies on it.
STOCK_MODPARAMS: tuple[Modparam, ...] = (
    ("tm", "failure_reply_mode", 3),
    ("tm", "fr_timer", 30000),
    ("tm", "fr_inv_timer", 120000),
    ("rr", "enable_full_lr", 1),
    ("rr", "append_fromtag", 0),
    ("registrar", "method_filtering", 1),
    ("registrar", "max_expires", 3600),
    ("registrar", "gruu_enabled", 0),
    ("acc", "early_media", 0),
    ("acc", "report_ack", 0),
    ("acc", "report_cancels", 0),
    ("acc", "detect_direction", 0),
    ("acc", "log_flag", 1),
    ("acc", "log_missed_flag", 2),
    (
        "acc",
        "log_extra",
        "src_user=$fU;src_domain=$fd;src_ip=$si;dst_ouser=$tU;dst_user=$rU;dst_domain=$rd",
    ),
    ("acc", "failed_transaction_flag", 3),
    ("usrloc", "preload", "location"),
    ("usrloc", "db_mode", 2),
    ("usrloc", "use_domain", 0),
    ("usrloc", "nat_bflag", 6),
    ("auth_db", "calculate_ha1", 1),
    ("auth_db", "password_column", "password"),
    ("auth_db", "load_credentials", ""),
    ("auth_db", "use_domain", 0),
    ("permissions", "db_mode", 1),
    ("rtpproxy", "rtpproxy_sock", "udp:127.0.0.1:7722"),
    ("nathelper", "natping_interval", 30),
    ("nathelper", "ping_nated_only", 1),
    ("nathelper", "sipping_bflag", 7),
    ("nathelper", "sipping_from", "sip:pinger@kamailio.org"),
    ("nathelper", "received_avp", "$avp(RECEIVED)"),
    ("registrar", "received_avp", "$avp(RECEIVED)"),
    ("pike", "sampling_time_unit", 2),
    ("pike", "reqs_density_per_unit", 16),
    ("pike", "remove_latency", 4),
    ("htable", "htable", "ipban=>size=8;autoexpire=300;"),
)


class EmbeddedServer(Server):
    """``python -m ksrshell serve`` of the running interpreter; the same interface as KamailioServer.

    It runs ``script`` itself; ``wrapper``: a script to run instead, which finds ``script`` in ``KSR_LAB_SCRIPT``.
    """

    kind = "embedded"

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
        wrapper: Path | None = None,
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
        self.name = f"lab-{self.port}"
        self.control = directory / "control"

    def command(self) -> list[str]:
        command = [sys.executable, "-m", "ksrshell", "serve", str(self.wrapper or self.script)]
        command += ["--listen", f"udp:{self.address}", "--listen", f"tcp:{self.address}", "--alias", self.domain]
        given = {(module, name): value for module, name, value in (*STOCK_MODPARAMS, *self.modparams)}
        for (module, name), value in given.items():
            command += ["--modparam", f"{module}:{name}={value}"]
        command += ["--db", f"sqlite:///{self.database}", "--name", self.name, "--control", str(self.control)]
        return command

    def started(self, deadline: float) -> None:
        expected = f"ready {self.name} "
        while not any(line.startswith(expected) for line in self.log.splitlines()):
            self.check_alive()
            if time.monotonic() > deadline:
                raise self.failure(f"did not print {expected!r} in time")
            time.sleep(0.02)
