"""Serial forking by q: ``t_load_contacts()``, ``t_next_contacts()``, ``t_next_contact_flow()``."""

from __future__ import annotations

import logging
from random import Random
from typing import TYPE_CHECKING, Any

from ..pv.state import XAvp, XList
from ..run import BRANCH_FAILURE_ROUTE
from ..sip.message import Branch
from .declare import Module, export

if TYPE_CHECKING:
    from ..run import Run

log = logging.getLogger("ksrcore.tm")

_FIELDS = ("uri", "dst_uri", "path", "q", "socket", "flags", "instance", "ruid", "location_ua", "otcpid", "reg_id")
_NUMBERS = ("q", "flags", "otcpid", "reg_id")


class TmContacts(Module):
    """A part of the tm module. Contacts wait in the xavp ``contacts_avp``, the next ones on top."""

    if TYPE_CHECKING:
        contacts_avp: Any
        contact_flows_avp: Any

    @export
    def t_load_contacts(self, run: Run) -> int:
        """Take the destination set into contacts_avp, in the order of q; t_next_contacts() brings it back in steps."""
        return self.ki_t_load_contacts_mode(run, 0)

    @export
    def ki_t_load_contacts_mode(self, run: Run, mode: int) -> int:
        """``t_load_contacts``; mode 0: higher q first, equal ones together; 1: one by one, weighted by q."""
        if not self.contacts_avp:
            log.error("t_load_contacts: the parameter contacts_avp of tm is not set")
            return -1
        if mode not in (0, 1):
            log.error("t_load_contacts: expected mode 0 or 1, got %d", mode)
            return -1
        msg = run.msg
        if not msg.branches:
            return 1
        main = Branch(
            msg.uri, dst_uri=msg.dst_uri, path=msg.path, q=msg.q, socket=msg.force_socket, flags=msg.bflags,
            instance=msg.instance, ruid=msg.ruid, reg_id=msg.reg_id, location_ua=msg.location_ua, otcpid=msg.otcpid,
        )  # fmt: skip
        contacts = [main, *msg.branches]
        # Of equal q the one added last comes first, as in Kamailio.
        if mode == 0:
            ordered = sorted(reversed(contacts), key=lambda b: -b.q)
        else:
            ordered = _weighted(contacts, self.proxy.random)
        stack = run.avps.xavps
        # A step ends where the next contact has another q.
        for n in range(len(ordered) - 1, -1, -1):
            last = mode == 1 or n + 1 == len(ordered) or ordered[n + 1].q != ordered[n].q
            stack.add(self.contacts_avp, _pack(ordered[n], last))
        msg.branches = []
        msg.new_uri = ""
        msg.dst_uri = ""
        msg.path = ""
        return 1

    @export
    def t_next_contacts(self, run: Run) -> int:
        """Make the next contacts of contacts_avp the destination set. 1 done, -2 there is none, -1 error."""
        if not self.contacts_avp or not self.contact_flows_avp:
            log.error("t_next_contacts: the parameters contacts_avp and contact_flows_avp of tm are not both set")
            return -1
        stack = run.avps.xavps
        stack.remove_all(self.contact_flows_avp)
        found: list[XAvp] = []
        for item in stack.all(self.contacts_avp):
            stack.remove(item)
            found.append(item)
            if _get(item, "last"):
                break
        if not found:
            return -2
        chosen = []
        seen: set[str] = set()
        for item in found:
            instance = str(_get(item, "instance") or "")
            if instance and instance in seen:
                stack.append(self.contact_flows_avp, item.value)
                continue
            seen.add(instance)
            chosen.append(self._unpack(item))
        self._use(run, chosen)
        return 1

    @export
    def t_next_contact_flow(self, run: Run) -> int:
        """After a branch failed: the next flow of its instance becomes the destination. 1 done, -2 none, -1 error."""
        if not self.contact_flows_avp:
            log.error("t_next_contact_flow: the parameter contact_flows_avp of tm is not set")
            return -1
        t = run.t
        if t is None or not 0 <= run.branch < len(t.branches):
            log.error("t_next_contact_flow is for failure routes")
            return -1
        instance = t.branches[run.branch].instance
        stack = run.avps.xavps
        for item in stack.all(self.contact_flows_avp):
            if instance and _get(item, "instance") == instance:
                stack.remove(item)
                contact = self._unpack(item)
                if run.route == BRANCH_FAILURE_ROUTE:
                    self._use(run, [contact])
                else:
                    run.msg.branches.append(contact)
                return 1
        return -2

    def _use(self, run: Run, contacts: list[Branch]) -> None:
        msg = run.msg
        first, *rest = contacts
        msg.new_uri = f"{first.uri} "[:-1]
        msg.dst_uri = first.dst_uri
        msg.path = first.path
        msg.q = first.q
        msg.force_socket = first.socket
        msg.bflags = first.flags
        msg.instance = first.instance
        msg.ruid = first.ruid
        msg.location_ua = first.location_ua
        msg.otcpid = first.otcpid
        msg.reg_id = first.reg_id
        msg.branches = rest

    def _unpack(self, item: XAvp) -> Branch:
        values: dict[str, Any] = {name: _get(item, name) for name in _FIELDS}
        socket = values.pop("socket")
        listen = next((x for x in self.proxy.listens if x.text == socket), None) if socket else None
        return Branch(values.pop("uri") or "", socket=listen, **values)


def _weighted(contacts: list[Branch], random: Random) -> list[Branch]:
    """By chance, q being the weight; those without weight at the end."""
    left = [b for b in contacts if b.q > 0]
    out: list[Branch] = []
    while left:
        chosen = random.choices(left, [b.q for b in left])[0]
        left = [b for b in left if b is not chosen]
        out.append(chosen)
    return out + [b for b in contacts if b.q <= 0]


def _pack(branch: Branch, last: bool) -> XList:
    values = XList()
    for name in _FIELDS:
        value = getattr(branch, name)
        if name == "socket":
            value = value.text if value is not None else ""
        values.append(name, value)
    values.append("last", int(last))
    return values


def _get(item: XAvp, name: str) -> Any:
    value = item.value
    found = value.get(name) if isinstance(value, XList) else None
    if found is None:
        return 0 if name in _NUMBERS else ""
    return found.value
