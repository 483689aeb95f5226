"""acc: records of whole calls, as Kamailio 5.6.3 writes them."""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import Any

import pytest

from ksrcore.debug.sandbox import fork_proxy
from ksrcore.kemi.declare import ParamError
from ksrcore.store.stamps import from_column
from lab.dialogs import WALL, Calls

MANAGE = "KSR.dialog.dlg_manage()"
PARAMS = ["acc:cdr_enable=1", "acc:cdr_extra=c1=$dlg_var(caller);m=$rm;code=$rs"]
BEGUN = f"start_time={WALL:.3f}; "


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    found = [record.getMessage() for record in caplog.records if record.name == "ksrcore.acc"]
    caplog.clear()
    return found


def variables(calls: Calls) -> list[str]:
    (dialog,) = calls.dialogs.table.ordered()
    return [dialog.variables[name] for name in ("start_time", "end_time", "duration")]


def call(calls: Calls, *lines: str) -> None:
    calls.invite([MANAGE, 'KSR.pv.sets("$dlg_var(caller)", "A")', *lines])
    calls.after(2)
    calls.answer("200 OK")
    calls.after(1)
    calls.within("ACK")
    calls.after(3)


def test_a_call(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    calls = Calls(tmp_path, PARAMS)
    with caplog.at_level(logging.INFO, "ksrcore.acc"):
        call(calls)
        assert variables(calls) == [f"{WALL:.3f}", f"{WALL:.3f}", "0"]
        calls.within("BYE", cseq=2)
    assert variables(calls) == [f"{WALL:.3f}", f"{WALL + 6:.3f}", "6.000"]
    assert told(caplog) == [f"{BEGUN}end_time={WALL + 6:.3f}; duration=6.000; c1=A; m=BYE; code="]


def test_rows_under_other_names_from_the_ack_on(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    names = [f"acc:cdr_{name}_id={name}" for name in ("start", "end", "duration")]
    params = [*PARAMS, *names, "acc:cdr_start_on_confirmed=1", "acc:cdrs_table=calls", "acc:cdr_log_enable=0"]
    with pytest.raises(ParamError, match="no column start, end, duration, c1, m, code"):
        Calls(tmp_path, params)
    calls = Calls(tmp_path)
    calls.db.execute("CREATE TABLE calls (start REAL, end REAL, duration REAL, c1 TEXT, m TEXT, code TEXT)")
    calls = Calls(tmp_path, params, calls.db)
    call(calls)
    calls.within("BYE", cseq=2)
    ((start, end, *others),) = calls.db.query("SELECT * FROM calls")
    assert (from_column(start), from_column(end), others) == (WALL + 3, WALL + 6, [3.0, "A", "BYE", ""])
    assert told(caplog) == []


@pytest.mark.parametrize("recorded", [True, False])
def test_failed(recorded: bool, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    calls = Calls(tmp_path, [*PARAMS, f"acc:cdr_on_failed={int(recorded)}"])
    with caplog.at_level(logging.INFO, "ksrcore.acc"):
        calls.invite([MANAGE])
        calls.after(1)
        calls.answer("486 Busy")
    assert told(caplog) == [f"{BEGUN}end_time={WALL:.3f}; duration=0; c1=; m=INVITE; code=486"] * recorded


@pytest.mark.parametrize("recorded", [True, False])
def test_ended_by_time(recorded: bool, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Without a message there are only the variables of the dialog."""
    calls = Calls(tmp_path, [*PARAMS, f"acc:cdr_expired_dlg_enable={int(recorded)}", "dialog:default_timeout=5"])
    with caplog.at_level(logging.INFO, "ksrcore.acc"):
        call(calls)
        calls.after(5)
    lines = [re.sub(r"=\d[\d.]+", "=*", line) for line in told(caplog)]
    assert lines == ["start_time=*; end_time=*; duration=*; c1=A; m=; code="] * recorded


def test_skipped(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    calls = Calls(tmp_path, [*PARAMS, "acc:cdr_skip=nocdr"])
    with caplog.at_level(logging.INFO, "ksrcore.acc"):
        call(calls, 'KSR.pv.sets("$dlg_var(nocdr)", "1")')
        calls.within("BYE", cseq=2)
    assert told(caplog) == [] and variables(calls)[2] == "6.000"


def test_a_sandbox_records_for_itself(tmp_path: Path) -> None:
    calls = Calls(tmp_path, PARAMS)
    proxy: Any = fork_proxy(calls.proxy, lambda data, dest: True, WALL)
    assert proxy.modules.acc.records.acc is proxy.modules.acc


@pytest.mark.parametrize(
    "params", [["acc:cdr_start_id="], ["acc:cdr_extra=x"], ["acc:cdr_extra_size=1"], ["acc:cdrs_table=nowhere"]]
)
def test_parameters_are_checked(params: list[str], tmp_path: Path) -> None:
    with pytest.raises(ParamError, match="acc:cdr"):
        Calls(tmp_path, [*PARAMS, *params] if "extra=" not in params[0] else ["acc:cdr_enable=1", *params])
