"""What was answered 200 outlives the process."""

from pathlib import Path

from lab.calls import Caller
from lab.database import make_database
from lab.embedded import EmbeddedServer
from lab.needs import STOCK_SCRIPT, need, need_file
from lab.server import Modparam

# The proxy's default. The stock configuration's 2 writes contacts to the database by timer, after the 200.
WRITE_THROUGH: tuple[Modparam, ...] = (("usrloc", "db_mode", 1),)


def test_registration_survives_kill(tmp_path: Path) -> None:
    need("sipp", package="sip-tester")
    need_file(STOCK_SCRIPT, package="kamailio")
    database = make_database(tmp_path / "kamailio.db")
    with EmbeddedServer(tmp_path / "first", database, modparams=WRITE_THROUGH) as first:
        caller = Caller(first, tmp_path / "sipp")
        with caller.callee("uas") as callee:
            caller.register(callee.contact)
            first.kill()
            with EmbeddedServer(tmp_path / "second", database, modparams=WRITE_THROUGH, port=first.port) as second:
                caller.server = second
                caller.run("uac")
                callee.wait().check(1)


def test_unregistration_survives_kill(tmp_path: Path) -> None:
    need("sipp", package="sip-tester")
    need_file(STOCK_SCRIPT, package="kamailio")
    database = make_database(tmp_path / "kamailio.db")
    with EmbeddedServer(tmp_path / "first", database, modparams=WRITE_THROUGH) as first:
        caller = Caller(first, tmp_path / "sipp")
        caller.register("127.0.0.1:9")
        caller.unregister("127.0.0.1:9")
        first.kill()
        with EmbeddedServer(tmp_path / "second", database, modparams=WRITE_THROUGH, port=first.port) as second:
            caller.server = second
            caller.run("unknown_user")
