"""Kamailio's registrar: REGISTER into the location tables (``save``), and out of them to the destination set."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Self

from ..forward import next_hop
from ..pv.accessor import compile_spec
from ..pv.errors import PvError
from ..pv.registry import Accessor, Getter, pv_class
from ..pv.spec import Spec
from ..pv.state import XList
from ..run import EVENT_ROUTE, Run
from ..sip.errors import SipError
from ..store.errors import StoreError
from .declare import Module, Param, ParamError, Value, export
from .registrar_common import AorError, extract_aor, target_uri
from .registrar_lookup import NotFound, add_record, find, lookup, lookup_branch, matches
from .registrar_reply import NO_REPLY, PREPARE_REPLY, Outcome, reply_headers, send_outcome
from .registrar_save import save
from .usrloc import Usrloc, aor_hash

if TYPE_CHECKING:
    from ..net.address import Listen
    from ..proxy import Proxy
    from ..store.contact import Contact
    from ..store.location import Location

__all__ = ["Registrar"]

log = logging.getLogger("ksrcore.registrar")


class Registrar(Module):
    """Saves and finds contacts."""

    name = "registrar"

    default_expires = Param(3600, "seconds for a contact that asks for none: int")
    default_expires_range = Param(0, "percent that default_expires is randomly shortened by at most: int")
    expires_range = Param(0, "the same for what a contact asks for: int")
    min_expires = Param(60, "the least seconds, 0 for no limit: int")
    min_expires_mode = Param(0, "0: too few seconds are raised to min_expires, 1: refused with 423: int")
    max_expires = Param(0, "the most seconds, 0 for no limit: int")
    default_q = Param(-1, "q in thousandths for a contact without, -1 for none: int")
    realm_prefix = Param("", "taken off the domains of AoRs: str")
    append_branches = Param(1, "1: all contacts become branches, 0: only the first is used: int")
    case_sensitive = Param(0, "1: the case of an AoR's user counts: int")
    received_avp = Param("", "AVP with the address a REGISTER came from, the one nathelper sets: str")
    received_param = Param("received", "parameter of Contacts in replies that shows that address, '' for none: str")
    max_contacts = Param(0, "contacts an AoR may have, 0 for no limit: int")
    retry_after = Param(0, "seconds for Retry-After in 5xx, 0 for none: int")
    sock_flag = Param(-1, "message flag that makes sock_hdr_name count: int")
    sock_hdr_name = Param("", "field with the socket to store: str")
    sock_mode = Param(0, "1: the advertised address of the socket is stored: int")
    method_filtering = Param(0, "1: initial requests go only to contacts that allow their method: int")
    use_path = Param(0, "1: Path is stored: int")
    path_mode = Param(2, "Path in the reply: 0 never, 1 when supported, 2 refuse with 420 when not supported: int")
    path_use_received = Param(0, "1: the received parameter of the first Path is the source address: int")
    path_check_local = Param(0, "1: own hops at the top of a Path are left out: int")
    reg_callid_avp = Param("", "AVP with the Call-ID that registered() wants: str")
    xavp_cfg = Param("", "XAVP with settings for one call of save, lookup, registered: str")
    xavp_rcd = Param("", "XAVP that gets the values of contacts found: str")
    xavp_rcd_mask = Param(0, "what is left out there: 1 ruid, 2 contact, 4 expires, 8 received, 16 path: int")
    gruu_enabled = Param(1, "1: +sip.instance is stored and GRUUs are given: int")
    outbound_mode = Param(0, "RFC 5626: 0 none, 1 for those who ask, 2 for all: int")
    regid_mode = Param(0, "no effect: Kamailio 5.6.3 keeps reg-id beside +sip.instance in both modes: int")
    flow_timer = Param(0, "seconds for Flow-Timer in replies, with outbound_mode 1 or 2: int")
    contact_max_size = Param(512, "the longest Contact URI in bytes: int")
    event_callback = Param("", "callback that gets 'usrloc:contact-expired': str")
    lookup_filter_mode = Param(
        0, "lookup only: 1 contacts with a branch flag of rlf_bflags, 2 with their connection: int"
    )
    use_expired_contacts = Param(0, "1: expired contacts are used until they are removed: int")

    def __init__(self, proxy: Proxy) -> None:
        super().__init__(proxy)
        #: What reg_fetch_contacts() found: profile -> (table, AoR, contacts).
        self.profiles: dict[str, tuple[str, str, list[Contact]]] = {}
        self.received_get: Getter | None = None
        self._callid_get: Getter | None = None
        self._listens: dict[str, Listen] = {}

    def start(self) -> None:
        self.usrloc: Usrloc = self.proxy.modules.usrloc
        for name in ("received_avp", "reg_callid_avp"):
            text = getattr(self, name)
            if text:
                try:
                    getter = compile_spec(text).get
                except PvError as error:
                    raise ParamError(
                        f"modparam registrar:{name} expects an AVP such as $avp(received): {error}"
                    ) from None
                if name == "received_avp":
                    self.received_get = getter
                else:
                    self._callid_get = getter
        if self.flow_timer and not self.outbound_mode:
            raise ParamError("modparam registrar:flow_timer needs outbound_mode 1 or 2")
        if not 0 <= self.outbound_mode <= 2 or not 0 <= self.path_mode <= 2:
            raise ParamError("modparam registrar:outbound_mode and path_mode expect 0, 1 or 2")
        if not -1 <= self.default_q <= 1000:
            raise ParamError(f"modparam registrar:default_q expects thousandths up to 1000, got {self.default_q}")
        self.usrloc.on_expired.append(self._expired)
        counters = self.proxy.counters
        for name in ("max_expires", "max_contacts", "default_expires_range", "expires_range"):
            counters[f"registrar:{name}"] = getattr(self, name)
        counters["registrar:default_expire"] = self.default_expires
        counters.setdefault("registrar:accepted_regs", 0)
        counters.setdefault("registrar:rejected_regs", 0)

    def fork(self, proxy: Proxy) -> Self:
        new = super().fork(proxy)
        new.usrloc = proxy.modules.usrloc
        new.profiles = dict(self.profiles)
        new._listens = {}
        return new

    def _expired(self, table: str, contact: Contact) -> None:
        script = self.proxy.script
        if self.event_callback and script is not None and script.has(self.event_callback):
            self.profiles["exp"] = (table, contact.aor, [contact])
            run = self.proxy.fake_run()
            run.route = EVENT_ROUTE
            script.call(run, self.event_callback, "usrloc:contact-expired")
            self.profiles.pop("exp", None)

    # -- for the other files ------------------------------------------------------------------------------------------

    def config(self, run: Run) -> dict[str, Any]:
        """The values in the XAVP ``xavp_cfg`` names."""
        if not self.xavp_cfg:
            return {}
        item = run.avps.xavps.get(self.xavp_cfg)
        if item is None or not isinstance(item.value, XList):
            return {}
        return {child.name: child.value for child in reversed(item.value.items)}

    def listen(self, text: str) -> Listen | None:
        """The listen socket a contact was stored with, None when it is not there any more."""
        if not text:
            return None
        found = self._listens.get(text)
        if found is None:
            for listen in self.proxy.listens:
                self._listens[listen.text] = listen
                if listen.advertise_host:
                    self._listens.setdefault(f"{listen.proto}:{listen.advertised}", listen)
            found = self._listens.get(text)
        return found

    def socket_text(self, run: Run, config: dict[str, Any]) -> str:
        """What to store as a contact's socket."""
        msg = run.msg
        wanted = config.get("socket")
        if isinstance(wanted, str) and self.listen(wanted) is not None:
            return wanted
        if self.sock_hdr_name and 0 <= self.sock_flag < 32 and msg.flags >> self.sock_flag & 1:
            header = msg.index.get(self.sock_hdr_name.lower())
            if header is not None and self.listen(header.body) is not None:
                return header.body
        if msg.rcv is None:
            return ""
        listen = msg.rcv.listen
        if self.sock_mode and listen.advertise_host:
            return f"{listen.proto}:{listen.advertised}"
        return listen.text

    def _table(self, name: str) -> Location | None:
        table = self.usrloc.table(name)
        if table is None:
            log.error("registrar: there is no location table %r; name it in modparam usrloc:preload", name)
        return table

    def _aor(self, run: Run, uri: str) -> str:
        parsed = target_uri(run.msg, uri)
        return extract_aor(parsed, bool(self.usrloc.use_domain), bool(self.case_sensitive), self.realm_prefix)

    # -- save ---------------------------------------------------------------------------------------------------------

    @export
    def save(self, run: Run, table: str, flags: int) -> int:
        """Save the request's contacts for the AoR in To, and reply.

        ``flags``: 1 in memory only, 2 no reply, 4 keep one contact, 8 no random expires, 16 with 2: the reply's
        fields go to the next reply. 1 inserted, 2 updated, 3 deleted, 4 only asked; -1 refused, -2 too many contacts.
        A REGISTER takes effect as a whole or not at all (RFC 3261 10.3); Kamailio keeps what came before an error.
        """
        return self._save(run, table, flags, "")

    @export
    def save_uri(self, run: Run, table: str, flags: int, uri: str) -> int:
        """``save`` for the AoR in ``uri``; -1 when that is empty."""
        if not uri:
            log.error("save_uri: the URI is empty")
            return -1
        return self._save(run, table, flags, uri)

    def _save(self, run: Run, name: str, flags: int, uri: str) -> int:
        table = self._table(name)
        if table is None:
            return -1
        outcome = save(self, run, table, flags, uri)
        self.usrloc.count(table)
        self.proxy.count("registrar:accepted_regs" if outcome.code == 200 else "registrar:rejected_regs")
        run.msg.extra["registrar"] = outcome
        if run.msg.is_request:
            if not flags & NO_REPLY:
                if not send_outcome(self, run, outcome):
                    return -1
            elif flags & PREPARE_REPLY:
                outcome.written = True
                run.msg.reply_lumps.append(reply_headers(self, outcome))
        return outcome.result

    @export
    def reg_send_reply(self, run: Run) -> int:
        """Send the reply of a save() that sent none. 1, -1 when it could not be sent."""
        outcome = run.msg.extra.get("registrar")
        if not isinstance(outcome, Outcome):
            outcome = Outcome()
        return 1 if send_outcome(self, run, outcome) else -1

    @export
    def set_q_override(self, run: Run, q: str) -> int:
        """Give the contacts of the next save() this q, 0 to 1: 1, -1 for no q-value."""
        whole, _, digits = q.partition(".")
        if not (whole + digits).isascii() or not (whole + digits).isdigit():
            log.error("set_q_override expects a number from 0 to 1, got %r", q)
            return -1
        value = int(whole[-9:] or "0") * 1000 + int((digits + "000")[:3])
        if value > 1000 or q.endswith("."):
            log.error("set_q_override expects a number from 0 to 1, got %r", q)
            return -1
        run.msg.extra["registrar.q"] = value
        return 1

    @export
    def add_sock_hdr(self, run: Run, hdr_name: str) -> int:
        """Add a field with the socket the request came in by: 1, -1 without a name."""
        msg = run.msg
        if not hdr_name or msg.rcv is None:
            log.error("add_sock_hdr expects the name of a field")
            return -1
        msg.lumps.insert(msg.headers_end, f"{hdr_name}: {msg.rcv.listen.text}\r\n", hdr_name.lower())
        return 1

    @export
    def unregister(self, run: Run, table: str, uri: str) -> int:
        """Remove all contacts of ``uri``: 1, -1 error."""
        return self._unregister(run, table, uri, "")

    @export
    def unregister_ruid(self, run: Run, table: str, uri: str, ruid: str) -> int:
        """Remove one contact of ``uri``: 1, -3 it has none of that ruid, -1 error."""
        if not uri:
            log.error("unregister_ruid expects a URI")
            return -1
        if not ruid:
            return -3
        return self._unregister(run, table, uri, ruid)

    def _unregister(self, run: Run, name: str, uri: str, ruid: str) -> int:
        table = self._table(name)
        if table is None or not uri:
            return -1
        try:
            aor = self._aor(run, uri)
            if not ruid:
                table.delete_aor(aor)
            else:
                contact = table.by_ruid(ruid)
                if contact is None or contact.aor != aor:
                    return -3
                table.delete(contact)
        except AorError as error:
            log.error("unregister: %s", error)
            return -1
        except StoreError as error:
            log.error("unregister: %s", error)
            return -2
        self.usrloc.count(table)
        return 1

    # -- lookup -------------------------------------------------------------------------------------------------------

    @export
    def lookup(self, run: Run, table: str) -> int:
        """Replace the R-URI by the contact of its AoR with the highest q and add the others as branches.

        1; -1 not registered, -2 no contact takes the method (method_filtering), -3 the R-URI is unusable.
        """
        found = self._table(table)
        return -1 if found is None else lookup(self, run, found, "", True)

    @export
    def lookup_uri(self, run: Run, table: str, uri: str) -> int:
        """``lookup`` of ``uri`` in place of the R-URI."""
        found = self._table(table)
        if found is None:
            return -1
        return lookup(self, run, found, uri, True) if uri else -3

    @export
    def lookup_to_dset(self, run: Run, table: str, uri: str) -> int:
        """Add all contacts of ``uri`` as branches and leave the R-URI: return values as of ``lookup``."""
        found = self._table(table)
        if found is None:
            return -1
        return lookup(self, run, found, uri, False) if uri else -3

    @export
    def lookup_branches(self, run: Run, table: str) -> int:
        """``lookup`` for the R-URI and for each branch that has a URI only: 1 when one was found."""
        found = self._table(table)
        if found is None:
            return -1
        branches = list(run.msg.branches)
        result = lookup(self, run, found, "", True)
        for branch in branches:
            if branch.dst_uri or branch.path or branch.ruid or branch.socket is not None:
                continue
            code = lookup_branch(self, run, found, branch)
            result = max(result, code)
        return result

    @export
    def lookup_xavp(self, run: Run, utname: str, uri: str, rxname: str, cxname: str) -> int:
        """Put the record of ``uri`` into $xavp(rxname), its contacts into $xavp(cxname): results as of ``lookup``.

        The first has ``aor`` and ``count``; those of the second ``uri``, ``socket`` and ``dsturi``, in the order that
        ``lookup`` would take them. Kamailio 5.7 and later.
        """
        table = self._table(utname)
        if table is None or not rxname or not cxname:
            return -1
        try:
            contacts = find(self, run, table, target_uri(run.msg, uri))
        except AorError as error:
            log.error("lookup_xavp: %s", error)
            return -3
        except NotFound as error:
            return error.code
        record = XList()
        record.append("aor", contacts[0].aor)
        record.append("count", len(contacts))
        for contact in reversed(contacts):
            values = XList()
            values.append("uri", contact.contact)
            if contact.socket:
                values.append("socket", contact.socket)
            if contact.received:
                values.append("dsturi", contact.received)
            run.avps.xavps.add(cxname, values)
        run.avps.xavps.add(rxname, record)
        return 1

    @export
    def reg_from_user(self, run: Run, utname: str, uri: str, mode: int) -> int:
        """1 when the message comes from where a contact of ``uri`` registered, else -1; mode 1 port, 2 protocol too.

        Where no ``received`` is stored the address of the contact counts. Kamailio 5.7 and later.
        """
        table = self._table(utname)
        rcv = run.msg.rcv
        if table is None or rcv is None or not uri:
            return -1
        try:
            aor = self._aor(run, uri)
        except AorError as error:
            log.error("reg_from_user: %s", error)
            return -1
        for contact in table.get(aor, self.proxy.wall()):
            try:
                hop = next_hop(contact.received or contact.contact)
            except SipError:
                continue
            if hop.ip != rcv.src_ip or mode & 1 and hop.port != rcv.src_port or mode & 2 and hop.proto != rcv.proto:
                continue
            return 1
        return -1

    @export
    def registered(self, run: Run, table: str) -> int:
        """Whether the R-URI's AoR (in a reply the To URI's) has a valid contact: 1 or -1."""
        return self._registered(run, table, "", 0, 0)

    @export
    def registered_uri(self, run: Run, table: str, uri: str) -> int:
        """Whether the AoR of ``uri`` has a valid contact: 1 or -1."""
        return self._registered(run, table, uri, 0, 0)

    @export
    def registered_flags(self, run: Run, table: str, uri: str, match_flag: int) -> int:
        """The same for a contact that fits ``xavp_cfg``: 1 match_callid, 2 match_received, 4 match_contact."""
        return self._registered(run, table, uri, match_flag, 0)

    @export
    def registered_action(self, run: Run, table: str, uri: str, match_flag: int, action_flag: int) -> int:
        """The same; ``action_flag`` 2: the values of the contact are not put into ``xavp_rcd``."""
        return self._registered(run, table, uri, match_flag, action_flag)

    def _registered(self, run: Run, name: str, uri: str, flags: int, action: int) -> int:
        table = self._table(name)
        if table is None:
            return -1
        try:
            aor = self._aor(run, uri)
        except AorError as error:
            log.error("registered: %s", error)
            return -1
        callid = self._callid_get(run) if self._callid_get is not None else None
        config = self.config(run) if flags else {}
        for contact in table.get(aor, self.proxy.wall()):
            if callid is not None and contact.callid != callid:
                continue
            if flags and not matches(contact, flags, config):
                continue
            if not action & 2:
                add_record(self, run, contact)
            return 1
        return -1

    @export
    def reg_fetch_contacts(self, run: Run, table: str, uri: str, profile: str) -> int:
        """Put the contacts of ``uri`` into ``$ulc(profile=>...)``: 1, -1 when there are none."""
        found = self._table(table) if uri and profile else None
        if found is None:
            return -1
        self.profiles.pop(profile, None)
        try:
            aor = self._aor(run, uri)
        except AorError as error:
            log.error("reg_fetch_contacts: %s", error)
            return -1
        contacts = found.record(aor)
        if not contacts:
            return -1
        self.profiles[profile] = (table, aor, list(contacts))
        return 1

    @export
    def reg_free_contacts(self, run: Run, profile: str) -> int:
        """Forget the contacts of a profile: 1, -1 without a name."""
        if not profile:
            return -1
        self.profiles.pop(profile, None)
        return 1


_ATTRIBUTES: dict[str, Any] = {
    "addr": lambda c: c.contact,
    "path": lambda c: c.path,
    "received": lambda c: c.received,
    "expires": lambda c: c.expires,
    "callid": lambda c: c.callid,
    "regid": lambda c: c.reg_id,
    "q": lambda c: c.q,
    "cseq": lambda c: c.cseq,
    "flags": lambda c: c.flags,
    "cflags": lambda c: c.cflags,
    "user_agent": lambda c: c.user_agent,
    "socket": lambda c: c.socket or None,
    "modified": lambda c: c.last_modified,
    "methods": lambda c: c.methods if c.methods < 1 << 31 else c.methods - (1 << 32),
    "ruid": lambda c: c.ruid,
    "instance": lambda c: c.instance or None,
    "conid": lambda c: c.connection_id if c.connection_id >= 0 else None,
    "server_id": lambda c: c.server_id,
}


@pv_class("ulc")
def _ulc(spec: Spec) -> Accessor:
    """``$ulc(profile=>attribute)``: what reg_fetch_contacts() found; an index from 0 names the contact."""
    profile, arrow, attribute = (spec.inner or "").partition("=>")
    profile, attribute = profile.strip(), attribute.strip()
    whole = ("aor", "domain", "aorhash", "count")
    if not arrow or not profile or attribute not in (*whole, *_ATTRIBUTES):
        raise PvError("$ulc expects profile=>attribute such as caller=>addr", str(spec))
    index = 0
    if spec.index is not None:
        if not spec.index.isdigit():
            raise PvError("$ulc expects an index from 0", str(spec))
        index = int(spec.index)

    def get(run: Run) -> Value:
        registrar: Registrar = run.proxy.modules.registrar
        found = registrar.profiles.get(profile)
        if found is None:
            return None
        table, aor, contacts = found
        if index >= len(contacts):
            return None
        if attribute == "count":
            return len(contacts)
        if attribute == "aor":
            return aor
        if attribute == "domain":
            return table
        if attribute == "aorhash":
            return aor_hash(aor)
        value: Value = _ATTRIBUTES[attribute](contacts[index])
        return value

    return Accessor(spec, get)
