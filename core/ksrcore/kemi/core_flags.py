"""Message, branch and script flags of Kamailio's core. Flags are numbered 0 to 31."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .declare import export

if TYPE_CHECKING:
    from ..run import Run


class _Bits(dict[int, int]):
    """Flag number to its mask; 0 for what is no flag."""

    def __missing__(self, flag: int) -> int:
        return 0


_BIT = _Bits({flag: 1 << flag for flag in range(32)})


class FlagFunctions:
    """``KSR.setflag`` and its family: a flag outside 0..31 is refused with False."""

    @export(inline=True)
    def setflag(self, run: Run, flag: int) -> bool:
        """Set a message flag; it goes with the transaction."""
        bit = _BIT[flag]
        run.msg.flags |= bit
        return bit != 0

    @export
    def resetflag(self, run: Run, flag: int) -> bool:
        """Clear a message flag."""
        if 0 <= flag < 32:
            run.msg.flags &= ~(1 << flag)
            return True
        return False

    @export(inline=True)
    def isflagset(self, run: Run, flag: int) -> bool:
        """Whether a message flag is set."""
        return run.msg.flags & _BIT[flag] != 0

    @export(inline=True)
    def setbflag(self, run: Run, flag: int) -> bool:
        """Set a flag of the main branch, the Request-URI's."""
        bit = _BIT[flag]
        run.msg.bflags |= bit
        return bit != 0

    @export
    def resetbflag(self, run: Run, flag: int) -> bool:
        """Clear a flag of the main branch."""
        if 0 <= flag < 32:
            run.msg.bflags &= ~(1 << flag)
            return True
        return False

    @export(inline=True)
    def isbflagset(self, run: Run, flag: int) -> bool:
        """Whether a flag of the main branch is set."""
        return run.msg.bflags & _BIT[flag] != 0

    @export
    def setbiflag(self, run: Run, flag: int, branch: int) -> bool:
        """Set a flag of branch ``branch``: 0 the main one, from 1 those of the destination set.

        True also when there is no such branch, as in Kamailio.
        """
        if not 0 <= flag < 32:
            return False
        if branch == 0:
            run.msg.bflags |= 1 << flag
        elif 0 < branch <= len(run.msg.branches):
            run.msg.branches[branch - 1].flags |= 1 << flag
        return True

    @export
    def resetbiflag(self, run: Run, flag: int, branch: int) -> bool:
        """Clear a flag of branch ``branch``."""
        if not 0 <= flag < 32:
            return False
        if branch == 0:
            run.msg.bflags &= ~(1 << flag)
        elif 0 < branch <= len(run.msg.branches):
            run.msg.branches[branch - 1].flags &= ~(1 << flag)
        return True

    @export
    def isbiflagset(self, run: Run, flag: int, branch: int) -> bool:
        """Whether a flag of branch ``branch`` is set."""
        if not 0 <= flag < 32:
            return False
        if branch == 0:
            return run.msg.bflags >> flag & 1 == 1
        return 0 < branch <= len(run.msg.branches) and run.msg.branches[branch - 1].flags >> flag & 1 == 1

    # Script flags last for one run of a callback.

    @export
    def setsflag(self, run: Run, flag: int) -> bool:
        """Set a script flag: it lasts until the callback ends."""
        if 0 <= flag < 32:
            run.local["sflags"] = run.local.get("sflags", 0) | 1 << flag
            return True
        return False

    @export
    def resetsflag(self, run: Run, flag: int) -> bool:
        """Clear a script flag."""
        if 0 <= flag < 32:
            run.local["sflags"] = run.local.get("sflags", 0) & ~(1 << flag)
            return True
        return False

    @export
    def issflagset(self, run: Run, flag: int) -> bool:
        """Whether a script flag is set."""
        return 0 <= flag < 32 and run.local.get("sflags", 0) >> flag & 1 == 1
