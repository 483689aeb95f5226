"""The expected results are those of Kamailio 5.6.3 on the same table."""

from collections.abc import Iterator

import pytest

from ksrcore.store.addresses import Address, Addresses, parse_ip
from ksrcore.store.database import Database
from ksrcore.store.errors import StoreError

ROWS: list[tuple[int, str, int, int, str | None]] = [
    (1, "10.0.0.1", 32, 0, "exact"),
    (1, "10.1.0.0", 16, 0, "net16"),
    (1, "10.1.2.0", 24, 5060, "net24p"),
    (2, "10.1.2.3", 32, 5070, "e2"),
    (3, "10.2.0.0", 0, 0, "mask0"),
    (1, "2001:db8::1", 128, 0, "v6"),
    (1, "2001:db8:1::", 48, 0, "v6net"),
    (4, "2001:db8:2::", 32, 0, "v6m32"),
    (1, "[2001:db8:3::1]", 128, 0, "v6br"),
    (1, "example.com", 32, 0, "dom"),
    (1, "Example.ORG", 0, 5060, "dom2"),
    (5, "10.0.0.1", 32, 5061, None),
    (5, "10.0.0.1", 32, 5062, "second"),
    (6, "192.168.1.77", 24, 0, "hostbits"),
    (1, "10.0.0.1", 32, 0, "dup"),
    (7, "2001:db8:4::1", 33, 0, "v6_33"),
    (8, "10.9.0.0", 8, 0, "wide"),
    (9, "10.9.9.0", 24, 0, "narrow"),
]

# group, address, port: tag that allow_address finds ("-" for no match), group that allow_address_group answers
CASES = """
1 10.0.0.1 5060: dup 1
1 10.1.5.5 5060: net16 1
1 10.1.2.9 5060: net16 1
1 10.1.2.9 5061: net16 1
2 10.1.2.3 5070: e2 2
2 10.1.2.3 5071: - 1
2 10.1.2.3 0: - 1
3 10.2.0.0 1: mask0 3
3 10.2.0.1 1: - 8
1 2001:db8::1 5: v6 1
1 2001:0db8:0::1 5: v6 1
1 [2001:db8::1] 5: v6 1
1 2001:db8:1:5::9 5: v6net 1
4 2001:db8:7::1 5: v6m32 4
1 2001:db8:3::1 5: v6br 1
1 example.com 5060: dom 1
1 EXAMPLE.com 5060: - -1
1 example.org 5060: - -1
1 Example.ORG 5060: dom2 1
1 Example.ORG 5061: - -1
5 10.0.0.1 5061: None 1
5 10.0.0.1 5062: second 1
5 10.0.0.1 5063: - 1
6 192.168.1.5 1: hostbits 6
6 192.168.1.77 1: hostbits 6
7 2001:db8:4::2 1: v6_33 4
8 10.9.9.1 1: wide 8
9 10.9.9.1 1: narrow 8
1 10.0.0.1 70000: dup 1
1 ::ffff:10.0.0.1 5060: - -1
99 10.0.0.1 5060: - 1
1 10.0.0 1: - -1
1 010.0.0.1 1: dup 1
"""


@pytest.fixture
def db() -> Iterator[Database]:
    with Database.open(":memory:") as database:
        yield database


def fill(db: Database, rows: list[tuple[int, str, int, int, str | None]]) -> Addresses:
    db.execute("DELETE FROM address")
    for row in rows:
        db.insert("address", dict(zip(("grp", "ip_addr", "mask", "port", "tag"), row, strict=True)))
    addresses = Addresses(db)
    addresses.reload()
    return addresses


def test_matches_as_kamailio_does(db: Database) -> None:
    addresses = fill(db, ROWS)
    got = [""]
    for line in CASES.strip().splitlines():
        group, ip, port = line.rpartition(": ")[0].split()
        found = addresses.match(int(group), ip, int(port))
        any_group = addresses.find_group(ip, int(port))
        got.append(f"{group} {ip} {port}: {found.tag if found else '-'} {any_group.group if any_group else -1}")
    assert "\n".join([*got, ""]) == CASES


def test_subnets_by_group_and_domains_by_the_last(db: Database) -> None:
    addresses = fill(
        db,
        [
            (5, "10.0.0.0", 8, 0, "five"),
            (3, "10.0.0.0", 16, 0, "three"),
            (3, "10.0.0.0", 17, 0, "three2"),
            (1, "a.test", 32, 0, "x"),
            (1, "a.test", 24, 0, "y"),
            (2, "a.test", 32, 0, "z"),
            (1, "", 32, 0, "nothing"),
        ],
    )
    assert addresses.find_group("10.0.0.9", 1) == Address(3, "10.0.0.0", 16, 0, "three")
    assert addresses.match(1, "a.test", 1) == Address(1, "a.test", -1, 0, "y")
    assert addresses.find_group("a.test", 1) == Address(2, "a.test", -1, 0, "z")
    assert addresses.find_group("", 1) is None
    assert addresses.subnet_dump() == [
        {"id": 0, "group": 3, "item": {"ip": "10.0.0.0", "mask": 16, "port": 0, "tag": "three"}},
        {"id": 1, "group": 3, "item": {"ip": "10.0.0.0", "mask": 17, "port": 0, "tag": "three2"}},
        {"id": 2, "group": 5, "item": {"ip": "10.0.0.0", "mask": 8, "port": 0, "tag": "five"}},
    ]
    assert [entry["item"] for entry in addresses.domain_dump()] == [
        {"domain_name": "a.test", "port": 0, "tag": "z"},
        {"domain_name": "a.test", "port": 0, "tag": "y"},
        {"domain_name": "a.test", "port": 0, "tag": "x"},
    ]


def test_dump(db: Database) -> None:
    addresses = fill(db, [(2, "10.1.2.3", 32, 5070, None), (1, "[2001:DB8:0::1]", 128, 0, "")])
    dump = addresses.address_dump()
    assert all(isinstance(entry["table"], int) and list(entry) == ["table", "group", "item"] for entry in dump)
    assert sorted(str((entry["group"], entry["item"])) for entry in dump) == [
        "(1, {'ip': '2001:db8::1', 'port': 0, 'tag': 'NULL'})",
        "(2, {'ip': '10.1.2.3', 'port': 5070, 'tag': 'NULL'})",
    ]


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ((1, "10.0.0.1", 33, 0, "x"), "mask is 33, expected 0 to 32 for 10.0.0.1"),
        ((1, "10.0.0.1", -1, 0, "x"), "mask is -1"),
        ((1, "2001:db8::1", 129, 0, "x"), "mask is 129, expected 0 to 128"),
        ((0, "10.0.0.1", 32, 0, "x"), "grp is 0"),
        (("one", "10.0.0.1", 32, 0, "x"), "grp is 'one'"),
        ((1, "10.0.0.1", 32, "sip", "x"), "port is 'sip'"),
    ],
)
def test_a_bad_row_refuses_the_table_and_keeps_the_old_one(db: Database, row: tuple[object, ...], words: str) -> None:
    addresses = fill(db, ROWS)
    db.execute("DELETE FROM address")
    db.execute("INSERT INTO address (grp, ip_addr, mask, port, tag) VALUES (?, ?, ?, ?, ?)", row)  # type: ignore[arg-type]
    with pytest.raises(StoreError, match=f"table address, row 1: {words}"):
        addresses.reload()
    assert addresses.match(1, "10.0.0.1", 1) is not None


@pytest.mark.parametrize(
    "text", ["", ".", "1.2.3", "1.2.3.4.5", "1.2.3.256", "1.2.3.x", "1.2.3.\xb2", "::%eth0", "[", "a:b"]
)
def test_no_ip(text: str) -> None:
    assert parse_ip(text) is None


def test_fork(db: Database) -> None:
    addresses = fill(db, ROWS[:1])
    fork = addresses.fork()
    db.execute("DELETE FROM address")
    fork.reload()
    assert fork.find_group("10.0.0.1", 1) is None
    assert addresses.find_group("10.0.0.1", 1) is not None


def test_the_cache_of_addresses_is_bounded(db: Database) -> None:
    addresses = fill(db, ROWS)
    for number in range(5000):
        addresses.find_group(f"172.16.{number >> 8}.{number & 255}", 1)
    assert len(addresses._cache) <= 4096
