"""A real Kamailio works on a database that we made, and we on what it wrote."""

import hashlib
import random
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ksrcore.store.addresses import Addresses
from ksrcore.store.contact import Contact
from ksrcore.store.database import Database
from ksrcore.store.location import Location
from ksrcore.store.subscribers import Subscribers

KAMAILIO = "/usr/sbin/kamailio"
MODULES = next((str(path.parent) for path in Path("/usr/lib").glob("*/kamailio/modules/db_sqlite.so")), "")

pytestmark = [
    pytest.mark.skipif(shutil.which(KAMAILIO) is None, reason=f"needs {KAMAILIO}: apt install kamailio"),
    pytest.mark.skipif(not MODULES, reason="needs db_sqlite.so: apt install kamailio-sqlite-modules"),
]

CONFIG = """
debug=1
log_stderror=yes
fork=yes
children=1
disable_tcp=yes
listen=udp:127.0.0.1:{port}
mpath="{modules}/"
loadmodule "db_sqlite.so"
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "pv.so"
loadmodule "textops.so"
loadmodule "siputils.so"
loadmodule "usrloc.so"
loadmodule "registrar.so"
loadmodule "auth.so"
loadmodule "auth_db.so"
loadmodule "permissions.so"
loadmodule "acc.so"
modparam("usrloc", "db_mode", 1)
modparam("usrloc|auth_db|permissions|acc", "db_url", "sqlite:///{db}")
modparam("auth_db", "calculate_ha1", 0)
modparam("auth_db", "use_domain", 1)
modparam("acc", "db_extra", "src_user=$fU;dst_domain=$rd")
request_route {{
  if (is_method("REGISTER")) {{
    if (!auth_check("$fd", "subscriber", "1")) {{ auth_challenge("$fd", "0"); exit; }}
    save("location");
    exit;
  }}
  if (is_method("MESSAGE")) {{
    if (!allow_source_address("1")) {{ sl_send_reply("403", "No"); exit; }}
    acc_db_request("200 fine", "acc");
    if (!lookup("location")) {{ sl_send_reply("404", "None"); exit; }}
    append_to_reply("X-To: $ru\\r\\n");
    sl_send_reply("200", "OK");
  }}
}}
"""

Ask = Callable[..., str]


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    with Database.open(str(tmp_path / "k.db")) as db:
        Subscribers(db).add("alice", "a.test", "wonder")
        db.insert("address", {"ip_addr": "127.0.0.0", "mask": 8, "tag": "lo"})
        loc = Location(db, started=1)
        later = int(time.time()) + 600
        loc.insert(Contact("bob", loc.new_ruid(), "sip:bob@10.0.0.9:7", expires=later, q=500, socket="", callid="b"))
    yield tmp_path


@pytest.fixture
def ask(place: Path) -> Iterator[Ask]:
    """Kamailio on the database; a function that sends it a request and returns the reply."""
    client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    client.bind(("127.0.0.1", 0))
    client.settimeout(0.1)
    mine = client.getsockname()[1]
    port = random.randint(20000, 60000)
    config = place / "k.cfg"
    config.write_text(CONFIG.format(port=port, modules=MODULES, db=place / "k.db"))
    count = 0

    def send(method: str, headers: str = "", user: str = "alice") -> str:
        nonlocal count
        count += 1
        text = (
            f"{method} sip:{user}@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:{mine};branch=z9hG4bK{count}\r\n"
            f"From: <sip:alice@a.test>;tag=f\r\nTo: <sip:{user}@a.test>;tag=t\r\nCall-ID: call{count}\r\n"
            f"CSeq: {count} {method}\r\n{headers}Content-Length: 0\r\n\r\n"
        )
        for attempt in range(60):
            # Only the first is repeated, until Kamailio has started; a repeated MESSAGE would be accounted twice.
            if attempt == 0 or count == 1:
                client.sendto(text.encode(), ("127.0.0.1", port))
            try:
                while f"CSeq: {count} {method}" not in (reply := client.recv(65535).decode()):
                    pass
                return reply
            except (TimeoutError, ConnectionError):
                if process.poll() is not None:
                    break
        raise AssertionError(f"no answer to {method}:\n{(place / 'log').read_text()}")

    with client, (place / "log").open("w") as log:
        process = subprocess.Popen(
            [KAMAILIO, "-f", config, "-DD", "-E", "-Y", place, "-P", place / "pid", "-m", "32", "-M", "4"],
            stderr=log,
            stdout=log,
        )
        try:
            yield send
        finally:
            process.terminate()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def md5(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()


def test_kamailio_on_our_database(place: Path, ask: Ask) -> None:
    challenge = ask("REGISTER")
    nonce = re.search(r'nonce="([^"]+)"', challenge)
    assert challenge.startswith("SIP/2.0 401") and nonce, challenge
    response = md5(f"{md5('alice:a.test:wonder')}:{nonce[1]}:{md5('REGISTER:sip:a.test')}")
    register = ask(
        "REGISTER",
        f'Authorization: Digest username="alice", realm="a.test", nonce="{nonce[1]}", uri="sip:a.test", '
        f'response="{response}"\r\nContact: <sip:alice@127.0.0.1:7;x=y>;q=0.25;expires=300\r\n',
    )
    assert register.startswith("SIP/2.0 200"), register
    with Database.open(str(place / "k.db")) as db:
        now = time.time()
        loc = Location(db, started=1)
        assert loc.load(now) == []
        (contact,) = loc.get("alice", now)
        assert (contact.contact, contact.q, contact.callid) == ("sip:alice@127.0.0.1:7;x=y", 250, "call2")
        assert abs(contact.expires - now - 300) < 10
        assert contact.socket.startswith("udp:127.0.0.1:")
        assert Addresses(db).reload() == 1
        message = ask("MESSAGE", user="bob")
        assert message.startswith("SIP/2.0 200") and "X-To: sip:bob@10.0.0.9:7\r\n" in message, message
        assert db.query("SELECT method, sip_code, src_user, dst_domain FROM acc") == [
            ("MESSAGE", "200", "alice", "127.0.0.1")
        ]
