"""``registrar.save``: from a REGISTER to contacts in the location table, and the reply (RFC 3261 10.3)."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

from ..pv.errors import PvError
from ..sip.errors import SipError
from ..sip.nameaddr import parse_nameaddrs
from ..sip.values import parse_tokens
from ..store.contact import ALL_METHODS, Contact
from ..store.errors import StoreError
from .registrar_common import AorError, extract_aor, method_bits, target_uri, unescape_uri
from .registrar_reply import Outcome, format_q
from .usrloc import aor_hash, reversed_hex

if TYPE_CHECKING:
    from ..run import Run
    from ..sip.message import SipMessage
    from ..sip.nameaddr import NameAddr
    from ..store.location import Location
    from .registrar import Registrar

__all__ = ["save"]

log = logging.getLogger("ksrcore.registrar")

# Flags of save(); those about the reply are in registrar_reply.
MEMORY_ONLY: Final = 1
ONE_CONTACT: Final = 4
NO_RANGE: Final = 8

_NEVER: Final = 0xFFFFFFFF
_MAX_EXPIRES: Final = 0xFFFFFFFF
#: The longest Path, all fields together, in bytes.
_PATH_MAX: Final = 254


class Refused(Exception):
    """A REGISTER cannot be accepted: the status, the text for P-Registrar-Error, the function's return value."""

    def __init__(self, code: int, text: str, result: int = -1) -> None:
        super().__init__(text)
        self.code = code
        self.text = text
        self.result = result


class _Register:
    """One REGISTER being saved."""

    def __init__(self, module: Registrar, run: Run, table: Location, flags: int, uri: str) -> None:
        self.module = module
        self.run = run
        self.msg = run.msg
        self.table = table
        self.flags = flags
        self.uri = uri
        self.now = int(run.proxy.wall())
        self.aor = ""
        #: The AoR could be told, and the reply shows its contacts.
        self.found = False
        self.host = ""
        self.use_reg_id = True
        self.supported = _options(self.msg, "supported")
        self.require = _options(self.msg, "require")
        self.config = module.config(run)

    # -- the request ------------------------------------------------------------------------------------------------

    def contacts(self) -> tuple[bool, list[NameAddr]]:
        """Whether the Contact is ``*``, and the contacts; a field with several is worked off from its end."""
        found: list[NameAddr] = []
        try:
            for header in self.msg.headers:
                if header.key == "contact":
                    if header.body.rstrip().endswith(","):
                        raise Refused(400, "Contact parse error")
                    found += reversed(header.parsed(parse_nameaddrs))
        except SipError:
            raise Refused(400, "Contact parse error") from None
        star = any(value.uri == "*" and not value.brackets for value in found)
        if star:
            if len(found) > 1:
                raise Refused(400, "* used in contact and more than 1 contact")
            if self.header_expires() != 0:
                raise Refused(400, "* used in contact and expires is not zero")
            return True, []
        limit = self.module.contact_max_size
        for value in found:
            if not value.brackets and ":" not in value.uri:
                raise Refused(400, "Contact parse error")
            if len(value.uri) > limit:
                raise Refused(400, "Contact/received too long")
        return False, found

    def header_expires(self) -> int:
        """Expires of the request in seconds, the default without one or when it is no number."""
        header = self.msg.index.get("expires")
        if header is None:
            return self.default_expires()
        number = _number(header.body)
        return self.default_expires() if number is None else number

    def default_expires(self) -> int:
        return self._vary(self.module.default_expires, self.module.default_expires_range)

    def _vary(self, seconds: int, percent: int) -> int:
        """``seconds`` less a random part of at most ``percent`` of it: spreads refreshes."""
        if not percent or not seconds or self.flags & NO_RANGE:
            return seconds
        return seconds - self.module.proxy.random.randint(0, seconds * min(percent, 100) // 100)

    def expires(self, value: NameAddr) -> int:
        """The unix time at which a contact expires, 0 when it is to be removed. Raises :class:`Refused`."""
        module = self.module
        wanted = self.config.get("expires")
        if isinstance(wanted, int) and wanted >= 0:
            seconds: int = wanted
        else:
            text = value.param("expires")
            if text:
                number = _number(text)
                seconds = self.default_expires() if number is None else self._vary(number, module.expires_range)
            elif "expires" in self.msg.index:
                seconds = self._vary(self.header_expires(), module.expires_range)
            else:
                seconds = self.default_expires()
        if not seconds:
            return 0
        if module.min_expires and seconds < module.min_expires:
            if module.min_expires_mode:
                raise Refused(423, "Interval too brief")
            seconds = module.min_expires
        if module.max_expires and seconds > module.max_expires:
            seconds = module.max_expires
        return self.now + seconds

    def q(self, value: NameAddr) -> int:
        override = self.msg.extra.get("registrar.q")
        if isinstance(override, int):
            return override
        wanted = self.config.get("q")
        if isinstance(wanted, int):
            if not 0 <= wanted <= 1000:
                raise Refused(400, "Invalid q param in contact")
            return wanted
        if not value.param("q"):
            default: int = self.module.default_q
            return default
        q = value.q
        if q is None or (value.param("q") or "").endswith("."):
            raise Refused(400, "Invalid q param in contact")
        return q

    def path(self) -> tuple[str, str]:
        """The Path to store and the source address an edge proxy put into its first value, both '' when unused."""
        if not self.module.use_path:
            return "", ""
        text = ",".join(header.body for header in self.msg.headers if header.key == "path" and header.body)
        if not text:
            return "", ""
        try:
            hops = parse_nameaddrs(text)
            first = hops[0].parsed_uri
            if "received" in first.params.split(";") and self.module.path_use_received:
                raise Refused(400, "Path parse error")
            if not first.lr or len(text) > _PATH_MAX or not all(hop.brackets for hop in hops):
                raise Refused(400, "Path parse error")
            received = unescape_uri(first.param("received") or "") if self.module.path_use_received else ""
        except (SipError, AorError):
            raise Refused(400, "Path parse error") from None
        return text, received

    def common(self) -> dict[str, Any]:
        """What all contacts of the request share."""
        module, msg, rcv = self.module, self.msg, self.msg.rcv
        cseq = msg.cseq
        path, received = self.path()
        cflags = msg.bflags
        nat = module.usrloc.nat_bflag
        if received and nat >= 0:
            cflags |= 1 << nat
        if not received and module.received_get is not None:
            value = module.received_get(self.run)
            received = value if isinstance(value, str) else ""
            if len(received) > 255:
                raise Refused(400, "Contact/received too long")
        agent = msg.index.get("user-agent")
        stream = rcv is not None and rcv.proto != "udp" and rcv.conid
        return {
            "callid": msg.callid,
            "cseq": cseq.number if cseq is not None else 0,
            "path": path,
            "received": received,
            "cflags": cflags,
            "user_agent": agent.body[:255] if agent is not None and agent.body else "n/a",
            "socket": module.socket_text(self.run, self.config),
            "connection_id": rcv.conid if stream and rcv is not None else -1,
            **({"keepalive": 1} if nat >= 0 and cflags >> nat & 1 else {}),
            "last_modified": self.now,
        }

    def fields(self, value: NameAddr, expires: int) -> dict[str, Any]:
        """What is a contact's own."""
        # Without an instance, a contact that is there keeps its own.
        found: dict[str, Any] = {}
        instance = value.param("+sip.instance")
        if instance is not None:
            found["reg_id"] = self.reg_id(value)
            if instance:
                found["instance"] = instance
        methods = value.param("methods")
        bits: int | None = ALL_METHODS
        if methods is not None:
            bits = method_bits(methods)
            if bits is None:
                raise Refused(400, "Message parse error")
        elif "allow" in self.msg.index:
            bits = method_bits(",".join(h.body for h in self.msg.headers if h.key == "allow"))
        return {
            "expires": expires,
            "q": self.q(value),
            "methods": ALL_METHODS if bits is None else bits,
            **found,
        }

    def reg_id(self, value: NameAddr) -> int:
        if not self.use_reg_id:
            return 0
        text = value.param("reg-id")
        if text is None:
            return 0
        number = _number(text)
        if not number:
            raise Refused(200, "")  # as Kamailio does: a 200 that shows what there is
        return number

    # -- the table --------------------------------------------------------------------------------------------------

    def run_all(self, outcome: Outcome) -> None:
        """Do it. Raises :class:`Refused`."""
        if "outbound" in self.require and not self.module.outbound_mode:
            outcome.unsupported = "outbound"
            raise Refused(420, "No support for Outbound on server")
        star, values = self.contacts()
        self.find_aor()
        self.check_outbound(outcome, values)
        if star:
            self.table.delete_aor(self.aor)
            outcome.result = 3
        elif not values:
            outcome.result = 4
        else:
            outcome.result = self.update(values)
            if self.check_path(outcome):
                # Kamailio stores the contact and answers 420 all the same.
                raise Refused(420, "No support for found Path indicated", outcome.result)

    def find_aor(self) -> None:
        module = self.module
        try:
            if self.uri:
                uri = target_uri(self.msg, self.uri)
            else:
                to = self.msg.to
                if to is None:
                    raise AorError("no To")
                try:
                    uri = to.parsed_uri
                except SipError as error:
                    raise AorError(str(error)) from None
            self.aor = extract_aor(
                uri, bool(module.usrloc.use_domain), bool(module.case_sensitive), module.realm_prefix
            )
        except AorError as error:
            log.error("save: %s", error)
            if error.broken:
                raise Refused(400, "Error while unescaping username") from None
            if self.uri:
                raise Refused(400, "Error while parsing AOR") from None
            raise Refused(500, "Address Of Record too long") from None
        self.found = True
        self.host = uri.host

    def check_outbound(self, outcome: Outcome, values: list[NameAddr]) -> None:
        """RFC 5626 section 6: a flow through an edge proxy needs that proxy's support."""
        mode = self.module.outbound_mode
        if not mode:
            return
        asked = "outbound" in self.supported or "outbound" in self.require
        outcome.outbound = asked or mode == 2
        if len(self.msg.vias()) < 2:
            return
        if any(value.param("reg-id") and value.param("+sip.instance") for value in values):
            try:
                path = self.msg.nameaddrs("path")
                supported = bool(path) and path[-1].parsed_uri.ob
            except SipError:
                supported = False
            if not supported:
                if asked:
                    self.found = False  # no Contact in this reply
                    raise Refused(439, "No support for Outbound on edge proxy")
                self.use_reg_id = False

    def check_path(self, outcome: Outcome) -> bool:
        """Put Path into the reply as path_mode wants it; True when the request must be answered with 420."""
        if not self.module.use_path or "path" not in self.msg.index:
            return False
        body = ",".join(header.body for header in self.msg.headers if header.key == "path")
        mode = self.module.path_mode
        if "path" in self.supported:
            outcome.path = body if mode else ""
            return False
        if mode == 2:
            outcome.path, outcome.unsupported = body, "path"
            return True
        return False

    def update(self, values: list[NameAddr]) -> int:
        """Insert, update and delete, all or nothing. Raises :class:`Refused`."""
        table = self.table
        plan = [(value, self.expires(value)) for value in values]
        common = self.common()
        single = bool(self.flags & ONE_CONTACT)
        # The first contacts of an AoR are all inserted; what the request says of one twice counts twice then.
        first = not table.record(self.aor)
        if first:
            plan = [(value, expires) for value, expires in plan if expires]
        if not single:
            self.check_count(plan)
        mode = table.db_mode
        if self.flags & MEMORY_ONLY:
            table.db_mode = 0
        try:
            if len(plan) == 1 and not single:
                return self.one(plan[0][0], plan[0][1], common, 1)
            with table.transaction():
                result = 1
                for value, expires in plan:
                    if first:
                        self.one(value, expires, common, 1, True)
                        continue
                    if single and expires:
                        self.remove_others(value, common)
                    result = self.one(value, expires, common, result)
                    if single and expires:
                        break
                return result
        except StoreError as error:
            log.error("save: %s", error)
            raise Refused(500, "usrloc_record_insert failed") from None
        finally:
            table.db_mode = mode

    def known(self, value: NameAddr, common: dict[str, Any]) -> Contact | None:
        instance = value.param("+sip.instance")
        if instance:
            return self.table.match_instance(self.aor, instance, self.reg_id(value))
        return self.table.match(self.aor, value.uri, common["callid"], common["path"])

    def remove_others(self, value: NameAddr, common: dict[str, Any]) -> None:
        keep = self.known(value, common)
        for contact in list(self.table.record(self.aor)):
            if keep is None or contact.ruid != keep.ruid:
                self.table.delete(contact)

    def check_count(self, plan: list[tuple[NameAddr, int]]) -> None:
        limit: int = self.module.max_contacts
        wanted = self.config.get("max_contacts")
        if isinstance(wanted, int):
            limit = wanted
        if limit <= 0:
            return
        contacts = self.table.get(self.aor, self.now)
        count = len(contacts)
        common = {"callid": self.msg.callid, "path": self.path()[0]}
        for value, expires in plan:
            known = self.known(value, common)
            if known is not None and known.valid(self.now):
                count -= not expires
            else:
                count += bool(expires)
        if count > limit:
            log.info("save: too many contacts for AOR <%s> (%d, limit %d)", self.aor, count, limit)
            raise Refused(503, "Too many registered contacts", -2)

    def one(
        self, value: NameAddr, expires: int, common: dict[str, Any], result: int, unconditional: bool = False
    ) -> int:
        """Apply one contact; save's return value for it, ``result`` when nothing is to be done.

        ``unconditional``: whatever the CSeq of a contact that is there.
        """
        table = self.table
        old = self.known(value, common)
        if old is None:
            if not expires:
                return result
            server_id = self.run.proxy.module("").server_id
            fields = self.fields(value, expires)
            table.insert(
                Contact(aor=self.aor, ruid=table.new_ruid(), contact=value.uri, server_id=server_id, **common, **fields)
            )
            return 1
        fields = self.fields(value, expires)
        if not unconditional and old.callid == common["callid"]:
            if common["cseq"] < old.cseq:
                raise Refused(400, "Invalid CSeq number")
            if common["cseq"] == old.cseq:
                if self.now - old.last_modified > self.module.usrloc.cseq_delay:
                    raise Refused(400, "Invalid CSeq number")
                return result  # a retransmission, or said twice
        if not expires:
            table.delete(old)
            return 3
        # The URI of what is known by its Call-ID alone stays.
        table.update(old, contact=value.uri if "instance" in fields else old.contact, **common, **fields)
        return 2

    # -- the reply --------------------------------------------------------------------------------------------------

    def contact_field(self) -> str:
        """The Contact field with all the AoR has now, '' when it has none."""
        if not self.found:
            return ""
        module = self.module
        gruu = module.gruu_enabled and "gruu" in self.supported
        parts = []
        for c in self.table.get(self.aor, self.now):
            text = f"<{c.contact}>"
            if c.q >= 0:
                text += f";q={format_q(c.q)}"
            text += f";expires={c.expires - self.now if c.expires else _NEVER}"
            if c.received and module.received_param:
                text += f';{module.received_param}="{c.received}"'
            if c.instance:
                if gruu:
                    user = self.aor.partition("@")[0]
                    temporary = f"{c.ruid}-{reversed_hex(aor_hash(self.aor))}"
                    text += (
                        f';pub-gruu="sip:{user}@{self.host};gr={c.instance.removeprefix("<").removesuffix(">")}"'
                        f';temp-gruu="sip:{temporary}@{self.host};gr"'
                    )
                text += f';+sip.instance="{c.instance}"'
            if c.reg_id:
                text += f";reg-id={c.reg_id}"
            parts.append(text)
        return f"Contact: {', '.join(parts)}\r\n" if parts else ""


def _number(text: str) -> int | None:
    """An unsigned number of 32 bits, None for anything else."""
    if not text or len(text) > 10 or not (text.isascii() and text.isdigit()):
        return None
    number = int(text)
    return number if number <= _MAX_EXPIRES else None


def _options(msg: SipMessage, key: str) -> frozenset[str]:
    if key not in msg.index:
        return frozenset()
    return frozenset(
        token.lower() for header in msg.headers if header.key == key for token in parse_tokens(header.body)
    )


def save(module: Registrar, run: Run, table: Location, flags: int, uri: str) -> Outcome:
    """Save the request's contacts; what came of it. Never raises."""
    outcome = Outcome()
    work = _Register(module, run, table, flags, uri)
    try:
        work.run_all(outcome)
    except Refused as refused:
        outcome.result, outcome.code, outcome.error = refused.result, refused.code, refused.text
        if refused.code == 423:
            outcome.min_expires = module.min_expires
    except (SipError, PvError) as error:
        log.error("save: %s", error)
        outcome.result, outcome.code, outcome.error = -1, 400, "Message parse error"
    except StoreError as error:
        log.error("save: %s", error)
        outcome.result, outcome.code, outcome.error = -1, 500, "usrloc_record_insert failed"
    outcome.contacts = work.contact_field()
    return outcome
