"""What scripts let dispatcher choose: destinations of sets, kept in an XAVP, tried one after the other."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from ..net.address import Listen
from ..pv.format import Format
from ..pv.state import Pointer, XAvp, XList
from ..sip.errors import SipError
from ..sip.message import Branch
from ..sip.uri import parse_uri
from .declare import export
from .dispatcher_list import Destination
from .dispatcher_load import Loads
from .dispatcher_questions import DispatcherQuestions
from .dispatcher_select import Selection, select

if TYPE_CHECKING:
    from ..run import Run

__all__ = ["DispatcherRoutes"]

log = logging.getLogger("ksrcore.dispatcher")

_FAILOVER = 2

_DST, _DOMAIN, _ONLY = 0, 1, 2


class DispatcherRoutes(DispatcherQuestions):
    """A part of the dispatcher module."""

    loads: Loads
    hash_format: Format | None
    use_default: int
    flags: int
    force_dst: int
    xavp_dst: str
    xavp_dst_mode: int
    xavp_ctx: str
    xavp_ctx_mode: int

    @property
    def failover(self) -> bool:
        return bool(self.flags & _FAILOVER)

    def _select(self, run: Run, rules: list[tuple[int, int]], mode: int, limit: int, *, context: bool = True) -> int:
        msg = run.msg
        if not len(self.sets):
            log.error("there are no destination sets")
            return -1
        if mode == _DST and not self.force_dst and msg.dst_uri:
            log.error("a destination is set already: %s", msg.dst_uri)
            return -1
        chosen = Selection(limit)
        for number, algorithm in rules:
            found = self.sets.get(number)
            if found is None:
                log.error("there is no destination set %d", number)
                continue
            select(self, run, found, algorithm, chosen)
        if chosen.first is None:
            return -1
        first = chosen.first[1]
        if mode != _ONLY and not self._apply(run, first.uri, first.listen, mode):
            return -1
        if chosen.parallel and mode == _ONLY and chosen.parallel_first:
            self._branch(run, first, _DST)
        for item in chosen.parallel:
            self._branch(run, item, mode if chosen.parallel_first else _DST)
        self._keep(run, chosen, context)
        return 1

    def _apply(self, run: Run, uri: str, listen: Listen | None, mode: int) -> bool:
        msg = run.msg
        if mode == _DST:
            msg.dst_uri = uri
        else:
            target = _with_host(msg.new_uri or msg.ruri, uri)
            if target is None:
                log.error("cannot put %s into the Request-URI %s", uri, msg.uri)
                return False
            msg.new_uri = target
        if listen is not None:
            msg.force_socket = listen
        return True

    def _branch(self, run: Run, item: Destination, mode: int) -> None:
        msg = run.msg
        uri = msg.new_uri or msg.ruri
        if mode == _DOMAIN:
            msg.branches.append(Branch(_with_host(uri, item.uri) or item.uri, socket=item.listen))
        else:
            msg.branches.append(Branch(uri, dst_uri=item.uri, socket=item.listen))

    def _keep(self, run: Run, chosen: Selection, context: bool) -> None:
        """Put the selected ones into ``xavp_dst`` in front of older ones, and how many into ``xavp_ctx``."""
        xavps = run.avps.xavps
        made = [XAvp(self.xavp_dst, self._fields(*each)) for each in chosen.items]
        xavps.items[:0] = made
        if context and self.xavp_ctx and not self.xavp_ctx_mode & 1:
            fields = XList()
            fields.add("cnt", len(made))
            xavps.add(self.xavp_ctx, fields)

    def _fields(self, number: int, item: Destination, counted: bool) -> XList:
        fields = XList()
        fields.add("uri", item.uri)
        fields.add("grp", number)
        if item.body and not self.xavp_dst_mode & 1:
            fields.add("attrs", item.body)
        if item.listen is not None:
            fields.add("sock", Pointer.to(item.listen))
        if self.xavp_dst_mode & 2 and item.attrs.get("socket"):
            fields.add("socket", item.attrs["socket"])
        if self.xavp_dst_mode & 4 and item.attrs.get("sockname"):
            fields.add("sockname", item.attrs["sockname"])
        if counted and item.duid:
            fields.add("dstid", item.duid)
        return fields

    def _current(self, run: Run) -> XList | None:
        """The fields of the destination in use; None, logged, when there is none."""
        if not self.failover:
            log.warning("failover is off: modparam dispatcher:flags=2")
            return None
        found = run.avps.xavps.get(self.xavp_dst)
        return found.value if found is not None and isinstance(found.value, XList) else None

    def _set(self, run: Run, mode: int, advance: bool) -> int:
        fields = self._current(run)
        if fields is None:
            return -1
        xavps = run.avps.xavps
        if advance:
            used = xavps.get(self.xavp_dst)
            assert used is not None
            xavps.remove(used)
            fields = self._current(run)
            if fields is None:
                return -1
        uri = fields.get("uri")
        if uri is None or not isinstance(uri.value, str):
            return -1
        sock = fields.get("sock")
        target = sock.value.target if sock is not None and isinstance(sock.value, Pointer) else None
        listen = target if isinstance(target, Listen) else None
        if not self._apply(run, uri.value, listen, mode):
            return -1
        duid, group = fields.get("dstid"), fields.get("grp")
        if advance and duid is not None and group is not None and isinstance(group.value, int):
            self.loads.move(run.msg.callid, group.value, str(duid.value))
        return 1

    @export
    def ds_select_dst(self, run: Run, set: int, alg: int) -> int:
        """Select a destination of a set by an algorithm and make it the destination URI: 1, -1 without any."""
        return self._select(run, [(set, alg)], _DST, 0)

    @export
    def ds_select_dst_limit(self, run: Run, set: int, alg: int, limit: int) -> int:
        """``ds_select_dst`` that keeps at most ``limit`` destinations for failover, 0: all."""
        return self._select(run, [(set, alg)], _DST, limit)

    @export
    def ds_select_domain(self, run: Run, set: int, alg: int) -> int:
        """Select a destination and put it in place of the host of the Request-URI: 1, -1 without any."""
        return self._select(run, [(set, alg)], _DOMAIN, 0)

    @export
    def ds_select_domain_limit(self, run: Run, set: int, alg: int, limit: int) -> int:
        """``ds_select_domain`` that keeps at most ``limit`` destinations for failover, 0: all."""
        return self._select(run, [(set, alg)], _DOMAIN, limit)

    @export
    def ds_select(self, run: Run, set: int, alg: int) -> int:
        """Select destinations and keep them in the XAVP only: 1, -1 without any."""
        return self._select(run, [(set, alg)], _ONLY, 0)

    @export
    def ds_select_limit(self, run: Run, set: int, alg: int, limit: int) -> int:
        """``ds_select`` that keeps at most ``limit`` destinations, 0: all."""
        return self._select(run, [(set, alg)], _ONLY, limit)

    @export
    def ds_select_routes(self, run: Run, srules: str, smode: str) -> int:
        """Select by several rules ``set=alg;set=alg``; mode d: destination URI, r: Request-URI, x: XAVP only."""
        return self._routes(run, srules, smode, 0)

    @export
    def ds_select_routes_limit(self, run: Run, srules: str, smode: str, rlimit: int) -> int:
        """``ds_select_routes`` that keeps at most ``rlimit`` destinations, 0: all."""
        return self._routes(run, srules, smode, rlimit)

    def _routes(self, run: Run, rules: str, mode: str, limit: int) -> int:
        where = {"0": _DST, "d": _DST, "1": _DOMAIN, "r": _DOMAIN, "2": _ONLY, "x": _ONLY}.get(mode[:1].lower())
        parsed: list[tuple[int, int]] = []
        broken = False
        for part in (rules.removesuffix(";") or " ").split(";"):
            number, _, algorithm = part.partition("=")
            if not _digits(number) or (algorithm and not _digits(algorithm)):
                log.error("ds_select_routes: expected rules such as 1=4;2=8, got %r", rules)
                broken = True
                break
            parsed.append((int(number), int(algorithm or 0)))
        if where is None:
            log.error("ds_select_routes: expected the mode d, r or x, got %r", mode)
            return -1
        if not broken:
            return self._select(run, parsed, where, limit)
        if parsed:
            # What comes before the error is selected, applied and kept, as in Kamailio, and the result is still -1.
            self._select(run, parsed, where, limit, context=False)
        return -1

    @export
    def ds_next_dst(self, run: Run) -> int:
        """The next selected destination as the destination URI: 1, -1 when there are no more."""
        return self._set(run, _DST, True)

    @export
    def ds_next_domain(self, run: Run) -> int:
        """The next selected destination in place of the host of the Request-URI: 1, -1 when there are no more."""
        return self._set(run, _DOMAIN, True)

    @export
    def ds_set_dst(self, run: Run) -> int:
        """The selected destination in use as the destination URI: 1, -1 when there is none."""
        return self._set(run, _DST, False)

    @export
    def ds_set_domain(self, run: Run) -> int:
        """The selected destination in use in place of the host of the Request-URI: 1, -1 when there is none."""
        return self._set(run, _DOMAIN, False)


def _digits(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _with_host(target: str, uri: str) -> str | None:
    """``target`` with all after its user taken from ``uri``; None when one is no URI."""
    try:
        old = parse_uri(target)
    except SipError:
        return None
    rest = uri.partition(":")[2]
    userinfo = ""
    if old.user:
        userinfo = f"{old.user}:{old.password}@" if old.password else f"{old.user}@"
    return f"{old.scheme}:{userinfo}{rest}"
