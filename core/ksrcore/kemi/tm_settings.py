"""What scripts set for one transaction: callbacks, timers, switches."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from ..run import BRANCH_ROUTE, REQUEST_ROUTE
from ..tm.states import COMPLETED, PROCEEDING, TERMINATED
from ..tm.timers import NEVER
from ..tm.transaction import (
    T_DISABLE_6XX,
    T_DISABLE_FAILOVER,
    T_DISABLE_INTERNAL_REPLY,
    T_NO_AUTO_100,
    T_NO_E2E_CANCEL_REASON,
    Options,
    Saved,
    Transaction,
)
from .declare import Module, export

if TYPE_CHECKING:
    from ..run import Run
    from ..tm.engine import Engine
    from ..tm.transaction import Client

log = logging.getLogger("ksrcore.tm")


class TmSettings(Module):
    """A part of the tm module."""

    engine: Engine

    def _settings(self, run: Run) -> Transaction | Options:
        """Where a script's settings go: its transaction, or what the next one of this message takes over."""
        t = run.t
        if t is not None and t.engine is not None:
            return t  # type: ignore[no-any-return]
        options = run.msg.extra.get("tm")
        if options is None:
            options = run.msg.extra["tm"] = Options()
        return options  # type: ignore[return-value]

    def _known(self, name: str, what: str) -> None:
        script = self.proxy.script
        if script is not None and name and not script.has(name):
            log.error("%s(%r): the script has no callback of that name, it will not run", what, name)

    def _branch(self, run: Run, t: Transaction) -> Client | None:
        return t.branches[run.branch] if 0 <= run.branch < len(t.branches) else None

    # -- callbacks ----------------------------------------------------------------------------------------------------

    @export(inline=True)
    def t_on_branch(self, run: Run, name: str) -> int:
        """Run this callback for each branch before it is sent."""
        self._known(name, "t_on_branch")
        self._settings(run).on_branch = name
        return 1

    @export
    def t_on_reply(self, run: Run, name: str) -> int:
        """Run this callback for each reply; from a branch route: for each reply of that branch."""
        self._known(name, "t_on_reply")
        if run.route == BRANCH_ROUTE and run.t is not None:
            branch = self._branch(run, run.t)
            if branch is not None:
                branch.on_reply = name
                return 1
        self._settings(run).on_reply = name
        return 1

    @export(inline=True)
    def t_on_failure(self, run: Run, name: str) -> int:
        """Run this callback when all branches have failed, before the best reply is sent."""
        self._known(name, "t_on_failure")
        self._settings(run).on_failure = name
        return 1

    @export
    def t_on_branch_failure(self, run: Run, name: str) -> int:
        """Run this callback for each negative reply; Kamailio's name for it is event_route[tm:branch-failure:NAME]."""
        self._known(name, "t_on_branch_failure")
        if run.route == BRANCH_ROUTE and run.t is not None:
            branch = self._branch(run, run.t)
            if branch is not None:
                branch.on_branch_failure = name
                return 1
        self._settings(run).on_branch_failure = name
        return 1

    # -- timers -------------------------------------------------------------------------------------------------------

    @export
    def t_set_fr(self, run: Run, fr_inv: int, fr: int) -> int:
        """Timeouts of this transaction in milliseconds, 0 leaves one alone; running branches begin anew."""
        settings = self._settings(run)
        if fr_inv > 0:
            settings.fr_inv = fr_inv / 1000
        if fr > 0:
            settings.fr = fr / 1000
        if isinstance(settings, Transaction):
            self._restart(settings)
        return 1

    @export
    def t_set_fr_inv(self, run: Run, fr_inv: int) -> int:
        """``t_set_fr`` for fr_inv_timer alone."""
        return self.t_set_fr(run, fr_inv, 0)

    @export
    def t_reset_fr(self, run: Run) -> int:
        """Timeouts of this transaction as the module has them."""
        settings = self._settings(run)
        engine = self.engine
        if isinstance(settings, Transaction):
            settings.fr, settings.fr_inv = engine.fr, engine.fr_inv
            self._restart(settings)
        else:
            settings.fr = settings.fr_inv = 0.0
        return 1

    def _restart(self, t: Transaction) -> None:
        now = self.proxy.now
        for client in t.branches:
            if client.fr_at == NEVER or client.state in (COMPLETED, TERMINATED):
                continue
            after = t.fr_inv if t.is_invite and client.state == PROCEEDING else t.fr
            client.fr_at = min(now + after, t.expires)
            self.engine.timers.set(client, now, min(client.fr_at, client.retr_at) - now)

    @export
    def t_set_max_lifetime(self, run: Run, inv: int, noninv: int) -> int:
        """How long the transaction may be active, in milliseconds for INVITE and others; 0 leaves one alone."""
        settings = self._settings(run)
        if isinstance(settings, Options):
            settings.inv_lifetime = inv / 1000 if inv > 0 else settings.inv_lifetime
            settings.noninv_lifetime = noninv / 1000 if noninv > 0 else settings.noninv_lifetime
            return 1
        wanted = inv if settings.is_invite else noninv
        if wanted > 0:
            self._lifetime(settings, wanted / 1000)
        return 1

    @export
    def t_reset_max_lifetime(self, run: Run) -> int:
        """How long the transaction may be active, as the module has it."""
        settings = self._settings(run)
        if isinstance(settings, Options):
            settings.inv_lifetime = settings.noninv_lifetime = 0.0
        else:
            self._lifetime(settings, self.engine.inv_lifetime if settings.is_invite else self.engine.noninv_lifetime)
        return 1

    def _lifetime(self, t: Transaction, seconds: float) -> None:
        now = self.proxy.now
        t.expires = now + seconds
        for client in t.branches:
            if client.fr_at < NEVER and client.fr_at > t.expires:
                client.fr_at = t.expires
                self.engine.timers.set(client, now, min(client.fr_at, client.retr_at) - now)

    @export
    def t_set_retr(self, run: Run, t1: int, t2: int) -> int:
        """Retransmission intervals of this transaction in milliseconds; 0 leaves one alone."""
        settings = self._settings(run)
        if t1 > 0:
            settings.t1 = t1 / 1000
        if t2 > 0:
            settings.t2 = t2 / 1000
        if isinstance(settings, Transaction):
            # Takes effect after the interval that runs now, as in Kamailio.
            for client in settings.branches:
                client.interval = min(settings.t1, settings.t2) / 2
        return 1

    @export
    def t_reset_retr(self, run: Run) -> int:
        """Retransmission intervals as the module has them."""
        settings = self._settings(run)
        if isinstance(settings, Transaction):
            settings.t1, settings.t2 = self.engine.t1, self.engine.t2
        else:
            settings.t1 = settings.t2 = 0.0
        return 1

    # -- switches -----------------------------------------------------------------------------------------------------

    def _switch(self, run: Run, flag: int, on: int) -> int:
        settings = self._settings(run)
        settings.flags = settings.flags | flag if on else settings.flags & ~flag
        return 1

    @export
    def t_set_auto_inv_100(self, run: Run, on: int) -> int:
        """Whether this INVITE is answered with 100 when it is relayed."""
        settings = self._settings(run)
        if isinstance(settings, Options):
            settings.auto_100 = bool(on)
        return self._switch(run, T_NO_AUTO_100, not on)

    @export
    def t_set_disable_6xx(self, run: Run, on: int) -> int:
        """1: treat 6xx replies of this transaction as other negative ones."""
        settings = self._settings(run)
        if isinstance(settings, Options):
            settings.disable_6xx = bool(on)
            return 1
        return self._switch(run, T_DISABLE_6XX, on)

    @export
    def t_set_disable_failover(self, run: Run, on: int) -> int:
        """1: do not try further addresses of a host name."""
        return self._switch(run, T_DISABLE_FAILOVER, on)

    @export
    def t_set_disable_internal_reply(self, run: Run, on: int) -> int:
        """1: send no reply of our own when relaying fails."""
        return self._switch(run, T_DISABLE_INTERNAL_REPLY, on)

    @export
    def t_set_no_e2e_cancel_reason(self, run: Run, on: int) -> int:
        """1: Reason fields of a CANCEL are not passed on."""
        return self._switch(run, T_NO_E2E_CANCEL_REASON, on)

    @export
    def t_use_uac_headers(self, run: Run) -> int:
        """ACK and CANCEL take their fields from the request that was sent; here they always do."""
        return 1

    @export
    def t_save_lumps(self, run: Run) -> int:
        """Keep the edits made so far for the failure route; those made later are for this relaying only."""
        t = run.t
        if t is None or t.engine is None or run.route != REQUEST_ROUTE:
            log.error("t_save_lumps needs a transaction: call t_newtran() before")
            return -1
        before = t.saved
        t.saved = Saved(run.msg)
        if before is not None:
            values = before.values
            t.saved.values.update(new_uri=values.get("new_uri", ""), dst_uri=values.get("dst_uri", ""))
        t.extra = t.extra or {}
        t.extra["lumps_saved"] = True
        return 1
