"""Children that do not outlive their parent, however it ends."""

import ctypes
import signal

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


def die_with_parent() -> None:
    """For Popen's preexec_fn: Linux sends SIGTERM to the child when its parent ends, also by SIGKILL (prctl(2))."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
