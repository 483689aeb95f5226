"""Kamailio's ndb_redis: commands to Redis servers, replies kept under a name and read by ``$redis(name=>key)``.

A command waits for its reply, at most ``cmd_timeout`` milliseconds (twice that and a connect when the connection had
to be made anew); other messages flow meanwhile. Of a reply the message that asked keeps it; another message reads,
as in the same worker of Kamailio, whatever was asked last under that name. From MULTI or WATCH to EXEC, DISCARD or
UNWATCH a message has a connection of its own. A sandbox asks nobody: there it looks as if the server were not there.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from ..net.redis import ARRAY, ERROR, Connection, Reply, Server, parse_command, sentinel
from ..pv.errors import PvError
from ..pv.registry import Accessor, Value, pv_class
from ..pv.spec import Spec
from .declare import Module, Param, ParamError, export

if TYPE_CHECKING:
    from ..proxy import Proxy
    from ..run import Run

__all__ = ["NdbRedis"]

log = logging.getLogger("ksrcore.redis")

_KEPT = "ndb_redis"
_OWN = "ndb_redis.connection"
#: Seconds after which a message that began with MULTI and never came to EXEC has lost its connection.
_FORGOTTEN = 10.0
#: How often a command is sent to another node of a cluster at most.
_MOVES = 5


class _Node:
    """A configured server and how it has been doing."""

    def __init__(self, name: str, server: Server) -> None:
        self.name = name
        self.server = server
        self.failures = 0
        #: Left out until then (monotonic seconds).
        self.disabled_until = 0.0


class NdbRedis(Module):
    name = "ndb_redis"

    server = Param("", "name=ID;addr=HOST;port=N;db=N;pass=TEXT, unix=PATH, or sentinel_group, ...", multi=True)
    init_without_redis = Param(0, "1: start although a server cannot be reached: int")
    connect_timeout = Param(1000, "milliseconds until a connection must be there: int")
    cmd_timeout = Param(1000, "milliseconds to wait for a reply: int")
    cluster = Param(0, "1: go where a MOVED reply points to: int")
    allowed_timeouts = Param(-1, "failures in a row until a server is left out for disable_time; -1 never: int")
    disable_time = Param(0, "seconds a server is left out: int")
    flush_on_reconnect = Param(0, "1: FLUSHALL on a connection that replaces one that failed: int")
    allow_dynamic_nodes = Param(0, "1: MOVED may point to a server that is not configured: int")

    def __init__(self, proxy: Proxy) -> None:
        super().__init__(proxy)
        self._nodes: dict[str, _Node] = {}
        self.replies: dict[str, Reply] = {}
        #: Every name there was a reply under.
        self._names: set[str] = set()
        self._bound: list[tuple[Server, Connection]] = []

    def start(self) -> None:
        if self.connect_timeout < 1 or self.cmd_timeout < 1:
            raise ParamError("modparam ndb_redis: connect_timeout and cmd_timeout expect milliseconds from 1")
        for text in self.server:
            self._add(text)
        for node in self._nodes.values() if not self.proxy.sandbox else ():
            try:
                node.server.give(node.server.open())
            except OSError as error:
                if not self.init_without_redis:
                    raise ParamError(
                        f"ndb_redis cannot reach the server {node.name} ({node.server.where}): {error}; "
                        "start it, or set modparam ndb_redis:init_without_redis=1"
                    ) from None
                log.warning("redis %s (%s): %s; starting without it", node.name, node.server.where, error)

    def _add(self, text: str) -> None:
        fields: dict[str, str] = {}
        sentinels: list[tuple[str, int]] = []
        for part in text.split(";"):
            key, equals, value = part.strip().partition("=")
            if key == "sentinel":
                host, _, port = value.rpartition(":")
                if not host or not port.isdigit():
                    raise ParamError(f"modparam ndb_redis:server: sentinel expects HOST:PORT, got {value!r}")
                sentinels.append((host, int(port)))
            elif equals:
                fields[key] = value
        if not fields.get("name"):
            raise ParamError(f"modparam ndb_redis:server expects name=ID;addr=HOST;port=N ..., got {text!r}")
        try:
            number, db = int(fields.get("port", "6379")), int(fields.get("db", "0"))
            master = int(fields.get("sentinel_master", "1")) != 0
        except ValueError as error:
            raise ParamError(f"modparam ndb_redis:server: port, db and sentinel_master are numbers: {error}") from None
        group = fields.get("sentinel_group", "")
        timeout = self.connect_timeout / 1000
        server = Server(
            host=fields.get("addr", ""),
            port=number,
            unix=fields.get("unix", ""),
            password=fields.get("pass", ""),
            db=db,
            connect_timeout=timeout,
            timeout=self.cmd_timeout / 1000,
            locate=(lambda: sentinel(sentinels, group, master, timeout)) if group and sentinels else None,
        )
        self._nodes[fields["name"]] = _Node(fields["name"], server)

    def waits(self) -> bool:
        return bool(self._nodes)

    def stop(self) -> None:
        for node in self._nodes.values():
            node.server.close()
        for _, connection in self._bound:
            connection.close()
        self._bound.clear()

    def fork(self, proxy: Proxy) -> NdbRedis:
        new = super().fork(proxy)
        new.replies = self.replies.copy()
        new._names = self._names.copy()
        new._bound = []
        return new

    # -- commands ---------------------------------------------------------------------------------------------------

    def _command(self, run: Run, name: str, text: str, args: tuple[str, ...], key: str) -> int:
        node = self._nodes.get(name)
        if not name or node is None or not text or not key:
            log.error("redis: no server %r, or no command or reply name", name)
            return -1
        self._forget(run, key)
        self._names.add(key)
        if self.proxy.sandbox:
            log.error("redis %s: a sandbox asks nobody", name)
            return -1
        now = self.proxy.now
        if node.disabled_until > now:
            return -2
        if node.disabled_until:
            node.disabled_until = 0.0
            node.failures = 0
            log.warning("redis %s is tried again", name)
        try:
            words = parse_command(text, args)
        except ValueError as error:
            log.error("redis %s: %s", name, error)
            return -1
        connection = self._acquire(run, node.server)
        try:
            reply, used = self.proxy.wait(lambda: self._exchange(node.server, connection, words))
        except OSError as error:
            run.msg.extra.pop(_OWN, None)
            log.error("redis %s (%s): %s", name, node.server.where, error)
            self._failed(node)
            return -1
        node.failures = 0
        self._release(run, node.server, used, words, reply)
        for _ in range(_MOVES):
            if not self.cluster or reply.type != ERROR or not str(reply.value).startswith("MOVED "):
                break
            other = self._moved(str(reply.value))
            if other is None:
                return -1
            spare = other.server.take()
            try:
                reply, used = self.proxy.wait(lambda o=other, s=spare: self._exchange(o.server, s, words))  # type: ignore[misc]
            except OSError as error:
                log.error("redis %s (%s): %s", other.name, other.server.where, error)
                self._failed(other)
                return -1
            other.server.give(used)
        self._keep(run, key, reply)
        if reply.type == ERROR:
            log.error("redis %s: %s", name, reply.value)
            return -1
        return 0

    def _exchange(self, server: Server, connection: Connection | None, words: list[str]) -> tuple[Reply, Connection]:
        """Ask, once more on a new connection if the one there is fails. Called without the core."""
        if connection is not None:
            try:
                if connection.db != server.db and words[0].upper() != "SELECT":
                    connection.command(["SELECT", str(server.db)])
                    connection.db = server.db
                return connection.command(words), connection
            except OSError:
                connection.close()
        connection = server.open()
        try:
            if self.flush_on_reconnect:
                connection.command(["FLUSHALL"])
            return connection.command(words), connection
        except BaseException:
            connection.close()
            raise

    def _failed(self, node: _Node) -> None:
        if self.allowed_timeouts < 0:
            return
        node.failures += 1
        if node.failures > self.allowed_timeouts:
            node.disabled_until = self.proxy.now + self.disable_time
            log.warning("redis %s is left out for %d s", node.name, self.disable_time)

    def _moved(self, text: str) -> _Node | None:
        """The server that ``MOVED slot host:port`` points to."""
        name = text.split()[-1]
        node = self._nodes.get(name)
        host, _, port = name.rpartition(":")
        if node is None and self.allow_dynamic_nodes and host and port.isdigit():
            any_server = next(iter(self._nodes.values())).server
            server = Server(
                host=host,
                port=int(port),
                password=any_server.password,
                db=any_server.db,
                connect_timeout=any_server.connect_timeout,
                timeout=any_server.timeout,
            )
            node = self._nodes[name] = _Node(name, server)
        if node is None:
            log.error("redis: %s points to a server that is not configured under that name", text)
        return node

    # -- connections: one for each command that is under way, and one for a message between MULTI and EXEC ------------

    def _acquire(self, run: Run, server: Server) -> Connection | None:
        own = run.msg.extra.get(_OWN)
        if isinstance(own, tuple) and own[0] is server:
            self._bound = [entry for entry in self._bound if entry[1] is not own[1]]
            return own[1]  # type: ignore[no-any-return]
        now = self.proxy.now
        for entry in [entry for entry in self._bound if entry[1].bound_until < now]:
            self._bound.remove(entry)
            entry[1].close()
        return server.take()

    def _release(self, run: Run, server: Server, connection: Connection, words: list[str], reply: Reply) -> None:
        verb = words[0].upper()
        if verb == "SELECT" and reply.type != ERROR and words[1:2] and words[1].isdigit():
            # As in a worker of Kamailio, which has one connection: further commands go there, too.
            server.db = connection.db = int(words[1])
        own = run.msg.extra.pop(_OWN, None) is not None
        if (verb in ("MULTI", "WATCH") and reply.type != ERROR) or (own and verb not in ("EXEC", "DISCARD", "UNWATCH")):
            connection.bound_until = self.proxy.now + _FORGOTTEN
            run.msg.extra[_OWN] = (server, connection)
            self._bound.append((server, connection))
        else:
            server.give(connection)

    # -- replies ------------------------------------------------------------------------------------------------------

    def _keep(self, run: Run, key: str, reply: Reply) -> None:
        kept = run.msg.extra.setdefault(_KEPT, {})
        kept[key] = reply  # type: ignore[index]
        self.replies[key] = reply

    def _forget(self, run: Run, key: str) -> None:
        kept = run.msg.extra.get(_KEPT)
        if isinstance(kept, dict):
            kept.pop(key, None)
        self.replies.pop(key, None)

    def reply(self, run: Run, key: str) -> Reply | None:
        """The reply kept under that name: this message's, or whoever's was the latest."""
        kept = run.msg.extra.get(_KEPT)
        found = kept.get(key) if isinstance(kept, dict) else None
        return found if found is not None else self.replies.get(key)

    # -- KEMI ---------------------------------------------------------------------------------------------------------

    @export
    def redis_cmd(self, run: Run, srv: str, rcmd: str, sres: str) -> int:
        """Ask the server ``srv`` and keep the reply as ``sres``: 0; -1 for an error or no reply, -2 left out now.

        Of an error that the server replied the text is in ``$redis(name=>info)``.
        """
        return self._command(run, srv, rcmd, (), sres)

    @export
    def redis_cmd_p1(self, run: Run, srv: str, rcmd: str, p1: str, sres: str) -> int:
        """``redis_cmd`` with a value for the ``%s`` in the command: it may have blanks."""
        return self._command(run, srv, rcmd, (p1,), sres)

    @export
    def redis_cmd_p2(self, run: Run, srv: str, rcmd: str, p1: str, p2: str, sres: str) -> int:
        """``redis_cmd`` with two values."""
        return self._command(run, srv, rcmd, (p1, p2), sres)

    @export
    def redis_cmd_p3(self, run: Run, srv: str, rcmd: str, p1: str, p2: str, p3: str, sres: str) -> int:
        """``redis_cmd`` with three values."""
        return self._command(run, srv, rcmd, (p1, p2, p3), sres)

    @export
    def redis_free(self, run: Run, name: str) -> int:
        """Forget a reply: 1, -1 when there never was one of that name."""
        if name not in self._names:
            return -1
        self._forget(run, name)
        return 1


# -- variables --------------------------------------------------------------------------------------------------------

_CONSTANTS = {"rpl_str": 1, "rpl_arr": 2, "rpl_int": 3, "rpl_nil": 4, "rpl_sts": 5, "rpl_err": 6}


@pv_class("redisd")
def _redisd(spec: Spec) -> Accessor:
    """``$redisd(rpl_int)``: the number of a type of reply."""
    value = _CONSTANTS.get(spec.inner or "")
    if value is None:
        raise PvError(f"$redisd expects one of {', '.join(_CONSTANTS)}, got ({spec.inner})", str(spec))
    return Accessor(spec, lambda run: value)


def _key(spec: Spec, text: str) -> tuple[str, int | None]:
    key, bracket, index = text.strip().partition("[")
    if bracket:
        number = index[:-1] if index.endswith("]") else ""
        if key not in ("type", "value") or not number.isdigit():
            raise PvError(f"expected value[N] or type[N], got {text!r}", str(spec))
        return key, int(number)
    if key not in ("type", "value", "info", "size"):
        raise PvError(f"expected type, value, info, size, value[N] or type[N], got {text!r}", str(spec))
    return key, None


@pv_class("redis")
def _redis(spec: Spec) -> Accessor:
    """``$redis(name=>key)``: of a reply type, value, info or size; of an array value[N], type[N]."""
    name, *parts = (part.strip() for part in (spec.inner or "").split("=>"))
    if not name or not parts:
        raise PvError("$redis expects name=>key such as $redis(r=>value)", str(spec))
    keys = [_key(spec, part) for part in parts]
    if any(key != "value" or index is None for key, index in keys[:-1]):
        raise PvError("only value[N] of $redis can be followed by =>", str(spec))

    def get(run: Run) -> Value:
        module: NdbRedis = run.proxy.modules["ndb_redis"]  # type: ignore[assignment]
        reply = module.reply(run, name)
        for key, index in keys:
            if reply is None:
                return None
            if index is None:
                return _read(reply, key)
            items = reply.value if isinstance(reply.value, tuple) else ()
            reply = items[index] if index < len(items) else None
            if reply is not None and key == "type":
                return reply.type
        return _read(reply, "value") if reply is not None else None

    return Accessor(spec, get)


def _read(reply: Reply, key: str) -> Value:
    value = reply.value
    if key == "type":
        return reply.type
    if key == "size":
        return len(value) if reply.type == ARRAY and isinstance(value, tuple) else None
    if key == "info":
        return value if isinstance(value, str) else None
    # The text of a status or an error is info.
    return value if reply.type in (1, 3) and not isinstance(value, tuple) else None
