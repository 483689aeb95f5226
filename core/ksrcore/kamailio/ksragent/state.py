"""The state page of a server: a file that its processes and the node map, and the folder that it is in.

Fixed places, native byte order; the layout version says which. Written by the node: ``attached``, ``epoch``, ``node``,
the held table's clearing. Written by the server: everything else. Nothing in it needs a lock but taking a slot.

======  =====================================================================================================
offset  what
======  =====================================================================================================
0       ``KSRAGENT``, u32 layout version, u32 attached (1: a node is there)
16      u64 generation (unix nanoseconds of the server's start), u64 epoch (moves when something waits for workers)
32      u32 the node's process id, u32 the server's main process, 32 bytes secret (hex digits)
72      u32 length of the text of facts; the text (JSON) from 1024 on
4096    held table: 1024 slots of u64 hash, u32 process id, u32 until (unix seconds)
20480   processes: 512 slots of u32 pid, i32 rank, u64 epoch seen, u64 messages, u64 exceptions, u32 linked, u32 spare
======  =====================================================================================================
"""

from __future__ import annotations

import fcntl
import json
import mmap
import os
import stat
import struct
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

MAGIC = b"KSRAGENT"
LAYOUT = 1
FACTS_AT = 1024
HELD_AT = 4096
HELD_SLOTS = 1024
PROCS_AT = 20480
PROC_SLOTS = 512
PROC_SIZE = 64
SIZE = PROCS_AT + PROC_SLOTS * PROC_SIZE

#: Index of a value in the page seen as u64 words.
GENERATION, EPOCH = 2, 3

_PROC = struct.Struct("=IiQQQII")
_HELD = struct.Struct("=QII")
_U32 = struct.Struct("=I")


class PageError(Exception):
    """A state page cannot be used: one line."""


class Proc(NamedTuple):
    """A process of the server. ``rank`` as Kamailio's child_init gives it; ``epoch``: the last one it saw."""

    slot: int
    pid: int
    rank: int
    epoch: int
    messages: int
    exceptions: int
    linked: int


class Page:
    """A mapped state page. ``words``: the page as u64 numbers; ``words[EPOCH]`` is the read that a callback costs."""

    def __init__(self, path: str, *, create: dict[str, Any] | None = None, secret: str = "") -> None:
        """Map the page at ``path``. ``create``: make it anew, with these facts; ``generation`` is one of them.

        Raises :class:`PageError` or OSError.
        """
        flags = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW
        self.path = path
        self.life_fd = self.folder_fd = -1
        self.fd = os.open(path, flags | (os.O_CREAT | os.O_EXCL if create is not None else 0), 0o600)
        try:
            status = os.fstat(self.fd)
            self.inode = status.st_ino
            self.owner = status.st_uid
            if create is not None:
                # Not a hole: to write to one when the disk is full ends the process (SIGBUS).
                os.posix_fallocate(self.fd, 0, SIZE)
            elif status.st_size < SIZE:
                raise PageError(f"{path} is no state page: it has {status.st_size} bytes, expected {SIZE}")
            self.map = mmap.mmap(self.fd, SIZE)
        except BaseException:
            os.close(self.fd)
            raise
        if create is not None:
            self._fill(create, secret)
        if self.map[:8] != MAGIC:
            self.close()
            raise PageError(f"{path} is no state page")
        (layout,) = _U32.unpack_from(self.map, 8)
        if layout != LAYOUT:
            self.close()
            raise PageError(
                f"{path} has layout {layout}, this ksrshell knows {LAYOUT}: the server has another version of the agent"
            )
        self.words = memoryview(self.map).cast("Q")

    def _fill(self, facts: dict[str, Any], secret: str) -> None:
        text = json.dumps(facts, separators=(",", ":")).encode()
        room = HELD_AT - FACTS_AT
        if len(text) > room:
            raise PageError(f"the facts about the server take {len(text)} bytes, there is room for {room}")
        struct.pack_into("=I", self.map, 8, LAYOUT)
        struct.pack_into("=Q", self.map, 16, facts["generation"])
        struct.pack_into("=II32s", self.map, 32, 0, facts["pid"], secret.encode())
        _U32.pack_into(self.map, 72, len(text))
        self.map[FACTS_AT : FACTS_AT + len(text)] = text
        self.map[:8] = MAGIC  # last: it is whole now

    def close(self) -> None:
        words = getattr(self, "words", None)
        if words is not None:
            words.release()
        self.map.close()
        self.let_go()

    def let_go(self) -> None:
        """In a child of the server's process that is none of its own: what is locked is the server's alone. The memory
        stays mapped, because callbacks that were called before read it."""
        for fd in (self.fd, self.life_fd, self.folder_fd):
            if fd >= 0:
                os.close(fd)
        self.fd = self.life_fd = self.folder_fd = -1

    # -- the server as a whole ----------------------------------------------------------------------------------

    @property
    def facts(self) -> dict[str, Any]:
        """What the server said of itself at its start: name, script, pid, uid, started, version, generation ..."""
        (length,) = _U32.unpack_from(self.map, 72)
        facts: dict[str, Any] = json.loads(self.map[FACTS_AT : FACTS_AT + length])
        return facts

    @property
    def generation(self) -> int:
        return int(self.words[GENERATION])

    @property
    def epoch(self) -> int:
        return int(self.words[EPOCH])

    def bump(self) -> int:
        """Something waits for the workers. The node's: nobody else writes the epoch."""
        self.words[EPOCH] = epoch = self.words[EPOCH] + 1
        return int(epoch)

    @property
    def attached(self) -> bool:
        return bool(_U32.unpack_from(self.map, 12)[0])

    @attached.setter
    def attached(self, on: bool) -> None:
        _U32.pack_into(self.map, 12, int(on))

    @property
    def node(self) -> int:
        """The process id of the node, 0 when there is none."""
        return int(_U32.unpack_from(self.map, 32)[0])

    @node.setter
    def node(self, pid: int) -> None:
        _U32.pack_into(self.map, 32, pid)

    @property
    def secret(self) -> str:
        return self.map[40:72].decode("ascii")

    def hold_life(self) -> None:
        """This process is one of the server's: the page is alive as long as one of them is. Whoever tidies up folders
        for temporary files (systemd-tmpfiles) leaves alone one that is locked."""
        # Not the descriptor that is mapped: a map keeps one of its own, which a child could not close.
        self.life_fd = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        if os.fstat(self.life_fd).st_ino != self.inode:
            raise PageError(f"{self.path} was exchanged meanwhile")
        fcntl.flock(self.life_fd, fcntl.LOCK_SH)
        self.folder_fd = os.open(os.path.dirname(self.path), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        fcntl.flock(self.folder_fd, fcntl.LOCK_SH)

    def alive(self) -> bool:
        """Whether a process of the server lives. Not to be asked by one of them."""
        try:
            fcntl.flock(self.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return True
        fcntl.flock(self.fd, fcntl.LOCK_UN)
        return False

    # -- processes ------------------------------------------------------------------------------------------------

    def take_slot(self, pid: int, rank: int, lock: int) -> int:
        """A slot for a process, -1 when all are taken. ``lock``: a descriptor that all its processes may lock."""
        fcntl.lockf(lock, fcntl.LOCK_EX)
        try:
            for slot in range(PROC_SLOTS):
                at = PROCS_AT + slot * PROC_SIZE
                (taken,) = _U32.unpack_from(self.map, at)
                if not taken or taken == pid:
                    _PROC.pack_into(self.map, at, pid, rank, 0, 0, 0, 0, 0)
                    return slot
            return -1
        finally:
            fcntl.lockf(lock, fcntl.LOCK_UN)

    def slot_words(self, slot: int) -> memoryview:
        """The slot as u64 words: 1 epoch seen, 2 messages, 3 exceptions. Its process writes it."""
        at = (PROCS_AT + slot * PROC_SIZE) // 8
        return self.words[at : at + PROC_SIZE // 8]

    def set_linked(self, slot: int, linked: bool) -> None:
        _U32.pack_into(self.map, PROCS_AT + slot * PROC_SIZE + 32, int(linked))

    def procs(self) -> list[Proc]:
        """The processes of the server that have the agent."""
        found = []
        for slot in range(PROC_SLOTS):
            values = _PROC.unpack_from(self.map, PROCS_AT + slot * PROC_SIZE)
            if not values[0]:
                break
            found.append(Proc(slot, *values[:6]))
        return found

    # -- held messages --------------------------------------------------------------------------------------------

    def held(self) -> Iterator[tuple[int, int, int, int]]:
        """``slot hash pid until`` of the slots that are taken."""
        for slot in range(HELD_SLOTS):
            hash, pid, until = _HELD.unpack_from(self.map, HELD_AT + slot * _HELD.size)
            if hash:
                yield slot, hash, pid, until

    def set_held(self, slot: int, hash: int, pid: int, until: int) -> None:
        """``hash`` 0: the slot is free."""
        _HELD.pack_into(self.map, HELD_AT + slot * _HELD.size, hash, pid, until)


def check_folder(path: str, uid: int) -> None:
    """Raises :class:`PageError` unless it is a real directory of that user, closed to others."""
    status = os.lstat(path)
    if not stat.S_ISDIR(status.st_mode):
        raise PageError(f"{path} is no directory")
    if status.st_uid != uid:
        raise PageError(f"{path} belongs to user {status.st_uid}, the server runs as {uid}")
    if stat.S_IMODE(status.st_mode) & 0o077:
        raise PageError(f"{path} is open to others: chmod 700")
