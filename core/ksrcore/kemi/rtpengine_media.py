"""rtpengine's functions for media: recording, blocking, silence, playing."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from .declare import export
from .rtpengine_call import Talk

if TYPE_CHECKING:
    from ..run import Run

__all__ = ["MediaFunctions", "with_branch"]


def with_branch(flags: str, branch: str) -> str:
    """``flags`` with that value of via-branch."""
    if branch in ("", "none"):
        return flags
    return f"{flags} via-branch={branch}".lstrip()


class MediaFunctions(Talk, ABC):
    """Each sends one command about the message's call: 1, or -1 for an error and when no rtpengine is available.

    ``viabranch`` of those ending in 2 is a value of the flag via-branch, none or '' for without.
    """

    @abstractmethod
    def simple(self, run: Run, op: str, flags: str) -> int:
        """Send a command that is expected to give ok: 1, -1."""

    @export
    def start_recording(self, run: Run) -> int:
        """Record the call: 1, -1."""
        return self.simple(run, "start recording", "")

    @export
    def stop_recording(self, run: Run) -> int:
        """End the recording of the call: 1, -1."""
        return self.simple(run, "stop recording", "")

    @export
    def play_media(self, run: Run, flags: str) -> int:
        """Play to the party with the From tag, or of other flags: file=, db-id=, blob=, repeat-times=. 1, -1."""
        return self.simple(run, "play media", flags)

    @export
    def play_media2(self, run: Run, flags: str, viabranch: str) -> int:
        """``play_media`` for a branch."""
        return self.simple(run, "play media", with_branch(flags, viabranch))

    @export
    def play_dtmf(self, run: Run, flags: str) -> int:
        """Put a DTMF event into what the party sends: code=, duration= and pause= in ms, volume=. 1, -1."""
        return self.simple(run, "play DTMF", flags)

    @export
    def block_media(self, run: Run, flags: str) -> int:
        """Stop what the party with the From tag sends (directional), or all do; DTMF still passes: 1, -1."""
        return self.simple(run, "block media", flags)

    @export
    def block_media0(self, run: Run) -> int:
        """``block_media`` without flags."""
        return self.simple(run, "block media", "")

    @export
    def block_media2(self, run: Run, flags: str, viabranch: str) -> int:
        """``block_media`` for a branch."""
        return self.simple(run, "block media", with_branch(flags, viabranch))

    @export
    def unblock_media(self, run: Run, flags: str) -> int:
        """Let pass again what ``block_media`` stopped: 1, -1."""
        return self.simple(run, "unblock media", flags)

    @export
    def unblock_media0(self, run: Run) -> int:
        """``unblock_media`` without flags."""
        return self.simple(run, "unblock media", "")

    @export
    def unblock_media2(self, run: Run, flags: str, viabranch: str) -> int:
        """``unblock_media`` for a branch."""
        return self.simple(run, "unblock media", with_branch(flags, viabranch))

    @export
    def silence_media(self, run: Run, flags: str) -> int:
        """Replace by silence what the party with the From tag sends (directional), or all do: 1, -1."""
        return self.simple(run, "silence media", flags)

    @export
    def silence_media0(self, run: Run) -> int:
        """``silence_media`` without flags."""
        return self.simple(run, "silence media", "")

    @export
    def silence_media2(self, run: Run, flags: str, viabranch: str) -> int:
        """``silence_media`` for a branch."""
        return self.simple(run, "silence media", with_branch(flags, viabranch))

    @export
    def unsilence_media(self, run: Run, flags: str) -> int:
        """Let pass again what ``silence_media`` replaced: 1, -1."""
        return self.simple(run, "unsilence media", flags)

    @export
    def unsilence_media0(self, run: Run) -> int:
        """``unsilence_media`` without flags."""
        return self.simple(run, "unsilence media", "")

    @export
    def unsilence_media2(self, run: Run, flags: str, viabranch: str) -> int:
        """``unsilence_media`` for a branch."""
        return self.simple(run, "unsilence media", with_branch(flags, viabranch))

    @export
    def block_dtmf(self, run: Run, flags: str) -> int:
        """Stop the DTMF events of the party with the From tag (directional), or of all: 1, -1."""
        return self.simple(run, "block DTMF", flags)

    @export
    def block_dtmf0(self, run: Run) -> int:
        """``block_dtmf`` without flags."""
        return self.simple(run, "block DTMF", "")

    @export
    def block_dtmf2(self, run: Run, flags: str, viabranch: str) -> int:
        """``block_dtmf`` for a branch."""
        return self.simple(run, "block DTMF", with_branch(flags, viabranch))

    @export
    def unblock_dtmf(self, run: Run, flags: str) -> int:
        """Let DTMF events pass again: 1, -1."""
        return self.simple(run, "unblock DTMF", flags)

    @export
    def unblock_dtmf0(self, run: Run) -> int:
        """``unblock_dtmf`` without flags."""
        return self.simple(run, "unblock DTMF", "")

    @export
    def unblock_dtmf2(self, run: Run, flags: str, viabranch: str) -> int:
        """``unblock_dtmf`` for a branch."""
        return self.simple(run, "unblock DTMF", with_branch(flags, viabranch))

    @export
    def stop_media(self, run: Run, flags: str) -> int:
        """End what ``play_media`` plays: 1, -1."""
        return self.simple(run, "stop media", flags)

    @export
    def stop_media0(self, run: Run) -> int:
        """``stop_media`` without flags."""
        return self.simple(run, "stop media", "")

    @export
    def stop_media2(self, run: Run, flags: str, viabranch: str) -> int:
        """``stop_media`` for a branch."""
        return self.simple(run, "stop media", with_branch(flags, viabranch))

    @export
    def start_forwarding(self, run: Run, flags: str) -> int:
        """Have the recording daemon forward the audio, directional: of one party: 1, -1."""
        return self.simple(run, "start forwarding", flags)

    @export
    def start_forwarding0(self, run: Run) -> int:
        """``start_forwarding`` without flags."""
        return self.simple(run, "start forwarding", "")

    @export
    def start_forwarding2(self, run: Run, flags: str, viabranch: str) -> int:
        """``start_forwarding`` for a branch."""
        return self.simple(run, "start forwarding", with_branch(flags, viabranch))

    @export
    def stop_forwarding(self, run: Run, flags: str) -> int:
        """End what ``start_forwarding`` began: 1, -1."""
        return self.simple(run, "stop forwarding", flags)

    @export
    def stop_forwarding0(self, run: Run) -> int:
        """``stop_forwarding`` without flags."""
        return self.simple(run, "stop forwarding", "")

    @export
    def stop_forwarding2(self, run: Run, flags: str, viabranch: str) -> int:
        """``stop_forwarding`` for a branch."""
        return self.simple(run, "stop forwarding", with_branch(flags, viabranch))
