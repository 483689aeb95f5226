"""Kamailio's pipelimit: how many messages a pipe lets pass in an interval; pipes are made as they are named.

Algorithms: ``taildrop`` lets ``limit`` messages pass in each ``timer_interval`` seconds, ``red`` every so many-th of
what came in the interval before, ``feedback`` drops so that the machine's load stays below ``limit`` percent,
``network`` looks at what waits in the receive queues of the system.
"""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, Any, Self

from ..store.errors import StoreError
from .dbparam import DbModule
from .declare import Param, ParamError, RpcError, export, rpc

if TYPE_CHECKING:
    from ..proxy import Proxy
    from ..run import Run

__all__ = ["Pipelimit"]

log = logging.getLogger("ksrcore.pipelimit")

ALGORITHMS = ("NOP", "RED", "TAILDROP", "FEEDBACK", "NETWORK")


class Pipe:
    """``counter``: messages of this interval; ``last``: of the one before; ``load``: it was over its limit then."""

    def __init__(self, name: str, algorithm: str, limit: int) -> None:
        self.name = name
        self.algorithm = algorithm
        self.limit = limit
        self.counter = 0
        self.last = 0
        self.load = 0
        self.unused = 0

    def copy(self) -> Pipe:
        new = Pipe(self.name, self.algorithm, self.limit)
        new.counter, new.last, new.load, new.unused = self.counter, self.last, self.load, self.unused
        return new


class Pipelimit(DbModule):
    """``pipes``: by name. ``drop_rate``: percent, of the feedback algorithm."""

    name = "pipelimit"

    hash_size = Param(6, "no effect: int")
    plp_table_name = Param("pl_pipes", "table of pipes, read at the start when there is a db_url: str")
    plp_pipeid_column = Param("pipeid", "column with a pipe's name: str")
    plp_limit_column = Param("pipelimit", "column with its limit: str")
    plp_algorithm_column = Param("algorithm", "column with its algorithm: str")
    timer_interval = Param(10, "seconds of an interval: int")
    timer_mode = Param(0, "no effect: int")
    load_fetch = Param(1, "0: the load is not read, and the feedback algorithm drops nothing: int")
    reply_code = Param(503, "code of pl_drop: int")
    reply_reason = Param("Server Unavailable", "reason phrase of pl_drop: str")
    clean_unused = Param(0, "a pipe that was not used for so many intervals is forgotten, 0 never: int")
    named = ("plp_table_name", "plp_pipeid_column", "plp_limit_column", "plp_algorithm_column")

    def __init__(self, proxy: Proxy) -> None:
        super().__init__(proxy)
        self.pipes: dict[str, Pipe] = {}
        self.drop_rate = 0.0
        self.load = 0.0
        self._pid = [-25.0, 0.0, 0.0]
        self._errors = [0.0, 0.0]

    def start(self) -> None:
        if self.timer_interval < 1:
            raise ParamError(f"modparam pipelimit:timer_interval expects seconds from 1, got {self.timer_interval}")
        if self.db_url:
            super().start()
            try:
                self._read()
            except StoreError as error:
                raise ParamError(f"modparam pipelimit: {error}") from None
        self.proxy.after(self.timer_interval, self._tick, every=float(self.timer_interval))

    def fork(self, proxy: Proxy) -> Self:
        new = super().fork(proxy)
        new.pipes = {name: pipe.copy() for name, pipe in self.pipes.items()}
        return new

    def _read(self) -> None:
        columns = f'"{self.plp_pipeid_column}", "{self.plp_algorithm_column}", "{self.plp_limit_column}"'
        for name, algorithm, limit in self.rows(f'SELECT {columns} FROM "{self.plp_table_name}"'):
            if str(algorithm).upper() not in ALGORITHMS:
                raise StoreError(f"pipe {name}: {algorithm!r} is no algorithm; expected {', '.join(ALGORITHMS)}")
            self.pipes[str(name)] = Pipe(str(name), str(algorithm).upper(), int(limit))

    def _tick(self) -> None:
        """An interval has ended."""
        if self.load_fetch and any(pipe.algorithm == "FEEDBACK" for pipe in self.pipes.values()):
            self.load = os.getloadavg()[0] / (os.cpu_count() or 1)
        for name, pipe in list(self.pipes.items()):
            pipe.unused = 0 if pipe.counter else pipe.unused + 1
            if self.clean_unused and pipe.unused >= self.clean_unused:
                del self.pipes[name]
                continue
            pipe.load = int(pipe.counter > pipe.limit > 0)
            pipe.last, pipe.counter = pipe.counter, 0
            if pipe.algorithm == "FEEDBACK":
                self._feed(pipe.limit / 100.0)

    def _feed(self, wanted: float) -> None:
        """A PID controller: how many percent are dropped in the next interval."""
        error = wanted - self.load
        integral = self._errors[0] + error if -1000 < self._errors[0] < 1000 else self._errors[0]
        rate = self._pid[0] * integral * 0.01 + self._pid[1] * error + self._pid[2] * (error - self._errors[1])
        self._errors = [integral, error]
        self.drop_rate = min(max(rate, 0.0), 99.0)

    def _passes(self, pipe: Pipe) -> int:
        pipe.counter += 1
        limit = pipe.limit
        if pipe.algorithm == "TAILDROP":
            return 1 if pipe.counter <= limit else -1
        if pipe.algorithm == "RED":
            every = pipe.last // limit if limit > 0 else 0
            return -1 if every > 1 and pipe.counter % every else 1
        if pipe.algorithm == "FEEDBACK":
            return -1 if self.proxy.random.random() * 100 < self.drop_rate else 1
        if pipe.algorithm == "NETWORK":
            return -1 if limit > 0 and _waiting() >= limit else 1
        return 1

    # -- KEMI ---------------------------------------------------------------------------------------------------------

    @export
    def pl_check(self, run: Run, pipeid: str) -> int:
        """Count a message: 1 it passes, -1 the limit is reached, -2 there is no such pipe."""
        pipe = self.pipes.get(pipeid)
        if pipe is None:
            log.error("pl_check: there is no pipe %r", pipeid)
            return -2
        return self._passes(pipe)

    @export
    def pl_check_limit(self, run: Run, pipeid: str, alg: str, limit: int) -> int:
        """``pl_check`` for a pipe that is made, with algorithm and limit, if it is not there; -2 no such algorithm."""
        pipe = self.pipes.get(pipeid)
        if pipe is None:
            if alg.upper() not in ALGORITHMS:
                log.error("pl_check_limit expects an algorithm %s, got %r", ", ".join(ALGORITHMS).lower(), alg)
                return -2
            pipe = self.pipes[pipeid] = Pipe(pipeid, alg.upper(), limit)
        else:
            pipe.limit = limit
        return self._passes(pipe)

    @export
    def pl_active(self, run: Run, pipeid: str) -> int:
        """1 when there is such a pipe, else -1."""
        return 1 if pipeid in self.pipes else -1

    def _drop(self, run: Run, after: int) -> int:
        if after:
            run.msg.reply_lumps.append(f"Retry-After: {after}\r\n")
        return self.proxy.modules.sl.send_reply(run, self.reply_code, self.reply_reason)

    @export
    def pl_drop(self, run: Run) -> int:
        """Reply with reply_code (503): 1, -1 when it could not be sent."""
        return self._drop(run, 0)

    @export
    def pl_drop_retry(self, run: Run, rafter: int) -> int:
        """``pl_drop`` with Retry-After, in seconds."""
        return self._drop(run, rafter)

    @export
    def pl_drop_range(self, run: Run, rmin: int, rmax: int) -> int:
        """``pl_drop`` with a Retry-After between two numbers of seconds, by chance."""
        if not 0 <= rmin <= rmax:
            log.error("pl_drop_range expects the smaller number first, got %d, %d", rmin, rmax)
            return self._drop(run, max(rmin, 0))
        return self._drop(run, self.proxy.random.randint(rmin, rmax))

    # -- RPC ----------------------------------------------------------------------------------------------------------

    @rpc("pl.stats")
    def rpc_stats(self, params: list[Any]) -> Any:
        """Each pipe's load and what it counted in the interval before."""
        return [f"PIPE: id={pipe.name} load={pipe.load} counter={pipe.last}" for pipe in self.pipes.values()]

    @rpc("pl.get_pipes")
    def rpc_get_pipes(self, params: list[Any]) -> Any:
        """Each pipe's algorithm, limit and counter."""
        return [
            f"PIPE: id={pipe.name} algorithm={pipe.algorithm} limit={pipe.limit} counter={pipe.counter}"
            for pipe in self.pipes.values()
        ]

    def _pipe(self, params: list[Any]) -> Pipe:
        pipe = self.pipes.get(str(params[0]))
        if pipe is None:
            raise RpcError(400, f"Unknown pipe id {params[0]}")
        return pipe

    @rpc("pl.list")
    def rpc_list(self, params: list[Any]) -> Any:
        """All about a pipe, or about all."""
        pipes = [self._pipe(params)] if params else list(self.pipes.values())
        return [
            {
                "name": pipe.name,
                "algorithm": pipe.algorithm,
                "limit": pipe.limit,
                "counter": pipe.counter,
                "last_counter": pipe.last,
                "unused_intervals": pipe.unused,
            }
            for pipe in pipes
        ]

    @rpc("pl.set_pipe")
    def rpc_set_pipe(self, params: list[Any]) -> Any:
        """Change a pipe: name, algorithm, limit."""
        if len(params) < 3:
            return {}
        pipe = self._pipe(params)
        if str(params[1]).upper() not in ALGORITHMS or not isinstance(params[2], int):
            raise RpcError(400, "Unknown algorithm ")
        pipe.algorithm, pipe.limit = str(params[1]).upper(), params[2]
        return {}

    @rpc("pl.get_pid")
    def rpc_get_pid(self, params: list[Any]) -> Any:
        """The factors of the feedback algorithm."""
        return "ki[{:f}] kp[{:f}] kd[{:f}] ".format(*self._pid)

    @rpc("pl.set_pid")
    def rpc_set_pid(self, params: list[Any]) -> Any:
        """Set the factors of the feedback algorithm: ki, kp, kd."""
        try:
            self._pid = [float(params[0]), float(params[1]), float(params[2])]
        except (IndexError, ValueError):
            raise RpcError(400, "expected three numbers") from None
        return {}

    @rpc("pl.push_load")
    def rpc_push_load(self, params: list[Any]) -> Any:
        """Set the load, from 0 to 1."""
        try:
            load = float(params[0])
        except (IndexError, ValueError):
            raise RpcError(400, "expected a number") from None
        if not 0.0 <= load <= 1.0:
            raise RpcError(400, "Value out of range")
        self.load = load
        return {}


def _waiting() -> int:
    """How many bytes wait in the receive queues of this machine's UDP sockets."""
    try:
        with open("/proc/net/udp", encoding="ascii") as file:
            lines = file.read().splitlines()[1:]
    except OSError:
        return 0
    return sum(int(line.split()[4].partition(":")[2], 16) for line in lines)
