"""KSR.userblocklist: as Kamailio 5.6.3 answers."""

from __future__ import annotations

import pytest

from ksrcore.kemi.declare import ParamError
from ksrcore.store.database import Database
from lab.sequence import Bench


@pytest.fixture
def db() -> Database:
    db = Database.open(":memory:")
    db.execute("CREATE TABLE userblocklist (username, domain, prefix, allowlist)")
    db.execute("CREATE TABLE globalblocklist (prefix, allowlist)")
    for row in (("bob", "ex.com", "49", 0), ("bob", "ex.com", "4930", 1), ("bob", "q.com", "7", 0)):
        db.execute("INSERT INTO userblocklist VALUES (?, ?, ?, ?)", row)
    for prefix in (("33", 0), ("331", 1)):
        db.execute("INSERT INTO globalblocklist VALUES (?, ?)", prefix)
    return db


@pytest.mark.parametrize(
    ("user", "wanted"),
    [
        ("4911", [-1, -1, 1, 1, -1, 1]),
        ("49305", [1, 1, 1, 1, -1, 1]),
        ("+49", [-1, -1, 1, 1, -1, 1]),
        ("332", [1, -1, 1, -1, -1, -1]),
        ("3312", [1, -1, 1, 1, 1, 1]),
        ("abc", [1, -1, 1, 1, -1, 1]),
    ],
)
def test_the_number_called(db: Database, user: str, wanted: list[int]) -> None:
    calls = [
        "KSR.userblocklist.check_user_blocklist('bob', 'ex.com')",
        "KSR.userblocklist.check_user_allowlist('bob', 'ex.com')",
        "KSR.userblocklist.check_user_blocklist('none', 'ex.com')",
        "KSR.userblocklist.check_blocklist('globalblocklist')",
        "KSR.userblocklist.check_allowlist('globalblocklist')",
        "KSR.userblocklist.check_global_blocklist()",
    ]
    assert Bench(db=db).request({"ruri": f"sip:{user}@x"}, calls)[0] == wanted


def test_numbers_and_tables(db: Database) -> None:
    calls = [
        "KSR.userblocklist.check_user_blocklist_number('bob', 'ex.com', '4911')",
        "KSR.userblocklist.check_user_allowlist_number('bob', 'ex.com', '4930')",
        "KSR.userblocklist.check_user_blocklist_table('bob', 'ex.com', '4911', 'userblocklist')",
        "KSR.userblocklist.check_user_allowlist_table('bob', 'ex.com', '4930', 'userblocklist')",
        "KSR.userblocklist.check_user_blocklist_number('bob', 'ex.com', '')",
        "KSR.userblocklist.check_user_blocklist_number('bob', 'ex.com', '71')",
        "KSR.userblocklist.check_user_blocklist_number('bob', 'q.com', '71')",
        "KSR.userblocklist.check_blocklist('none')",
        "KSR.userblocklist.check_user_blocklist_table('bob', 'ex.com', '4', 'none')",
        "KSR.userblocklist.check_user_allowlist_table('bob', 'ex.com', '4', 'none')",
    ]
    assert Bench(db=db).request({}, calls)[0] == [-1, 1, -1, 1, 1, -1, -1, 1, -1, -1]
    wanted = [-1, 1, -1, 1, 1, 1, -1, 1, -1, -1]
    assert Bench(["userblocklist:use_domain=1"], db=db).request({}, calls)[0] == wanted


def test_reload(db: Database) -> None:
    bench = Bench(db=db)
    db.execute("DELETE FROM globalblocklist WHERE prefix = '33'")
    assert bench.rpc("userblocklist.reload_blocklist") == "200 ok"
    assert bench.rpc("userblocklist.dump_blocklist") == [{"prefix": "331", "allowlist": "1"}]
    db.execute("DROP TABLE globalblocklist")
    assert bench.rpc("userblocklist.reload_blocklist") == "error 500: failed to reload"
    with pytest.raises(ParamError, match="match_mode can only be 10"):
        Bench(["userblocklist:match_mode=128"])
