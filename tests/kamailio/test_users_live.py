"""A server that runs as a user of its own, as Debian's does: root attaches, others are told who may."""

from __future__ import annotations

import os
import pwd
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ksrcore.kamailio.agents import look
from ksrshell import nodes
from ksrshell.session import connect
from lab.agentserver import AgentServer, Phone
from lab.needs import need

SCRIPT = """
import KSR


class kamailio:
    def child_init(self, rank):
        return 0

    def ksr_request_route(self, msg):
        KSR.sl.send_reply(200, "OK")
        return 1


def mod_init():
    return kamailio()

"""
NEW = 'def ksr_request_route(self, msg):\n    KSR.sl.send_reply(200, "New")\n    return 1\n'
USER = "nobody"


class UserServer(AgentServer):
    """``own``: whether the folder for servers is the user's, too."""

    own = True

    def command(self) -> list[str]:
        user = pwd.getpwnam(USER)
        command = super().command()
        for folder, _, files in os.walk(self.directory):
            for path in (folder, *(os.path.join(folder, name) for name in files)):
                os.chown(path, user.pw_uid, user.pw_gid)
        if not self.own:
            os.chown(self.meeting, 0, 0)
        return [*command, "-u", USER, "-g", str(user.pw_gid)]


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that the user can reach, which pytest's own are not."""
    if os.geteuid() != 0:
        pytest.skip("only root can start a server as another user")
    need("kamailio", package="kamailio kamailio-python3-modules")
    monkeypatch.setattr(nodes, "LINGER", 0.3)
    made = Path(tempfile.mkdtemp(prefix="ksr-users-"))
    made.chmod(0o755)
    monkeypatch.setenv("KSRSHELL_DIR", str(made / "server" / "run"))
    try:
        yield made
    finally:
        shutil.rmtree(made)


def test_root_attaches_and_is_the_servers_user_then(place: Path) -> None:
    uid = pwd.getpwnam(USER).pw_uid
    with UserServer(place / "server", SCRIPT) as server:
        status = server.folder.stat()
        assert (status.st_uid, status.st_mode & 0o777) == (uid, 0o700)
        phone = Phone(server.address)
        with connect("held") as session:
            node = Path(f"/proc/{session.hello['node']}/status").read_text()
            assert f"Uid:\t{uid}\t{uid}\t{uid}\t{uid}\n" in node and "Groups:\t \n" in node
            session.swap(NEW)
            phone.send("OPTIONS", "o1")
            assert phone.get().startswith("SIP/2.0 200 New")
        phone.close()
        # A process of that user's that was started by root, and what it made.
        assert {path.stat().st_uid for path in server.folder.iterdir() if path.name != "node.log"} == {uid}
        end = time.monotonic() + 10
        while look(server.folder).attached:
            assert time.monotonic() < end
            time.sleep(0.02)


def test_a_folder_that_the_server_cannot_use(place: Path) -> None:
    """The agent is off, says what to do, and the server serves."""
    server = UserServer(place / "server", SCRIPT)
    server.own = False
    with server:
        assert server.answers(timeout=2)
        assert f"/run: Permission denied for the server's user (uid {pwd.getpwnam(USER).pw_uid})" in server.log
        assert "name another one in KSRSHELL_DIR" in server.log
