"""Keepalive pings to registered contacts behind NAT: four zero bytes over UDP, or a SIP request that is answered."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

from ..net.address import AddressError, Dest, Listen, bracketed, canonical_ip, parse_listen
from ..run import Run
from ..sip.errors import SipError
from ..sip.nameaddr import parse_nameaddrs
from ..sip.uri import default_port, parse_uri
from .core_log import log
from .declare import ParamError

if TYPE_CHECKING:
    from ..proxy import Timer
    from ..store.contact import Contact
    from .nathelper import Nathelper
    from .usrloc import Usrloc

#: How often the pings of one interval are sent in portions, seconds: a large table must not stop the traffic.
_STEP = 1.0


class Pinger:
    """Sends the pings of one interval in portions, one a second. ``enabled`` is nathelper.enable_ping's switch.

    A SIP ping's From tag is ``ksrping-`` and the contact's ruid: so its reply is known, and, with
    ``keepalive_timeout``, a contact that leaves pings unanswered for so long is removed.
    """

    def __init__(self, module: Nathelper) -> None:
        self.module = module
        self.proxy = module.proxy
        self.enabled = True
        self.numbers = count(1)
        self.timer: Timer | None = None
        self.waiting: list[Contact] = []
        self.portion = 0
        self.round_at = 0.0
        #: ruid -> when the first of the pings that are still unanswered was sent.
        self.unanswered: dict[str, float] = {}
        self.listen: Listen | None = None
        if module.force_socket:
            text = module.force_socket
            try:
                wanted = parse_listen(text if text.partition(":")[0] in ("udp", "tcp", "tls") else f"udp:{text}")
            except AddressError as error:
                raise ParamError(f"modparam nathelper:force_socket: {error}") from None
            self.listen = next((s for s in self.proxy.listens if s == wanted), None)
            if self.listen is None:
                raise ParamError(f"modparam nathelper:force_socket: {text} is none of the listen sockets")

    def start(self) -> None:
        if "usrloc" not in self.proxy.modules:
            raise ParamError("modparam nathelper:natping_interval needs the usrloc module")
        self.timer = self.proxy.after(_STEP, self.tick, every=_STEP)
        self.round_at = self.proxy.now + self.module.natping_interval
        self.proxy.reply_handlers.insert(0, self.reply)

    def stop(self) -> None:
        if self.timer is not None:
            self.timer.cancel()
        if self.reply in self.proxy.reply_handlers:
            self.proxy.reply_handlers.remove(self.reply)

    def tick(self) -> None:
        """Once a second: begin a round when it is time, send the next portion of the running one."""
        if self.proxy.now >= self.round_at:
            self.round_at = self.proxy.now + self.module.natping_interval
            self._drop_silent()
            self.waiting = self.contacts() if self.enabled else []
            self.portion = -(-len(self.waiting) // max(1, self.module.natping_interval - 1))
        for _ in range(min(self.portion, len(self.waiting))):
            self.ping(self.waiting.pop())

    def contacts(self) -> list[Contact]:
        """The contacts to ping: by flags, server id, and transport (UDP; others keep their connection)."""
        module = self.module
        usrloc = self.usrloc
        only = 1 << usrloc.nat_bflag if module.ping_nated_only and usrloc.nat_bflag >= 0 else 0
        never = 1 << module.natping_disable_bflag if module.natping_disable_bflag >= 0 else 0
        server_id = self.proxy.module("").server_id
        now = self.proxy.wall()
        found = []
        for table in usrloc.tables.values():
            for _, contacts in table.all():
                for contact in contacts:
                    if module.ping_nated_only and not contact.cflags & only or contact.cflags & never:
                        continue
                    if module.filter_server_id and contact.server_id != server_id:
                        continue
                    if contact.valid(now):
                        found.append(contact)
        return found

    @property
    def usrloc(self) -> Usrloc:
        return self.proxy.modules.usrloc

    def ping(self, contact: Contact) -> None:
        """Send one ping to where the registration came from; nothing for a contact that cannot be reached."""
        module = self.module
        target = contact.received or contact.contact
        try:
            if contact.path:
                target = parse_nameaddrs(contact.path)[0].uri
            uri = parse_uri(target)
        except SipError as error:
            log.warning("ping of %s: %s", contact.aor, error)
            return
        ip = canonical_ip(uri.host)
        if uri.transport not in ("", "udp") or uri.scheme != "sip" or not ip:
            return
        sip = module.sipping_bflag >= 0 and module.sipping_from and contact.cflags >> module.sipping_bflag & 1
        listen = self.listen or self._socket(contact) or self.proxy.pick_listen("udp", ip)
        dest = Dest("udp", ip, uri.port_no or default_port(uri.scheme), listen)
        if not sip:
            self.proxy.transmit(b"\0\0\0\0", dest)
            return
        if listen is None:
            return
        self.unanswered.setdefault(contact.ruid, self.proxy.now)
        self.proxy.send(self.request(contact, listen), dest)

    def request(self, contact: Contact, listen: Listen) -> str:
        """The SIP ping: stateless, its Via branch is 0 as Kamailio's."""
        number = next(self.numbers)
        module = self.module
        route = f"Route: {contact.path}\r\n" if contact.path else ""
        return (
            f"{module.sipping_method} {contact.contact} SIP/2.0\r\n"
            f"Via: SIP/2.0/UDP {bracketed(listen.host)}:{listen.port};branch=z9hG4bK{number:07d}\r\n"
            f"{route}From: {module.sipping_from};tag=ksrping-{contact.ruid}\r\nTo: {contact.contact}\r\n"
            f"Call-ID: ksrping-{number:x}-{int(self.proxy.started):x}@{listen.host}\r\n"
            f"CSeq: 1 {module.sipping_method}\r\nContent-Length: 0\r\n\r\n"
        )

    def _socket(self, contact: Contact) -> Listen | None:
        return next((s for s in self.proxy.listens if s.text == contact.socket and s.proto == "udp"), None)

    def reply(self, run: Run) -> bool:
        """A reply handler: takes the replies to our pings."""
        try:
            from_ = run.msg.from_
        except SipError:
            return False
        tag = from_.tag if from_ is not None else ""
        if not tag.startswith("ksrping-"):
            return False
        self.unanswered.pop(tag[len("ksrping-") :], None)
        return True

    def _drop_silent(self) -> None:
        """Remove contacts that left pings unanswered for ``keepalive_timeout``."""
        timeout = self.module.keepalive_timeout
        if not timeout:
            self.unanswered.clear()
            return
        for ruid, since in list(self.unanswered.items()):
            if self.proxy.now - since >= timeout:
                del self.unanswered[ruid]
                for table in self.usrloc.tables.values():
                    contact = table.by_ruid(ruid)
                    if contact is not None:
                        log.info("nathelper: %s does not answer pings, removed", contact.contact)
                        table.delete(contact)
                        self.usrloc.count(table)
