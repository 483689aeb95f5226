"""kamcli, run as a user runs it, says the same of a Kamailio and of the embedded core.

Collected where kamcli is installed (``pip install kamcli``): it is not among what the tests install.
"""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from lab.database import make_database
from lab.embedded import EmbeddedServer
from lab.kamailio import KamailioServer
from lab.needs import SCHEMA_FOLDER
from lab.server import Modparam, Server

MODULES = ("dialog", "dispatcher", "domain", "mtree", "pipelimit", "uac")


def parameters(folder: Path, database: Path) -> tuple[Modparam, ...]:
    url = f"sqlite:///{database}"
    return (
        ("dispatcher", "db_url", url),
        ("domain", "db_url", url),
        ("mtree", "db_url", url),
        ("mtree", "mtree", "name=mt;dbtable=mtree;type=0"),
        ("pipelimit", "db_url", url),
        ("uac", "restore_mode", "none"),
        ("uac", "reg_db_url", url),
        ("uac", "reg_contact_addr", "127.0.0.1:5060"),
        ("dialog", "db_mode", 0),
        ("pv", "shvset", "answer=i:42"),
        ("jsonrpcs", "fifo_name", f"{folder}/rpc.fifo"),
        ("jsonrpcs", "dgram_socket", f"{folder}/rpc.sock"),
    )


class Kamailio(KamailioServer):
    """With more modules than the stock configuration loads."""

    def config(self) -> str:
        lines = "".join(f'loadmodule "{name}.so"\n' for name in MODULES)
        text = super().config()
        first = text.index('modparam("')
        return text[:first] + lines + text[first:]


def ini(server: Server) -> None:
    """Every setting: kamcli has no defaults without its own file."""
    url = "%(type)s+%(driver)s:///%(dbpath)s"
    (server.directory / "kamcli.ini").write_text(f"""\
[main]
domain={server.domain}

[cmdaliases]

[db]
type=sqlite
driver=pysqlite
dbpath={server.database}
rwurl={url}
rourl={url}
adminurl={url}
accesshost=
scriptsdirectory={SCHEMA_FOLDER}
outformat=table

[ctl]
type=jsonrpc
kamgroup=

[jsonrpc]
transport=socket
path={server.directory}/rpc.fifo
rplnamebase=reply.fifo
rpldir={server.directory}
srvaddr={server.directory}/rpc.sock
rcvaddr={server.directory}/reply.sock
outformat=yaml
""")


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Server]]:
    """A Kamailio, and the embedded core with the same settings."""
    started: list[Server] = []
    try:
        for kind in (Kamailio, EmbeddedServer):
            folder = tmp_path_factory.mktemp(kind.kind)
            database = make_database(folder / "kamailio.db", users=2)
            with closing(sqlite3.connect(database)) as connection, connection:
                for name in ("dispatcher", "domain", "mtree", "pipelimit", "uac", "group", "alias_db"):
                    connection.executescript((SCHEMA_FOLDER / f"{name}-create.sql").read_text())
                connection.execute("INSERT INTO dispatcher (setid, destination) VALUES (1, 'sip:127.0.0.1:9')")
                connection.execute("INSERT INTO domain (domain, did) VALUES ('one.example', 'one')")
            server: Server = kind(folder, database, modparams=parameters(folder, database))
            server.start()
            started.append(server)
            ini(server)
        yield started
    finally:
        for server in started:
            server.stop()


COMMANDS = """
uptime
stats usrloc:
stats -s registrar:max_contacts
stats -n sl:
jsonrpc core.echo a i:5 s:6
jsonrpc no.such
srv sockets
srv aliases
srv debug
tcp options
tcp list
tcp info
shv get answer
shv sets name text
shv get name
shv seti number 5
shv get number
shv get nothing
htable list-tables
htable list ipban
htable sets ipban k v
htable seti ipban n 7
htable get ipban k
htable get ipban nothing
htable list ipban
htable setex ipban k 100
htable setxs ipban x text 50
htable setxi ipban y 9 50
htable stats
htable rm ipban k
htable flush ipban
htable list ipban
htable list nosuch
ul show
ul add alice sip:alice@1.2.3.4:5070
ul show alice
ul show --brief
ul rm alice
ul rm alice
ul show alice
dispatcher list
dispatcher memadd 2 sip:127.0.0.1:8
dispatcher list
dispatcher memrm 2 sip:127.0.0.1:8
dispatcher memrm 9 sip:127.0.0.1:8
dispatcher add 3 sip:127.0.0.1:7
dispatcher reload
dispatcher showdb
dialog list
dialog stats_active
dialog match callid eq nothing
dialog profile_list nothing
dialog terminate a b c
domain list
domain add two.example
domain reload
domain showdb
domain rm two.example
mtree db-add mtree tp1 tv1
mtree reload mt
mtree list mt
mtree list nosuch
pipelimit list
pipelimit stats
pipelimit set-pipe nosuch taildrop 5
uacreg list
uacreg reload
pike list
address add 1 10.0.0.0 24 0 tag
address reload
address showdb
subscriber add carol@one.example secret
subscriber show carol@one.example
subscriber passwd carol@one.example other
subscriber rm carol@one.example
group grant alice admins
group show alice
group revoke alice
aliasdb add alice 100
aliasdb show alice
aliasdb rm alice 100
acc --help
""".strip().splitlines()

# What kamcli itself cannot do.
ODD = ("htable setex ipban k 100",)

# What each server has of its own: processes, memory, time, ids, the port it listens on.
OWN = (
    (r"(?m)^id: \d+$", "id: N"),
    (
        r"(?m)^(\s*(?:now|up_since|uptime|Ruid|Last-Modified|Last-Keepalive|Expires|Received|expires?|memory)\b):.*$",
        r"\1",
    ),
    (r"\b127\.0\.0\.1:\d{5}\b", "SERVER"),
    (r"(?m)^(\s*PORT): .*$", r"\1"),
    (r"(?m)^(\s*connection_lifetime): .*$", r"\1"),
    (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "TIME"),
)


# Commands of modules that both have loaded, and that the embedded core has not; docs/rpc.md says so.
ABSENT = r"ctl\.|dns\.|tm\.t_uac_wait|permissions\.(allow|test)Uri$|shm\.report$"


def kamcli(server: Server, words: str) -> str:
    """What kamcli prints, without what each server and call has of its own."""
    result = subprocess.run(
        [shutil.which("kamcli") or "kamcli", "-n", "-c", f"{server.directory}/kamcli.ini", *words.split()],
        input="y\n",
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
        env={**os.environ, "COLUMNS": "200"},
    )
    text = result.stdout + result.stderr
    assert "Traceback" not in text or words in ODD, text
    for pattern, instead in OWN:
        text = re.sub(pattern, instead, text)
    return f"exit code {result.returncode}\n{text.replace(str(server.directory), 'FOLDER')}"


@pytest.mark.parametrize("words", COMMANDS)
def test_kamcli_says_the_same_of_both(servers: list[Server], words: str) -> None:
    real, embedded = (kamcli(server, words) for server in servers)
    assert embedded == real


def listed(server: Server) -> set[str]:
    return {line.removeprefix("- ") for line in kamcli(server, "rpcmethods").splitlines() if line.startswith("- ")}


def test_methods(servers: list[Server]) -> None:
    real, embedded = map(listed, servers)
    assert len(real) > 150
    assert [name for name in sorted(real - embedded) if not re.match(ABSENT, name)] == []


def test_domains(servers: list[Server]) -> None:
    """In another order: Kamailio's is that of its hash table."""
    real, embedded = (sorted(kamcli(server, "domain list").splitlines()) for server in servers)
    assert embedded == real
