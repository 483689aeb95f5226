"""``registrar.lookup`` and its kin: from an address of record to the destination set."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ..pv.state import XList
from ..sip.errors import SipError
from ..sip.message import Branch
from ..sip.nameaddr import parse_nameaddrs
from .registrar_common import METHOD_BITS, METHOD_OTHER, AorError, extract_aor, target_uri
from .usrloc import aor_hash, reversed_hex

if TYPE_CHECKING:
    from ..net.address import Listen
    from ..run import Run
    from ..sip.message import SipMessage
    from ..sip.uri import Uri
    from ..store.contact import Contact
    from ..store.location import Location
    from .registrar import Registrar

__all__ = ["NotFound", "add_record", "find", "lookup", "lookup_branch"]

#: Kamailio's core takes 12 branches, the main one among them.
MAX_BRANCHES: Final = 11

_RUID, _CONTACT, _EXPIRES, _RECEIVED, _PATH = 1, 2, 4, 8, 16


class NotFound(Exception):
    """No contact: ``code`` is what the function returns."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


def find(module: Registrar, run: Run, table: Location, uri: Uri) -> list[Contact]:
    """The contacts a request for ``uri`` may go to, in order. Raises :class:`NotFound`."""
    msg = run.msg
    gr = uri.gr if uri.params else None
    if gr == "":
        user, dash, hashed = uri.user.rpartition("-")
        if not dash:
            raise NotFound(-3)
        contact = table.by_ruid(user)
        if contact is None or reversed_hex(aor_hash(contact.aor)) != hashed:
            raise NotFound(-1)
        found = [contact]
    else:
        try:
            aor = extract_aor(uri, bool(module.usrloc.use_domain), bool(module.case_sensitive), module.realm_prefix)
        except AorError:
            raise NotFound(-3) from None
        found = table.record(aor)
        if gr:
            instance = f"<{gr}>"
            found = [c for c in found if c.instance == instance]
    if not module.use_expired_contacts:
        now = run.proxy.wall()
        found = [c for c in found if c.expires == 0 or c.expires > now]
    if not found:
        raise NotFound(-1)
    if gr:
        found = found[:1]
    if module.method_filtering and not msg.to_tag:
        bit = METHOD_BITS.get(msg.method, METHOD_OTHER)
        found = [c for c in found if c.methods & bit]
        if not found:
            raise NotFound(-2)
    mode = module.lookup_filter_mode
    if not mode:
        return found
    if mode & 1:
        wanted = module.config(run).get("rlf_bflags")
        if isinstance(wanted, int):
            found = [c for c in found if c.cflags & wanted]
    if mode & 2:
        network = run.proxy.network
        alive = {info.id for info in network.connections()} if network is not None else set()
        found = [c for c in found if c.connection_id <= 0 or c.connection_id in alive]
    if not found:
        raise NotFound(-1)
    return found


def _route(module: Registrar, contact: Contact) -> tuple[str, str]:
    """(destination URI, Path) of a contact: the first hop of its Path, else where it registered from."""
    if not contact.path:
        return contact.received, ""
    try:
        hops = parse_nameaddrs(contact.path)
        if module.path_check_local and module.proxy.myself.uri(hops[0].uri):
            # Only the first hop, with what follows its comma as it is.
            if len(hops) == 1:
                return contact.received, ""
            return hops[1].uri, contact.path[hops[0].end :].partition(",")[2]
        return hops[0].uri, contact.path
    except SipError:
        raise NotFound(-3) from None


def add_record(module: Registrar, run: Run, contact: Contact) -> None:
    """Put a contact's values into the XAVP ``xavp_rcd`` names."""
    name = module.xavp_rcd
    if not name:
        return
    mask = module.xavp_rcd_mask
    values = XList()
    if not mask & _RUID:
        values.append("ruid", contact.ruid)
    if not mask & _CONTACT:
        values.append("contact", contact.contact)
    if not mask & _EXPIRES:
        values.append("expires", max(0, contact.expires - int(run.proxy.wall())))
    if not mask & _RECEIVED and contact.received:
        values.append("received", contact.received)
    if not mask & _PATH and contact.path:
        values.append("path", contact.path)
    run.avps.xavps.append(name, values)


def _set_main(module: Registrar, msg: SipMessage, contact: Contact) -> None:
    msg.dst_uri, msg.path = _route(module, contact) if contact.path else (contact.received, "")
    msg.new_uri = contact.contact
    msg.q = contact.q
    msg.bflags |= contact.cflags
    msg.instance = contact.instance
    msg.ruid = contact.ruid
    msg.reg_id = contact.reg_id
    msg.location_ua = contact.user_agent
    msg.otcpid = max(contact.connection_id, 0)
    if contact.socket:
        listen = module.listen(contact.socket)
        if listen is not None:
            msg.force_socket = listen


def _append(module: Registrar, msg: SipMessage, contact: Contact) -> None:
    if len(msg.branches) >= MAX_BRANCHES:
        return
    dst, path = _route(module, contact)
    listen: Listen | None = module.listen(contact.socket)
    msg.branches.append(
        Branch(
            contact.contact,
            dst_uri=dst,
            path=path,
            q=contact.q,
            socket=listen,
            flags=contact.cflags,
            instance=contact.instance,
            ruid=contact.ruid,
            reg_id=contact.reg_id,
            location_ua=contact.user_agent,
            otcpid=max(contact.connection_id, 0),
        )
    )


def lookup(module: Registrar, run: Run, table: Location, text: str, main: bool) -> int:
    """Find the contacts of ``text`` ('' for the message's own URI) and make them the destination set.

    ``main``: the first becomes the R-URI, the others follow when append_branches is set; else all become branches, none
    without append_branches.
    """
    try:
        uri = target_uri(run.msg, text)
        found = find(module, run, table, uri)
        msg = run.msg
        rest = found if module.append_branches else []
        if main:
            _set_main(module, msg, found[0])
            add_record(module, run, found[0])
            rest = rest[1:]
        for contact in rest:
            _append(module, msg, contact)
    except AorError:
        return -3
    except NotFound as missing:
        return missing.code
    return 1


def lookup_branch(module: Registrar, run: Run, table: Location, branch: Branch) -> int:
    """Replace a branch that has nothing but a URI by the contacts of that URI."""
    try:
        found = find(module, run, table, target_uri(run.msg, branch.uri))
        first = found[0]
        branch.dst_uri, branch.path = _route(module, first)
        branch.uri = first.contact
        branch.q = first.q
        branch.flags |= first.cflags
        branch.socket = module.listen(first.socket)
        for contact in found[1:] if module.append_branches else ():
            _append(module, run.msg, contact)
    except AorError:
        return -3
    except NotFound as missing:
        return missing.code
    return 1


def matches(contact: Contact, flags: int, config: dict[str, Any]) -> bool:
    """The test of ``registered_flags``: 1 Call-ID, 2 received, 4 contact, against the values in ``xavp_cfg``."""
    for bit, name, value in (
        (1, "match_callid", contact.callid),
        (2, "match_received", contact.received),
        (4, "match_contact", contact.contact),
    ):
        if flags & bit:
            wanted = config.get(name)
            if isinstance(wanted, str) and wanted and wanted != value:
                return False
    return True
