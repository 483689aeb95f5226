"""``ksrshell doctor NAME`` on a Kamailio that runs, and after its end."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner

from ksrshell.main import main
from lab.agent import places, with_agent
from lab.database import make_database


def test_a_server_by_its_name(tmp_path: Path) -> None:
    with places(tmp_path):
        with with_agent(tmp_path / "server", make_database(tmp_path / "db"), name="patient", workers=2):
            result = CliRunner().invoke(main, ["doctor", "patient"])
            assert (result.exit_code, result.stderr) == (0, "1 info in patient\n")
            assert "info[sipdump]: sipdump is not loaded: replies that the server makes itself" in result.stdout
        result = CliRunner().invoke(main, ["doctor", "patient"])
        assert result.exit_code == 0
        assert "warning[stale-folder]: the server of this folder is gone" in result.output
