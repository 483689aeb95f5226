"""Tables that are the same on all nodes of a dmq cluster: what changes here is told, what others tell is done."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

from .dmq import Answer, Dmq, Node
from .htable_table import BadMatch, Table, matcher

if TYPE_CHECKING:
    from .htable import Htable

__all__ = ["Replication"]

log = logging.getLogger("ksrcore.htable")

SYNC, SET, EXPIRE, REMOVE, REMOVE_RE, REMOVE_SW = 1, 2, 3, 4, 5, 6
_CHANNEL = "htable"
_TYPE = "application/json"
#: Bytes of a message with items: it goes by UDP.
_LARGEST = 16_000


def dumps(value: Any) -> str:
    """JSON as Kamailio writes it: no blanks, and bytes above ASCII as they are (latin-1 text)."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


class Replication:
    """The channel of htable. ``sync``: the tables are asked for when there is another node."""

    def __init__(self, htable: Htable, dmq: Dmq, sync: bool) -> None:
        self.htable = htable
        self.dmq = dmq
        dmq.register(_CHANNEL, self._received, self._joined if sync else None)
        for table in self._tables():
            table.tell = self._tell

    def _tables(self) -> list[Table]:
        return [table for table in self.htable.tables.values() if table.dmqreplicate]

    def _send(self, fields: dict[str, Any]) -> None:
        self.dmq.broadcast(_CHANNEL, dumps(fields), _TYPE)

    def _joined(self) -> None:
        self._send({"action": SYNC})

    def _tell(self, table: Table, action: int, name: str, value: int | str | None, mode: int) -> None:
        """Something has changed here."""
        fields: dict[str, Any] = {"action": action, "htname": table.name}
        if action in (SET, EXPIRE, REMOVE):
            fields["cname"] = name
        if isinstance(value, int):
            fields |= {"type": 0, "intval": value}
        elif value is not None:
            fields |= {"type": 2, "strval": value}
        self._send({**fields, "mode": mode})

    # -- what others tell ---------------------------------------------------------------------------------------------

    def _received(self, body: str, sender: Node | None) -> Answer:
        try:
            fields = json.loads(body)
            if "cells" in fields:
                for cell in fields["cells"]:
                    self._cell(cell)
                return Answer()
            action = int(fields["action"])
            if action == SYNC:
                self._answer_sync(sender)
                return Answer()
            table = self.htable.tables[fields["htname"]]
            quiet, table.tell = table.tell, None
            try:
                self._do(table, action, fields)
            finally:
                table.tell = quiet
        except (ValueError, KeyError, TypeError, AttributeError, BadMatch) as error:
            log.error("htable: a node says what cannot be done (%s: %s): %.200r", type(error).__name__, error, body)
            return Answer(500, "Server Internal Error")
        return Answer()

    def _do(self, table: Table, action: int, fields: dict[str, Any]) -> None:
        now = self.htable.proxy.wall()
        value = fields.get("intval") if fields.get("type") == 0 else fields.get("strval")
        if action == SET and isinstance(value, (int, str)):
            table.set(str(fields["cname"]), value, now)
        elif action == EXPIRE:
            table.set_expire(str(fields["cname"]), int(fields["intval"]), now)
        elif action == REMOVE:
            table.items.pop(str(fields["cname"]), None)
        elif action in (REMOVE_RE, REMOVE_SW):
            test = matcher("re" if action == REMOVE_RE else "sw", str(value), ("re", "sw"))
            for key in [key for key, item in table.items.items() if test(_matched(key, item[0], fields.get("mode")))]:
                del table.items[key]
        else:
            raise ValueError(f"action {action}")

    def _cell(self, cell: dict[str, Any]) -> None:
        table = self.htable.tables.get(cell["htname"])
        if table is None:
            return
        value = cell["intval"] if cell.get("type") == 0 else cell["strval"]
        until = int(cell.get("expire", 0))
        if isinstance(value, (int, str)):
            table.items[str(cell["cname"])] = (value, until if table.autoexpire else 0)

    def _answer_sync(self, sender: Node | None) -> None:
        if sender is None:
            return
        cells: list[str] = []
        size = 0
        for table in self._tables():
            for key in reversed(table.ordered()):
                value, until = table.items[key]
                kind = {"type": 0, "intval": value} if isinstance(value, int) else {"type": 2, "strval": value}
                cells.append(dumps({"htname": table.name, "cname": key, **kind, "expire": until}))
                size += len(cells[-1])
                if size > _LARGEST:
                    self.dmq.send(_CHANNEL, sender, f'{{"cells":[{",".join(cells)}]}}', _TYPE)
                    cells, size = [], 0
        self.dmq.send(_CHANNEL, sender, f'{{"cells":[{",".join(cells)}]}}', _TYPE)


def _matched(key: str, value: int | str, by_value: Any) -> str:
    """What an expression is about: the key, or a text ('\\0' matches nothing that is meant) when it is about values."""
    if not by_value:
        return key
    return value if isinstance(value, str) else "\0"
