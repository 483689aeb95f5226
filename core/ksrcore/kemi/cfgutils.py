"""Kamailio's cfgutils: chance, pauses, locks, global flags, what a server's memory holds.

A pause and a lock that another message holds stop only the message that waits (``Proxy.wait``).
"""

from __future__ import annotations

import logging
import os
import resource
import time
from collections.abc import Collection
from hashlib import md5
from threading import Condition
from typing import TYPE_CHECKING, Any, Self

from ..pv.transformations.s_hash import core_hash
from .declare import KsrError, Module, Param, ParamError, RpcError, export, rpc

if TYPE_CHECKING:
    from ..proxy import Proxy
    from ..run import Run

__all__ = ["Cfgutils"]

log = logging.getLogger("ksrcore.cfgutils")

#: How long a message waits for a lock that another holds, in seconds. Kamailio waits for ever.
LOCK_WAIT = 10.0

_MASK = 0xFFFFFFFF


class Locks:
    """As many locks as ``size`` says; keys share them by their hash. ``holders``: the task that took each, or None."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.holders: dict[int, object] = {}
        self.changed = Condition()

    def slot(self, key: str) -> int:
        return core_hash(key) & (self.size - 1)

    def take(self, slot: int, holder: object) -> bool:
        with self.changed:
            if slot in self.holders:
                return False
            self.holders[slot] = holder
            return True

    def wait(self, slot: int, seconds: float) -> None:
        """Until the lock is free, or for so long."""
        with self.changed:
            self.changed.wait_for(lambda: slot not in self.holders, seconds)

    def release(self, slot: int) -> None:
        with self.changed:
            self.holders.pop(slot, None)
            self.changed.notify_all()


class Cfgutils(Module):
    name = "cfgutils"

    initial_probability = Param(10, "probability of rand_event, percent: int")
    hash_file = Param("", "a file whose changes cfgutils.check_config_hash tells: str")
    initial_gflags = Param(0, "the global flags at the start, a bit mask: int")
    lock_set_size = Param(0, "there are 2 to the power of this many locks, 0 none: int")

    def __init__(self, proxy: Proxy) -> None:
        super().__init__(proxy)
        self.probability = 10
        self.gflags = 0
        self.locks: Locks | None = None
        self._hash = ""

    def waits(self) -> Collection[str]:
        pauses = ("sleep", "usleep")
        return (*pauses, "lock", "lock_key2") if self.locks is not None else pauses

    def start(self) -> None:
        self.probability = self.initial_probability
        self.gflags = self.initial_gflags & _MASK
        if not 0 <= self.lock_set_size <= 16:
            raise ParamError(f"modparam cfgutils:lock_set_size expects 0 to 16, got {self.lock_set_size}")
        if self.lock_set_size:
            self.locks = Locks(1 << self.lock_set_size)
        if self.hash_file:
            try:
                self._hash = self._file_hash()
            except OSError as error:
                raise ParamError(f"modparam cfgutils:hash_file {self.hash_file}: {error.strerror}") from None

    def fork(self, proxy: Proxy) -> Self:
        new = super().fork(proxy)
        if self.locks is not None:
            new.locks = Locks(self.locks.size)
            new.locks.holders = dict(self.locks.holders)
        return new

    # -- chance -------------------------------------------------------------------------------------------------------

    @export
    def rand_event(self, run: Run) -> int:
        """1 with the probability set, else -1."""
        return 1 if self.proxy.random.random() * 100 < self.probability else -1

    @export
    def rand_set_prob(self, run: Run, percent_par: int) -> int:
        """Set the probability of rand_event, in percent: 1."""
        self.probability = percent_par
        return 1

    @export
    def rand_get_prob(self, run: Run) -> int:
        """The probability of rand_event, in percent."""
        return self.probability

    @export
    def rand_reset_prob(self, run: Run) -> int:
        """Set the probability of rand_event to the initial one: 1."""
        self.probability = self.initial_probability
        return 1

    @export
    def core_hash(self, run: Run, s1: str, s2: str, sz: int) -> int:
        """A hash of one or two texts: from 1 to 2 to the power of ``sz``, which is from 1 to 31."""
        size = 1 << (sz % 32) if sz > 0 else 2
        return (core_hash(s1, s2) & (size - 1)) + 1

    # -- pauses and locks ---------------------------------------------------------------------------------------------

    def _pause(self, seconds: float) -> int:
        if self.proxy.sandbox:
            log.info("a sandbox does not wait %g s", seconds)
        elif seconds > 0:
            self.proxy.wait(lambda: time.sleep(seconds))
        return 1

    @export
    def sleep(self, run: Run, v: int) -> int:
        """This message waits so many seconds, others do not: 1."""
        return self._pause(v)

    @export
    def usleep(self, run: Run, v: int) -> int:
        """This message waits so many microseconds, others do not: 1."""
        return self._pause(v / 1_000_000)

    def _lock(self, function: str, key: str, wait: bool) -> int:
        locks = self.locks
        if locks is None:
            log.error("%s: there are no locks: set modparam cfgutils:lock_set_size", function)
            return -1
        slot = locks.slot(key)
        task = self.proxy.tasks.current
        until = time.monotonic() + LOCK_WAIT
        while not locks.take(slot, task):
            left = until - time.monotonic()
            if not wait:
                return -1
            # Who would wait for itself, or outside of a task, where all stands still, would wait in vain.
            if self.proxy.sandbox or task is None or locks.holders.get(slot) is task or left <= 0:
                log.error("%s: %r, or a key that shares its lock, is locked and was not unlocked", function, key)
                return -1
            self.proxy.wait(lambda left=left: locks.wait(slot, left))  # type: ignore[misc]
        return 1

    def _unlock(self, function: str, key: str) -> int:
        locks = self.locks
        if locks is None:
            log.error("%s: there are no locks: set modparam cfgutils:lock_set_size", function)
            return -1
        locks.release(locks.slot(key))
        return 1

    @export
    def lock(self, run: Run, lkey: str) -> int:
        """Lock a key, waiting for whoever has it: 1; -1 without locks, and when it is not free within 10 seconds."""
        return self._lock("lock", lkey, True)

    @export
    def trylock(self, run: Run, lkey: str) -> int:
        """Lock a key: 1, -1 when it is locked or there are no locks."""
        return self._lock("trylock", lkey, False)

    @export
    def unlock(self, run: Run, lkey: str) -> int:
        """Unlock a key, whoever locked it: 1, -1 without locks."""
        return self._unlock("unlock", lkey)

    @export
    def lock_key2(self, run: Run, lkey1: str, lkey2: str) -> int:
        """``lock`` for two texts as one key (Kamailio 6.0 and later)."""
        return self._lock("lock_key2", lkey1 + lkey2, True)

    @export
    def trylock_key2(self, run: Run, lkey1: str, lkey2: str) -> int:
        """``trylock`` for two texts as one key (Kamailio 6.0 and later)."""
        return self._lock("trylock_key2", lkey1 + lkey2, False)

    @export
    def unlock_key2(self, run: Run, lkey1: str, lkey2: str) -> int:
        """``unlock`` for two texts as one key (Kamailio 6.0 and later)."""
        return self._unlock("unlock_key2", lkey1 + lkey2)

    # -- the server ---------------------------------------------------------------------------------------------------

    @export
    def abort(self, run: Run) -> int:
        """End the server at once, as a crash would (SIGABRT). Raises KsrError in a sandbox."""
        if self.proxy.sandbox:
            raise KsrError("KSR.cfgutils.abort: a sandbox does not end the server")
        log.critical("KSR.cfgutils.abort was called")
        os.abort()

    def _memory(self) -> int:
        log.warning("memory: at most %d KiB were in use", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
        return 1

    @export
    def pkg_status(self, run: Run) -> int:
        """Log how much memory the server has used: 1. There is no memory of Kamailio's kinds here."""
        return self._memory()

    @export
    def pkg_summary(self, run: Run) -> int:
        """``pkg_status``."""
        return self._memory()

    @export
    def shm_status(self, run: Run) -> int:
        """``pkg_status``."""
        return self._memory()

    @export
    def shm_summary(self, run: Run) -> int:
        """``pkg_status``."""
        return self._memory()

    @export
    def check_route_exists(self, run: Run, route: str) -> int:
        """-1: only scripts in the native language have routes by name."""
        return -1

    @export
    def route_if_exists(self, run: Run, route: str) -> int:
        """-1: only scripts in the native language have routes by name."""
        return -1

    # -- RPC ----------------------------------------------------------------------------------------------------------

    def _mask(self, params: list[Any]) -> int:
        if not params:
            raise RpcError(500, "Invalid Parameters")
        return params[0] & _MASK if isinstance(params[0], int) else 0

    @rpc("cfgutils.rand_set_prob")
    def rpc_rand_set_prob(self, params: list[Any]) -> Any:
        """Set the probability of rand_event: percent."""
        if not params:
            raise RpcError(500, "Invalid Parameters")
        percent = params[0] if isinstance(params[0], int) else 0
        if not 0 <= percent <= 100:
            raise RpcError(500, "Invalid Percent")
        self.probability = percent
        return {}

    @rpc("cfgutils.rand_reset_prob")
    def rpc_rand_reset_prob(self, params: list[Any]) -> Any:
        """Set the probability of rand_event to the initial one."""
        self.probability = self.initial_probability
        return {}

    @rpc("cfgutils.rand_get_prob")
    def rpc_rand_get_prob(self, params: list[Any]) -> Any:
        """The probability of rand_event."""
        return f"actual probability: {self.probability} percent"

    @rpc("cfgutils.check_config_hash")
    def rpc_check_config_hash(self, params: list[Any]) -> Any:
        """Whether the file of the parameter hash_file has changed."""
        if not self.hash_file:
            raise RpcError(500, "No hash file")
        try:
            now = self._file_hash()
        except OSError:
            raise RpcError(500, "Failed to hash the file") from None
        return "Identical hash" if now == self._hash else "Different hash"

    @rpc("cfgutils.get_config_hash")
    def rpc_get_config_hash(self, params: list[Any]) -> Any:
        """The hash of the file of the parameter hash_file at the start, '' without one."""
        return self._hash

    def _file_hash(self) -> str:
        with open(self.hash_file, "rb") as file:
            return md5(file.read(), usedforsecurity=False).hexdigest()

    @rpc("cfgutils.set_gflag")
    def rpc_set_gflag(self, params: list[Any]) -> Any:
        """Set global flags: a bit mask."""
        self.gflags |= self._mask(params)
        return {}

    @rpc("cfgutils.reset_gflag")
    def rpc_reset_gflag(self, params: list[Any]) -> Any:
        """Clear global flags: a bit mask."""
        self.gflags &= ~self._mask(params)
        return {}

    @rpc("cfgutils.is_gflag")
    def rpc_is_gflag(self, params: list[Any]) -> Any:
        """TRUE when all flags of a bit mask are set, else FALSE."""
        mask = self._mask(params)
        return "TRUE" if self.gflags & mask == mask else "FALSE"

    @rpc("cfgutils.get_gflags")
    def rpc_get_gflags(self, params: list[Any]) -> Any:
        """The global flags."""
        return f"0x{self.gflags:X} ({self.gflags})"
