"""Kamailio's mqueue: queues of (key, value) pairs that scripts fill and empty."""

from __future__ import annotations

import logging
import re
from collections import deque
from typing import TYPE_CHECKING, Any, Self

from ..pv.errors import PvError
from ..pv.registry import Accessor, pv_class
from ..pv.registry import Value as PvValue
from ..pv.spec import Spec
from ..store.database import Database
from ..store.errors import StoreError
from .dbparam import module_database
from .declare import Module, Param, ParamError, RpcError, Value, export, rpc

if TYPE_CHECKING:
    from ..proxy import Proxy
    from ..run import Run

__all__ = ["Mqueue"]

log = logging.getLogger("ksrcore.mqueue")

#: ``addmode``: every pair; of equal keys the oldest; of equal keys the newest.
ALL, OLDEST, NEWEST = 0, 1, 2

#: ``dbmode``: none; read at the start and written at the end; written; read.
_READ, _WRITTEN = (1, 3), (1, 2)

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


class Queue:
    """``fetched`` is the pair that was taken out last, for the variables; ``size`` 0: no limit."""

    def __init__(self, name: str, size: int, addmode: int, dbmode: int) -> None:
        self.name = name
        self.size = size
        self.addmode = addmode
        self.dbmode = dbmode
        self.items: deque[tuple[str, str]] = deque()
        self.fetched: tuple[str, str] | None = None

    def copy(self) -> Queue:
        new = Queue(self.name, self.size, self.addmode, self.dbmode)
        new.items = self.items.copy()
        new.fetched = self.fetched
        return new

    def add(self, key: str, value: str) -> None:
        items = self.items
        if self.addmode != ALL:
            same = next((item for item in items if item[0] == key), None)
            if same is not None:
                if self.addmode == OLDEST:
                    return
                items.remove(same)
        items.append((key, value))
        if self.size and len(items) > self.size:
            items.popleft()


def _queue(text: str) -> Queue:
    """``name=q;size=20;addmode=2;dbmode=1``. Raises :class:`ParamError`."""
    name, numbers = "", {"size": 0, "addmode": 0, "dbmode": 0}
    for item in filter(None, map(str.strip, text.split(";"))):
        key, _, value = (part.strip() for part in item.partition("="))
        if key == "name" and value:
            name = value
        elif key in numbers and value.isascii() and value.isdigit():
            numbers[key] = int(value)
        else:
            raise ParamError(f"modparam mqueue:mqueue expects name=NAME;size=N;addmode=N;dbmode=N, got {text!r}")
    if not name or numbers["addmode"] > NEWEST or numbers["dbmode"] > 3:
        raise ParamError(f"modparam mqueue:mqueue expects a name, addmode 0 to 2 and dbmode 0 to 3, got {text!r}")
    return Queue(name, numbers["size"], numbers["addmode"], numbers["dbmode"])


class Mqueue(Module):
    """``queues``: by name, in the order they were defined."""

    name = "mqueue"

    db_url = Param("", "the database of queues with a dbmode; '' for the proxy's: str")
    mqueue = Param("", "a queue: name=NAME;size=N;addmode=0..2;dbmode=0..3", multi=True)
    mqueue_name = Param("", "a queue by its name, with the mqueue_size and mqueue_addmode set before", multi=True)
    mqueue_size = Param(0, "the most pairs of the queues of mqueue_name, 0 no limit: int")
    mqueue_addmode = Param(0, "how the queues of mqueue_name add: 0 all, 1 of equal keys the oldest, 2 the newest: int")

    def __init__(self, proxy: Proxy) -> None:
        super().__init__(proxy)
        self.queues: dict[str, Queue] = {}
        self._db: Database | None = None

    def set_param(self, name: str, value: int | str) -> None:
        super().set_param(name, value)
        if name == "mqueue":
            queue = _queue(str(value))
        elif name == "mqueue_name":
            if self.mqueue_addmode not in (ALL, OLDEST, NEWEST) or not value:
                raise ParamError(f"modparam mqueue:mqueue_name expects a name and a mqueue_addmode 0 to 2: {value!r}")
            queue = Queue(str(value), self.mqueue_size, self.mqueue_addmode, 0)
        else:
            return
        if queue.name in self.queues:
            raise ParamError(f"modparam mqueue:{name}: there are two queues {queue.name!r}")
        self.queues[queue.name] = queue

    def start(self) -> None:
        kept = [queue for queue in self.queues.values() if queue.dbmode]
        if not kept or self.proxy.sandbox:
            return
        self._db = module_database(self.proxy, self.db_url)
        if self._db is None:
            raise ParamError(
                "modparam mqueue:mqueue with dbmode needs a database: start with --db or set mqueue:db_url"
            )
        for queue in kept:
            if not _NAME.match(queue.name):
                raise ParamError(f"modparam mqueue:mqueue with dbmode: {queue.name!r} cannot be the name of a table")
            if queue.dbmode in _READ:
                try:
                    queue.items.extend(self._db.query(f'SELECT key, val FROM "{queue.name}" ORDER BY id'))
                    self._db.execute(f'DELETE FROM "{queue.name}"')
                except StoreError as error:
                    raise ParamError(f"modparam mqueue:mqueue {queue.name}: {error}") from None

    def stop(self) -> None:
        db = self._db
        if db is None:
            return
        for queue in self.queues.values():
            if queue.dbmode in _WRITTEN:
                try:
                    for key, value in queue.items:
                        db.execute(f'INSERT INTO "{queue.name}" (key, val) VALUES (?, ?)', (key, value))
                except StoreError as error:
                    log.error("mqueue %s: %d pairs are lost: %s", queue.name, len(queue.items), error)
        if db is not self.proxy.db:
            db.close()

    def fork(self, proxy: Proxy) -> Self:
        new = super().fork(proxy)
        new.queues = {name: queue.copy() for name, queue in self.queues.items()}
        new._db = None
        return new

    # -- KEMI ---------------------------------------------------------------------------------------------------------

    def _find(self, function: str, name: str) -> Queue | None:
        queue = self.queues.get(name)
        if queue is None:
            log.error("%s: there is no queue %r; define it with modparam mqueue:mqueue", function, name)
        return queue

    @export
    def mq_add(self, run: Run, mq: str, key: str, val: str) -> int:
        """Put a pair at the end of a queue; the oldest goes when it is full. 1, -1 without such a queue."""
        queue = self._find("mq_add", mq)
        if queue is None:
            return -1
        queue.add(key, val)
        return 1

    @export
    def mq_fetch(self, run: Run, mq: str) -> int:
        """Take the oldest pair out, for ``$mqk(mq)`` and ``$mqv(mq)``: 1, -2 the queue is empty, -1 no such queue."""
        queue = self._find("mq_fetch", mq)
        if queue is None:
            return -1
        queue.fetched = queue.items.popleft() if queue.items else None
        return 1 if queue.fetched is not None else -2

    @export
    def mq_pv_free(self, run: Run, mq: str) -> int:
        """Forget the pair that was taken out: 1, also without such a queue."""
        queue = self.queues.get(mq)
        if queue is not None:
            queue.fetched = None
        return 1

    @export
    def mq_size(self, run: Run, mq: str) -> int:
        """How many pairs a queue has, -1 without such a queue."""
        queue = self._find("mq_size", mq)
        return -1 if queue is None else len(queue.items)

    def fetched(self, name: str, part: int) -> str | None:
        """Key (0) or value (1) of the pair taken out last, None without one."""
        queue = self.queues.get(name)
        return None if queue is None or queue.fetched is None else queue.fetched[part]

    @export
    def mqk_get(self, run: Run, qname: str) -> Value:
        """The key of the pair taken out last, None without one."""
        return self.fetched(qname, 0)

    @export
    def mqk_gete(self, run: Run, qname: str) -> Value:
        """The key of the pair taken out last, None, as in Kamailio, without one."""
        return self.fetched(qname, 0)

    @export
    def mqk_getw(self, run: Run, qname: str) -> Value:
        """The key of the pair taken out last, None, as in Kamailio, without one."""
        return self.fetched(qname, 0)

    @export
    def mqv_get(self, run: Run, qname: str) -> Value:
        """The value of the pair taken out last, None without one."""
        return self.fetched(qname, 1)

    @export
    def mqv_gete(self, run: Run, qname: str) -> Value:
        """The value of the pair taken out last, None, as in Kamailio, without one."""
        return self.fetched(qname, 1)

    @export
    def mqv_getw(self, run: Run, qname: str) -> Value:
        """The value of the pair taken out last, None, as in Kamailio, without one."""
        return self.fetched(qname, 1)

    # -- RPC ----------------------------------------------------------------------------------------------------------

    @rpc("mqueue.get_size")
    def rpc_get_size(self, params: list[Any]) -> Any:
        """The size of a queue: its name."""
        if not params:
            raise RpcError(400, "No queue name")
        queue = self.queues.get(str(params[0]))
        if queue is None:
            raise RpcError(404, "No such queue")
        return {"name": queue.name, "size": len(queue.items)}

    @rpc("mqueue.get_sizes")
    def rpc_get_sizes(self, params: list[Any]) -> Any:
        """The sizes of all queues."""
        return [{"name": queue.name, "size": len(queue.items)} for queue in reversed(self.queues.values())]

    @rpc("mqueue.fetch")
    def rpc_fetch(self, params: list[Any]) -> Any:
        """Take the oldest pair out of a queue: its name."""
        if not params:
            raise RpcError(500, "No queue name")
        queue = self.queues.get(str(params[0]))
        if queue is None:
            raise RpcError(500, "No such queue")
        if not queue.items:
            raise RpcError(404, "Empty queue")
        key, value = queue.items.popleft()
        return {"key": key, "val": value}


# -- variables --------------------------------------------------------------------------------------------------------


def _module(run: Run) -> Mqueue:
    module: Mqueue = run.proxy.modules["mqueue"]  # type: ignore[assignment]
    return module


def _name(spec: Spec) -> str:
    name = (spec.inner or "").strip()
    if not name:
        raise PvError(f"expected the name of a queue: ${spec.name}(queue)", str(spec))
    return name


@pv_class("mqk", "mqv")
def _fetched(spec: Spec) -> Accessor:
    """Key and value of the pair taken out last; null without one and when it is empty."""
    name = _name(spec)
    part = 0 if spec.name == "mqk" else 1
    return Accessor(spec, lambda run: _module(run).fetched(name, part) or None)


@pv_class("mq_size")
def _mq_size(spec: Spec) -> Accessor:
    name = _name(spec)

    def get(run: Run) -> PvValue:
        queue = _module(run).queues.get(name)
        return None if queue is None else len(queue.items)

    return Accessor(spec, get)
