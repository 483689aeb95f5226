from dataclasses import dataclass, field

from ksrcore.net.conntable import MAX_ALIASES, ConnTable


@dataclass(eq=False)
class Conn:
    conid: int
    peer_ip: str = "192.0.2.1"
    local_ip: str = "192.0.2.9"
    state: str = "open"
    aliases: list[int] = field(default_factory=lambda: [4000])


def table(*conns: Conn) -> ConnTable[Conn]:
    made: ConnTable[Conn] = ConnTable()
    for conn in conns:
        made.add(conn)
    return made


def test_found_by_id_and_by_address() -> None:
    conn = Conn(1)
    conns = table(conn)
    assert conns.get(1) is conn
    assert conns.find("192.0.2.1", 4000) is conn
    assert conns.find("192.0.2.1", 4000, "192.0.2.9") is conn
    assert conns.find("192.0.2.1", 4000, "192.0.2.8") is None
    assert conns.find("192.0.2.1", 4001) is None
    conn.state = "closing"
    assert conns.find("192.0.2.1", 4000) is None
    conns.remove(conn)
    conns.remove(conn)
    assert (len(conns), conns.get(1)) == (0, None)


def test_the_newest_alias_answers_and_the_older_after_it() -> None:
    # seen of Kamailio: two connections with add_tcp_alias of one port, the newer closed then
    old, new = Conn(1), Conn(2, aliases=[4001])
    conns = table(old, new)
    assert conns.alias(1, 9) and conns.alias(2, 9)
    assert conns.find("192.0.2.1", 9) is new
    conns.remove(new)
    assert conns.find("192.0.2.1", 9) is old
    conns.remove(old)
    assert conns.find("192.0.2.1", 9) is None


def test_an_alias_repeated_becomes_the_newest() -> None:
    old, new = Conn(1), Conn(2, aliases=[4001])
    conns = table(old, new)
    assert conns.alias(1, 9) and conns.alias(2, 9) and conns.alias(1, 9)
    assert conns.find("192.0.2.1", 9) is old
    assert old.aliases == [4000, 9]


def test_aliases_are_bounded() -> None:
    conns = table(Conn(1))
    added = [conns.alias(1, port) for port in range(MAX_ALIASES)]
    assert added == [True] * (MAX_ALIASES - 1) + [False]
    assert conns.find("192.0.2.1", MAX_ALIASES - 1) is None
    assert not conns.alias(2, 9)
