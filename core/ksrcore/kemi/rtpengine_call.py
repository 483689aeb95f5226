"""One command to rtpengine: the dictionary that is sent, the node it is sent to, what the answer means."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..forward import branch_hash
from ..net.ng import Dictionary, NgValue, bdecode, bencode
from ..pv.accessor import Accessor
from ..pv.errors import PvError
from ..pv.format import NULL
from ..run import FAILURE_ROUTE
from ..sip.errors import SipError
from .rtpengine_flags import BadFlag, Flags, read_flags
from .rtpengine_nodes import Calls, Node, Sets, hash_of
from .rtpengine_rpc import RtpengineRpc

if TYPE_CHECKING:
    from ..run import Run
    from ..sip.message import SipMessage

__all__ = ["Answer", "Command", "Failed", "Talk"]

log = logging.getLogger("ksrcore.rtpengine")

#: Nodes are asked at most so often for one command.
LIMIT = 30

#: Commands about what one party sends: they name it only when told to.
_ONE_SIDED = frozenset(
    f"{verb} {what}"
    for verb, what in (
        ("block", "DTMF"),
        ("unblock", "DTMF"),
        ("block", "media"),
        ("unblock", "media"),
        ("silence", "media"),
        ("unsilence", "media"),
        ("start", "forwarding"),
        ("stop", "forwarding"),
    )
)

Answer = Mapping[str, NgValue]


class Failed(Exception):
    """A command could not be sent, or did not succeed: says why, for the log."""


class Command:
    """A command for a message: its name, what identifies the call, and the dictionary as it is sent."""

    __slots__ = ("branch", "callid", "op", "text")

    def __init__(self, op: str, callid: str, branch: str, text: str) -> None:
        self.op = op
        self.callid = callid
        self.branch = branch
        self.text = text


class Talk(RtpengineRpc, ABC):
    """Sends commands. The parameters are those of :class:`~ksrcore.kemi.rtpengine.Rtpengine`."""

    sets: Sets
    calls: Calls
    rtpengine_tout_ms: Any
    rtpengine_retr: Any
    rtpengine_disable_tout: Any
    rtpengine_allow_op: Any
    aggressive_redetection: Any
    queried_nodes_limit: Any
    hash_algo: Any
    _extra: Accessor | None = None
    _instance: Accessor | None = None

    @abstractmethod
    def sdp_of(self, run: Run) -> tuple[str, bool]:
        """The SDP for an offer or answer, and whether it is a fragment. Raises Failed."""

    # -- the dictionary -----------------------------------------------------------------------------------------------

    def command(self, run: Run, op: str, text: str, sdp: str | None = None) -> Command:
        """The command for the run's message; ``sdp`` in place of the message's. Raises Failed."""
        msg = run.msg
        try:
            from_ = msg.from_
            from_tag = from_.tag if from_ is not None else ""
            to_tag = msg.to_tag
            callid = msg.callid
        except SipError as error:
            raise Failed(str(error)) from None
        if not callid or not from_tag:
            raise Failed("the message has no Call-ID or no From tag")
        try:
            flags = read_flags(text, msg.is_request)
        except BadFlag as error:
            raise Failed(str(error)) from None
        message = Dictionary(("supports", ["load limit"]))
        if op in ("offer", "answer"):
            found, fragment = self.sdp_of(run)
            message.add("sdp", found if sdp is None else sdp)
            if fragment:
                flags.flags.append("fragment")
        flags.add_to(message)
        if flags.answer:
            if op != "offer":
                raise Failed("force-answer makes an answer of an offer only")
            op = "answer"
        callid = callid if flags.callid is None else flags.callid
        message.add("call-id", callid)
        branch = self._branch(run, flags) if flags.branch else ""
        if flags.branch:
            message.add("via-branch", branch)
        if msg.rcv is not None:
            ip = msg.rcv.src_ip
            message.add("received-from", ["IP6" if ":" in ip else "IP4", ip])
        from_tag = from_tag if flags.from_tag is None else flags.from_tag
        to_tag = to_tag if flags.to_tag is None else flags.to_tag
        self._parties(msg, message, op, flags, from_tag, to_tag)
        message.add("command", op)
        return Command(op, callid, branch, bencode(message))

    @staticmethod
    def _parties(msg: SipMessage, message: Dictionary, op: str, flags: Flags, from_tag: str, to_tag: str) -> None:
        if op in _ONE_SIDED:
            if flags.directional or flags.from_tag is not None:
                message.add("from-tag", from_tag)
            return
        if op == "delete":
            to_tag = to_tag if flags.with_to else ""
        # Who offers comes first; a request that answers answers the offer in a reply.
        elif msg.is_request == (op == "answer"):
            if not to_tag:
                raise Failed("the message has no To tag")
            from_tag, to_tag = to_tag, from_tag
        message.add("from-tag", from_tag)
        if to_tag:
            message.add("to-tag", to_tag)

    def _branch(self, run: Run, flags: Flags) -> str:
        """What ``via-branch`` names. Raises Failed when it is not there."""
        msg = run.msg
        if flags.branch == "extra":
            if self._extra is None:
                raise Failed("via-branch=extra needs modparam rtpengine:extra_id_pv")
            value = self._extra.get(run)
            return NULL if value is None else str(value)
        if flags.branch == "next":
            return self._next_branch(run)
        try:
            vias = msg.vias()
        except SipError as error:
            raise Failed(str(error)) from None
        at = int(flags.branch) - 1
        if at >= len(vias) or not vias[at].branch:
            raise Failed(f"there is no branch in Via {flags.branch}")
        return vias[at].branch

    def _next_branch(self, run: Run) -> str:
        """The branch that the request gets when it is relayed next."""
        msg = run.msg
        if not msg.is_request:  # nothing will carry it, nor does what Kamailio makes of a reply
            return f"z9hG4bK{branch_hash(msg.callid, msg.method):x}.0"
        t = self.proxy.modules.tm._t(run)
        if t is None:
            return f"{self.proxy.modules.tm.engine.foresee(msg)}.0"
        index = len(t.branches) if run.route == FAILURE_ROUTE else max(run.branch, 0)
        return f"{t.prefix}.{index:x}"

    # -- the nodes ----------------------------------------------------------------------------------------------------

    def _send(self, node: Node, text: str) -> str | None:
        """The reply, None when there is none: the node is left out then."""
        timeout, attempts = self.rtpengine_tout_ms / 1000, self.rtpengine_retr
        try:
            return self.proxy.wait(lambda: node.socket.ask(text, timeout=timeout, attempts=attempts))
        except OSError as error:
            log.error("rtpengine %s: %s", node.url, error)
            if not node.off:
                node.leave_out(self.proxy.now + self.rtpengine_disable_tout)
            return None

    def _answers(self, node: Node) -> bool | None:
        """Whether a node answers a ping as it should, None when it does not answer at all: it is left out then."""
        if self.proxy.sandbox:
            return False
        reply = self._send(node, bencode({"command": "ping"}))
        if reply is None:
            return None
        try:
            answer = bdecode(reply)
        except ValueError:
            answer = {}
        if isinstance(answer, dict) and answer.get("result") == "pong":
            return True
        log.error("rtpengine %s: expected a pong, got %r", node.url, reply[:200])
        return False

    def ping(self, node: Node) -> bool:
        """Ping a node for an operator: one that does not answer as it should is left out."""
        if self._answers(node):
            return True
        node.leave_out(self.proxy.now + self.rtpengine_disable_tout)
        return False

    def test(self, node: Node) -> bool:
        """Ping a node: it is enabled or left out accordingly. One that an operator has disabled is not asked."""
        if node.off:
            return False
        good = self._answers(node)
        if node.off:  # since it was asked
            return False
        if good:
            node.disabled, node.recheck = False, 0.0
        elif good is not None:
            node.disabled = True
        return bool(good)

    def _choose(self, nodes: list[Node], command: Command, asked: list[Node]) -> Node | None:
        """The node for a command: the call's own, else by the hash of its Call-ID among those not ``asked`` yet."""
        if self.proxy.sandbox:
            return None
        known = self.calls.find(command.callid, command.branch, self.proxy.now)
        if known is not None and any(known is node for node in nodes):
            if not known.disabled or self.rtpengine_allow_op == 1 or (self.rtpengine_allow_op == 2 and known.off):
                return known
            return None
        for again in (False, True):
            if again:
                # Nobody is left: ask all, whether it is time for it or not.
                if not self.aggressive_redetection:
                    break
                for node in nodes:
                    if node.shown:
                        self.test(node)
            usable: list[Node] = []
            for node in nodes:
                if not node.shown or (node.disabled and (node.recheck > self.proxy.now or not self.test(node))):
                    continue
                if not any(node is one for one in asked):
                    usable.append(node)
            total = sum(node.weight for node in usable)
            if total:
                cut = hash_of(command.callid, self.hash_algo) % total
                for node in usable:
                    if cut < node.weight:
                        return node
                    cut -= node.weight
        log.error("rtpengine: no node is left for Call-ID %s", command.callid)
        return None

    # -- asking -------------------------------------------------------------------------------------------------------

    def ask(self, run: Run, number: int, command: Command) -> Answer:
        """What a node of the set says to the command. Raises Failed for an error, and when none can be asked."""
        nodes = self.sets.sets.get(number)
        if nodes is None:
            raise Failed(f"there is no set {number}: define it with modparam rtpengine:rtpengine_sock")
        asked: list[Node] = []
        silent: list[Node] = []
        while True:
            if len(asked) >= min(self.queried_nodes_limit, LIMIT):
                raise Failed(f"{len(asked)} nodes were asked, more are not allowed by modparam queried_nodes_limit")
            node = self._choose(nodes, command, asked)
            if node is None or any(node is one for one in silent):
                raise Failed("no rtpengine is available")
            asked.append(node)
            reply = self._send(node, command.text)
            if reply is None:
                silent.append(node)
                continue
            self._tell_instance(run, node)
            answer = self._read(node, reply)
            if answer is not None:
                self._remember(command, node)
                return answer

    @staticmethod
    def _read(node: Node, reply: str) -> Answer | None:
        """The answer; None when another node is to be asked. Raises Failed for an error."""
        try:
            answer = bdecode(reply)
        except ValueError as error:
            raise Failed(f"{node.url}: cannot read {reply[:200]!r}: {error}") from None
        result = answer.get("result") if isinstance(answer, dict) else None
        if not isinstance(answer, dict) or not isinstance(result, str):
            raise Failed(f"{node.url}: expected a dictionary with a result, got {reply[:200]!r}")
        if result == "load limit":
            log.warning("rtpengine %s is at its limit: %s", node.url, answer.get("message", ""))
            return None
        if result == "error":
            reason = answer.get("error-reason")
            if isinstance(reason, str) and reason.startswith("Ran out of ports"):
                log.warning("rtpengine %s: %s", node.url, reason)
                return None
            raise Failed(f"{node.url}: {reason or 'an error without a reason'}")
        return answer

    def _remember(self, command: Command, node: Node) -> None:
        if command.op == "delete":
            self.calls.remove(command.callid, command.branch)
        else:
            self.calls.insert(command.callid, command.branch, node, self.proxy.now)

    def _tell_instance(self, run: Run, node: Node) -> None:
        if self._instance is not None:
            try:
                self._instance.set(run, node.url)
            except PvError as error:
                log.error("rtpengine: %s", error)
