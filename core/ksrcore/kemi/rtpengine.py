"""Kamailio's rtpengine: media through rtpengine, by its ng protocol.

A command waits for its answer, for at most ``rtpengine_retr`` times ``rtpengine_tout_ms`` (see :mod:`ksrcore.net.ng`);
other messages flow meanwhile. An rtpengine that does not answer is left out for ``rtpengine_disable_tout`` seconds.
Each is pinged at the start. A sandbox sends nothing: there it looks as if none were left.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Self

from ..pv.accessor import compile_spec
from ..pv.errors import PvError
from ..pv.registry import Accessor, Value, pv
from ..run import BRANCH_FAILURE_ROUTE, FAILURE_ROUTE
from ..store.errors import StoreError
from .dbparam import DbModule
from .declare import Param, ParamError, export
from .rtpengine_body import has_sdp, sdp_span
from .rtpengine_call import LIMIT, Answer, Failed
from .rtpengine_json import to_json
from .rtpengine_media import MediaFunctions, with_branch
from .rtpengine_nodes import Calls, Node, Sets
from .rtpengine_stats import MosParams, counters, variable

if TYPE_CHECKING:
    from ..proxy import Proxy
    from ..run import Run

__all__ = ["Rtpengine"]

log = logging.getLogger("ksrcore.rtpengine")

_SETS = "rtpengine.sets"
#: In the extra of a transaction's request: it had an SDP when rtpengine_manage() saw it.
_OFFERED = "rtpengine.offered"


class Rtpengine(MediaFunctions, MosParams, DbModule):
    """Offers and answers are rewritten so that media goes through an rtpengine."""

    name = "rtpengine"

    rtpengine_sock = Param("", "[SET ==] udp:HOST:PORT[=WEIGHT] ...: the rtpengines of a set", multi=True)
    rtpengine_disable_tout = Param(60, "seconds an rtpengine that does not answer is left out: int")
    aggressive_redetection = Param(1, "1: when none is left, all are pinged whether it is time for it or not: int")
    rtpengine_tout_ms = Param(1000, "milliseconds to wait for an answer: int")
    rtpengine_allow_op = Param(
        0, "commands for a known call go to its rtpengine when it is disabled: 1 also, 2 by an operator only: int"
    )
    queried_nodes_limit = Param(30, "how many rtpengines are asked for one command, 1 to 30: int")
    rtpengine_retr = Param(5, "how often a command is sent until an answer comes: int")
    extra_id_pv = Param("", "variable that via-branch=extra takes: str")
    setid_avp = Param("", "AVP with the number of the set: str")
    force_send_interface = Param("", "address that commands are sent from: str")
    read_sdp_pv = Param("", "variable that has the SDP, in place of the message: str")
    write_sdp_pv = Param("", "variable that gets the SDP, in place of the message: str")
    rtp_inst_pvar = Param("", "variable that gets the URL of the rtpengine used: str")
    hash_table_size = Param(256, "rows for the calls that have an rtpengine: int")
    hash_table_tout = Param(3600, "seconds until a call whose end was not seen may be forgotten: int")
    table_name = Param("rtpengine", "the table: str")
    setid_col = Param("setid", "column with the set: str")
    url_col = Param("url", "column with the URL: str")
    weight_col = Param("weight", "column with the weight: str")
    disabled_col = Param("disabled", "column that says whether it is disabled: str")
    setid_default = Param(0, "the set that is used without another word: int")
    media_duration = Param("", "no effect, as in Kamailio's KEMI functions: str")
    control_cmd_tos = Param(-1, "type of service of the commands, 0 to 255: int")
    hash_algo = Param(0, "how a Call-ID finds its rtpengine: 0 sum of its bytes, 1 SHA-1, 2 CRC-32: int")
    wsapi = Param("", "only its default: str")

    named = ("table_name", "setid_col", "url_col", "weight_col", "disabled_col")

    def __init__(self, proxy: Proxy) -> None:
        super().__init__(proxy)
        self.sets = Sets()
        self.calls = Calls(1, 0.0)
        self._setid: Accessor | None = None
        self._source: Accessor | None = None
        self._target: Accessor | None = None

    # -- life ---------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        self._check()
        self.start_mos()
        for name in ("rtp_inst_pvar", "write_sdp_pv", "media_duration"):
            found = variable("rtpengine", name, getattr(self, name))
            if name == "rtp_inst_pvar":
                self._instance = found
            elif name == "write_sdp_pv":
                self._target = found
        for name, attr in (("extra_id_pv", "_extra"), ("read_sdp_pv", "_source"), ("setid_avp", "_setid")):
            text = getattr(self, name)
            try:
                setattr(self, attr, compile_spec(text) if text else None)
            except PvError as error:
                raise ParamError(f"modparam rtpengine:{name} expects a variable: {error}") from None
        if self._setid is not None and self._setid.spec.name not in ("avp", "avp_i"):
            raise ParamError(f"modparam rtpengine:setid_avp expects an AVP such as $avp(setid), got {self.setid_avp!r}")
        self.calls = Calls(self.hash_table_size, float(self.hash_table_tout))
        self.sets = Sets(self.control_cmd_tos, self.force_send_interface)
        if self.db_url:
            super().start()
            try:
                self._load()
            except (StoreError, ValueError) as error:
                raise ParamError(f"modparam rtpengine:db_url: {error}") from None
        else:
            for text in self.rtpengine_sock:
                try:
                    self.sets.add_text(text, self.setid_default)
                except ValueError as error:
                    raise ParamError(
                        f"modparam rtpengine:rtpengine_sock expects [SET ==] udp:HOST:PORT[=WEIGHT] ..., got {text!r}: "
                        f"{error}"
                    ) from None
        for node in self.sets:
            self.test(node)

    def _check(self) -> None:
        if self.wsapi:
            raise ParamError(
                f"modparam rtpengine:wsapi can only be '' here, got {self.wsapi!r}: rtpengine over WebSocket is not "
                f"supported, use its UDP socket"
            )
        if self.rtpengine_tout_ms < 1 or self.rtpengine_retr < 1 or self.rtpengine_disable_tout < 0:
            raise ParamError(
                "modparam rtpengine: rtpengine_tout_ms and rtpengine_retr expect numbers from 1, "
                "rtpengine_disable_tout from 0"
            )
        if self.queried_nodes_limit < 1:
            raise ParamError(
                f"modparam rtpengine:queried_nodes_limit expects 1 to {LIMIT}, got {self.queried_nodes_limit}"
            )
        if self.hash_algo not in (0, 1, 2):
            raise ParamError(f"modparam rtpengine:hash_algo expects 0, 1 or 2, got {self.hash_algo}")

    def waits(self) -> bool:
        return bool(self.sets.sets)

    def stop(self) -> None:
        self.sets.close()
        super().stop()

    def fork(self, proxy: Proxy) -> Self:
        new = super().fork(proxy)
        new.sets, copies = self.sets.fork()
        new.calls = self.calls.fork(copies)
        return new

    def _load(self) -> list[Node]:
        """Take the nodes from the table; new ones are returned. Raises StoreError, and ValueError for a bad row."""
        columns = (self.setid_col, self.url_col, self.weight_col, self.disabled_col)
        names = ", ".join(f'"{name}"' for name in columns)
        rows = self.rows(f'SELECT {names} FROM "{self.table_name}" ORDER BY rowid')
        fresh: list[Node] = []
        seen: set[int] = set()
        for number, url, weight, disabled in rows:
            node = next((node for node in self.sets.sets.get(int(number), []) if node.url == url), None)
            if node is None:
                node = self.sets.add(int(number), str(url), int(weight), bool(disabled))
                fresh.append(node)
            else:
                was_off = node.off
                node.weight, node.shown = int(weight), True
                if disabled:
                    node.switch_off()
                elif was_off:
                    node.disabled, node.recheck = False, 0.0
                    fresh.append(node)
            seen.add(id(node))
        for node in self.sets:
            if id(node) not in seen:
                node.shown = False
                node.switch_off()
        return fresh

    def reload(self) -> None:
        try:
            fresh = self._load()
        except (StoreError, ValueError, TypeError) as error:
            log.error("rtpengine.reload: %s", error)
            raise ValueError(str(error)) from None
        for node in fresh:
            self.test(node)

    # -- which set ----------------------------------------------------------------------------------------------------

    def _numbers(self, run: Run, reverse: bool = False) -> list[int]:
        """The sets that a command goes to, one after the other. Raises Failed."""
        chosen = run.msg.extra.get(_SETS)
        numbers = list(chosen) if isinstance(chosen, tuple) else [self.setid_default]
        value = self._setid.get(run) if self._setid is not None else None
        if value is not None:
            if not isinstance(value, int):
                raise Failed(f"setid_avp expects a number in {self.setid_avp}, got {value!r}")
            if value not in self.sets:
                raise Failed(f"there is no set {value}, which {self.setid_avp} has")
            # In place of each: a second set, if there is one, is asked as the AVP says, too.
            numbers = [value] * len(numbers)
        return numbers[::-1] if reverse else numbers

    def _use(self, run: Run, *numbers: int) -> int:
        for number in numbers:
            if number not in self.sets:
                log.error("rtpengine: there is no set %d: define it with modparam rtpengine:rtpengine_sock", number)
                run.msg.extra.pop(_SETS, None)
                return -1
        run.msg.extra[_SETS] = tuple(dict.fromkeys(numbers))
        return 1

    @export
    def set_rtpengine_set(self, run: Run, r1: int) -> int:
        """Use this set of rtpengines for the message: 1, -1 when there is none."""
        return self._use(run, r1)

    @export
    def set_rtpengine_set2(self, run: Run, r1: int, r2: int) -> int:
        """Use two sets, the second for what the first gives: 1, -1 when one does not exist."""
        return self._use(run, r1, r2)

    # -- offer and answer ---------------------------------------------------------------------------------------------

    def sdp_of(self, run: Run) -> tuple[str, bool]:
        if self._source is not None:
            value = self._source.get(run)
            if value is None:
                raise Failed(f"{self.read_sdp_pv} has no SDP")
            return str(value), False
        span = sdp_span(run.msg)
        if span is None:
            raise Failed("the message has no SDP")
        return run.msg.buf[span[0] : span[1]], span[2]

    def _change(self, run: Run, op: str, flags: str, manage: bool = False) -> int:
        """Have the SDP rewritten. The second of two sets gets what the first gave; not so in ``rtpengine_manage``."""
        try:
            numbers = self._numbers(run, reverse=op == "answer" and not manage)
            sdp: str | None = None
            for left, number in enumerate(numbers, 1 - len(numbers)):
                answer = self.ask(run, number, self.command(run, op, flags, sdp))
                found = answer.get("sdp")
                if answer.get("result") != "ok" or not isinstance(found, str):
                    raise Failed("the answer has no SDP")
                if manage or not left:
                    self._put_sdp(run, found)
                else:
                    sdp = found
        except Failed as error:
            log.error("rtpengine %s: %s", op, error)
            return -1
        return 1

    def _put_sdp(self, run: Run, sdp: str) -> None:
        if self._target is not None:
            try:
                self._target.set(run, sdp)
            except PvError as error:
                raise Failed(str(error)) from None
            return
        msg = run.msg
        span = sdp_span(msg) or (msg.body_at, len(msg.buf))
        msg.lumps.replace(span[0], span[1] - span[0], sdp, "body")

    @export
    def rtpengine_offer(self, run: Run, flags: str) -> int:
        """Have the SDP of an offer rewritten: 1, -1 for an error or when no rtpengine is available."""
        return self._change(run, "offer", flags)

    @export
    def rtpengine_offer0(self, run: Run) -> int:
        """``rtpengine_offer`` without flags."""
        return self._change(run, "offer", "")

    @export
    def rtpengine_offer2(self, run: Run, flags: str, viabranch: str) -> int:
        """``rtpengine_offer``; ``viabranch`` is a value of the flag via-branch, none or '' for without."""
        return self._change(run, "offer", with_branch(flags, viabranch))

    @export
    def rtpengine_answer(self, run: Run, flags: str) -> int:
        """Have the SDP of an answer rewritten: 1, -1."""
        return self._change(run, "answer", flags)

    @export
    def rtpengine_answer0(self, run: Run) -> int:
        """``rtpengine_answer`` without flags."""
        return self._change(run, "answer", "")

    @export
    def rtpengine_answer2(self, run: Run, flags: str, viabranch: str) -> int:
        """``rtpengine_answer``; ``viabranch`` is a value of the flag via-branch, none or '' for without."""
        return self._change(run, "answer", with_branch(flags, viabranch))

    # -- manage -------------------------------------------------------------------------------------------------------

    def _manage(self, run: Run, flags: str) -> int:
        msg = run.msg
        method = msg.method
        if run.route == BRANCH_FAILURE_ROUTE or method not in ("INVITE", "ACK", "CANCEL", "BYE", "UPDATE", "PRACK"):
            return -1
        if method in ("CANCEL", "BYE"):
            return self.simple(run, "delete", flags)
        if msg.is_request:
            if not has_sdp(msg):
                return -1
            if method == "INVITE":
                if run.route == FAILURE_ROUTE:
                    return self.simple(run, "delete", flags)
                msg.extra[_OFFERED] = True
                if run.t is not None:
                    run.t.msg.extra[_OFFERED] = True
            return self._change(run, "offer" if method in ("INVITE", "UPDATE") else "answer", flags, manage=True)
        if msg.status >= 300:
            return self.simple(run, "delete", flags)
        if not has_sdp(msg):
            return -1
        t = self.proxy.modules.tm._t(run) if method == "INVITE" else None
        late = t is not None and _OFFERED not in t.msg.extra
        return self._change(run, "offer" if late else "answer", flags, manage=True)

    @export
    def rtpengine_manage(self, run: Run, flags: str) -> int:
        """Offer, answer or delete, as suits the message: what it gives, -1 where nothing is to be done."""
        return self._manage(run, flags)

    @export
    def rtpengine_manage0(self, run: Run) -> int:
        """``rtpengine_manage`` without flags."""
        return self._manage(run, "")

    @export
    def rtpengine_manage2(self, run: Run, flags: str, viabranch: str) -> int:
        """``rtpengine_manage``; ``viabranch`` is a value of the flag via-branch, none or '' for without."""
        return self._manage(run, with_branch(flags, viabranch))

    # -- delete and query ---------------------------------------------------------------------------------------------

    def _ask_sets(self, run: Run, op: str, flags: str) -> list[Answer]:
        """What the sets say. Raises Failed."""
        found = []
        for number in self._numbers(run):
            answer = self.ask(run, number, self.command(run, op, flags))
            if answer.get("result") != "ok":
                raise Failed(f"expected the result ok, got {answer.get('result')!r}")
            found.append(answer)
        return found

    def simple(self, run: Run, op: str, flags: str) -> int:
        try:
            answers = self._ask_sets(run, op, flags)
        except Failed as error:
            log.error("rtpengine %s: %s", op, error)
            return -1
        if op in ("delete", "query"):
            for answer in answers:
                self.tell_mos(run, answer)
        return 1

    @export
    def rtpengine_delete(self, run: Run, flags: str) -> int:
        """End the call's media: 1, -1. The variables of the modparams mos_... are set."""
        return self.simple(run, "delete", flags)

    @export
    def rtpengine_delete0(self, run: Run) -> int:
        """``rtpengine_delete`` without flags."""
        return self.simple(run, "delete", "")

    @export
    def rtpengine_delete2(self, run: Run, flags: str, viabranch: str) -> int:
        """``rtpengine_delete``; ``viabranch`` is a value of the flag via-branch, none or '' for without."""
        return self.simple(run, "delete", with_branch(flags, viabranch))

    @export
    def rtpengine_query(self, run: Run, flags: str) -> int:
        """Ask about the call: 1, -1. The variables of the modparams mos_... are set."""
        return self.simple(run, "query", flags)

    @export
    def rtpengine_query0(self, run: Run) -> int:
        """``rtpengine_query`` without flags."""
        return self.simple(run, "query", "")

    @export
    def rtpengine_query2(self, run: Run, flags: str, viabranch: str) -> int:
        """``rtpengine_query``; ``viabranch`` is a value of the flag via-branch, none or '' for without."""
        return self.simple(run, "query", with_branch(flags, viabranch))

    @export
    def rtpengine_connect(self, run: Run, flags: str) -> int:
        """Connect the media of the parties with the From and the To tag; flag to-call-id=: of two calls. 1, -1."""
        return self.simple(run, "connect", flags)

    @export
    def rtpengine_connect0(self, run: Run) -> int:
        """``rtpengine_connect`` without flags."""
        return self.simple(run, "connect", "")

    @export
    def rtpengine_connect2(self, run: Run, flags: str, viabranch: str) -> int:
        """``rtpengine_connect``; ``viabranch`` is a value of the flag via-branch, none or '' for without."""
        return self.simple(run, "connect", with_branch(flags, viabranch))

    @export
    def rtpengine_query_v(self, run: Run, fmt: str, dvar: str) -> int:
        """Put what rtpengine knows of the call into the variable ``dvar``: 1, -1. Format j: JSON, jp: in lines."""
        try:
            target = compile_spec(dvar)
        except PvError as error:
            log.error("rtpengine_query_v: expected a variable: %s", error)
            return -1
        if not target.writable:
            log.error("rtpengine_query_v: %s cannot be written", dvar)
            return -1
        try:
            answers = self._ask_sets(run, "query", "")
        except Failed as error:
            log.error("rtpengine query: %s", error)
            return -1
        if fmt[:1] != "j":
            log.error("rtpengine_query_v: expected the format j or jp, got %r", fmt)
            return -1
        for answer in answers:
            try:
                target.set(run, to_json(answer, fmt[1:2] == "p"))
            except PvError as error:  # 1 all the same, as in Kamailio
                log.error("rtpengine_query_v: %s", error)
        return 1

    def totals(self, run: Run) -> str | None:
        """The packet counters of the call, for ``$rtpstat``; None when there are none."""
        if not self.sets.sets:
            return None
        text = None
        try:
            for number in self._numbers(run):
                text = counters(self.ask(run, number, self.command(run, "query", "")))
                if text is None:
                    return None
        except Failed as error:
            log.error("rtpengine query: %s", error)
            return None
        return text


@pv("rtpstat", "rtpestat")
def _rtpstat(run: Run) -> Value:
    """The packet counters of the call."""
    module: Any = run.proxy.modules.get("rtpengine")
    return module.totals(run) if module is not None else None
