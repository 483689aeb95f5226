"""Kamailio's ratelimit: as pipelimit, with numbered pipes, and queues that say which methods go through which pipe."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Self

from .declare import Module, Param, ParamError, RpcError, export, rpc

if TYPE_CHECKING:
    from ..proxy import Proxy
    from ..run import Run

__all__ = ["Ratelimit"]

log = logging.getLogger("ksrcore.ratelimit")

MAX_PIPES = 16
MAX_QUEUES = 10
ALGORITHMS = ("NOP", "RED", "TAILDROP")


class _Pipe:
    __slots__ = ("algorithm", "counter", "last", "limit")

    def __init__(self, algorithm: str, limit: int) -> None:
        self.algorithm = algorithm
        self.limit = limit
        self.counter = 0
        self.last = 0


class Ratelimit(Module):
    """``pipes`` by number; ``queues``: number -> (pipe, method or *)."""

    name = "ratelimit"

    timer_interval = Param(10, "seconds of an interval: int")
    queue = Param("", "PIPE:METHOD, or PIPE:*", multi=True)
    pipe = Param(
        "", "NUMBER:ALGORITHM:LIMIT, messages a second; the algorithms here are TAILDROP, RED and NOP", multi=True
    )

    def __init__(self, proxy: Proxy) -> None:
        super().__init__(proxy)
        self.pipes: dict[int, _Pipe] = {}
        self.queues: list[tuple[int, str]] = []

    def start(self) -> None:
        if self.timer_interval < 1:
            raise ParamError(f"modparam ratelimit:timer_interval expects seconds from 1, got {self.timer_interval}")
        for text in self.pipe:
            number, algorithm, limit = (text.split(":") + ["", "", ""])[:3]
            if not (number.isdigit() and int(number) < MAX_PIPES and algorithm in ALGORITHMS and limit.isdigit()):
                raise ParamError(
                    f"modparam ratelimit:pipe expects NUMBER:ALGORITHM:LIMIT with a number below {MAX_PIPES} and one "
                    f"of the algorithms {', '.join(ALGORITHMS)}, got {text!r}"
                )
            self.pipes[int(number)] = _Pipe(algorithm, int(limit))
        for text in self.queue:
            number, _, method = text.partition(":")
            if not (number.isdigit() and int(number) in self.pipes and method) or len(self.queues) >= MAX_QUEUES:
                raise ParamError(f"modparam ratelimit:queue expects PIPE:METHOD, at most {MAX_QUEUES}, got {text!r}")
            self.queues.append((int(number), method))
        self.proxy.after(self.timer_interval, self._tick, every=float(self.timer_interval))

    def fork(self, proxy: Proxy) -> Self:
        new = super().fork(proxy)
        new.pipes = {}
        for number, pipe in self.pipes.items():
            copied = new.pipes[number] = _Pipe(pipe.algorithm, pipe.limit)
            copied.counter, copied.last = pipe.counter, pipe.last
        return new

    def _tick(self) -> None:
        for pipe in self.pipes.values():
            pipe.last, pipe.counter = pipe.counter, 0

    def _passes(self, pipe: _Pipe) -> int:
        pipe.counter += 1
        limit = pipe.limit * self.timer_interval
        if pipe.algorithm == "TAILDROP":
            return 1 if pipe.counter <= limit else -1
        if pipe.algorithm == "RED":
            every = pipe.last // limit if limit > 0 else 0
            return -1 if every > 1 and pipe.counter % every else 1
        return 1

    @export
    def rl_check(self, run: Run) -> int:
        """Count the request in the pipe of its method's queue: 1 it passes, -1 not, also without such a queue."""
        method = run.msg.method
        for number, wanted in self.queues:
            if wanted in (method, "*"):
                return self._passes(self.pipes[number])
        log.error("rl_check: there is no queue for %s", method)
        return -1

    @export
    def rl_check_pipe(self, run: Run, pipe: int) -> int:
        """Count the message in a pipe, below 0 that of its method: 1 it passes, -1 not, or no such pipe."""
        if pipe < 0:
            return self.rl_check(run)
        found = self.pipes.get(pipe)
        if found is None:
            log.error("rl_check_pipe: there is no pipe %d", pipe)
            return -1
        return self._passes(found)

    # -- RPC ----------------------------------------------------------------------------------------------------------

    @rpc("rl.stats")
    def rpc_stats(self, params: list[Any]) -> Any:
        """Each pipe's counter and limit."""
        return [f"PIPE[{n}]: {pipe.last}/{pipe.limit} (drop rate: 0)" for n, pipe in self.pipes.items()]

    @rpc("rl.get_pipes")
    def rpc_get_pipes(self, params: list[Any]) -> Any:
        """Each pipe's algorithm, counters and limit."""
        return [
            f"PIPE[{n}]: {n}:{pipe.algorithm} {pipe.last}/{pipe.limit} (drop rate: 0) [{pipe.counter}]"
            for n, pipe in self.pipes.items()
        ]

    @rpc("rl.get_queues")
    def rpc_get_queues(self, params: list[Any]) -> Any:
        """Each queue's pipe and method."""
        return [f"QUEUE[{n}]: {pipe}:{method}" for n, (pipe, method) in enumerate(self.queues)]

    @rpc("rl.set_pipe")
    def rpc_set_pipe(self, params: list[Any]) -> Any:
        """Change a pipe: number, algorithm, limit."""
        number, algorithm, limit = (*params, None, None, None)[:3]
        if number not in self.pipes or algorithm not in ALGORITHMS or not isinstance(limit, int):
            raise RpcError(400, "expected the number of a pipe, an algorithm and a limit")
        self.pipes[number].algorithm, self.pipes[number].limit = algorithm, limit
        return {}
