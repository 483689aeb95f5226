"""The ``dlg.*`` commands."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, Final

from ..posixre import PosixError, compile_posix
from .declare import RpcError, rpc
from .dialog_cell import CONFIRMED, CONFIRMED_NA, DELETED, EARLY, UNCONFIRMED, Dialog, Leg, Profile
from .dialog_requests import BRIDGE_BODY, DialogRequests

__all__ = ["DialogRpc"]

_KEYS: Final[dict[str, Callable[[Dialog], str]]] = {
    "ruri": lambda d: d.req_uri,
    "furi": lambda d: d.from_uri,
    "turi": lambda d: d.to_uri,
    "callid": lambda d: d.callid,
}
_OPERATORS: Final = ("eq", "re", "sw", "gt", "lt")

#: Letters of dlg.briefing: the name and the value.
_BRIEF: Final[dict[str, tuple[str, Callable[[Dialog], Any]]]] = {
    "f": ("from_uri", lambda d: d.from_uri),
    "t": ("to_uri", lambda d: d.to_uri),
    "c": ("call-id", lambda d: d.callid),
    "F": ("from_tag", lambda d: d.caller.tag),
    # As Kamailio 5.6 does.
    "T": ("to_tag", lambda d: d.caller.tag),
    "I": ("init_ts", lambda d: d.init_ts),
    "S": ("start_ts", lambda d: d.start_ts),
    "E": ("end_ts", lambda d: d.end_ts),
    "s": ("state", lambda d: d.state),
}


def _leg(leg: Leg) -> dict[str, Any]:
    if not leg.known:
        return dict.fromkeys(("tag", "contact", "cseq", "route_set", "socket"))
    return {
        "tag": leg.tag,
        "contact": leg.contact,
        "cseq": leg.cseq,
        "route_set": leg.routes,
        "socket": leg.listen.text if leg.listen is not None else "",
    }


def _number(value: Any) -> int:
    """A number as a command is given it: as Kamailio, what the text begins with."""
    found = re.match(r"\s*[+-]?\d+", str(value))
    return int(found[0]) if found is not None else 0


class DialogRpc(DialogRequests):
    """A part of the dialog module."""

    def described(self, dialog: Dialog) -> dict[str, Any]:
        """A dialog as the lists have it."""
        proxy = self.proxy
        now = proxy.wall()
        over = dialog.state == DELETED
        profiles = self.table.profiles
        return {
            "h_entry": dialog.h_entry,
            "h_id": dialog.h_id,
            "ref": dialog.ref,
            "call-id": dialog.callid,
            "from_uri": dialog.from_uri,
            "to_uri": dialog.to_uri,
            "state": dialog.state,
            "start_ts": dialog.start_ts,
            "init_ts": dialog.init_ts,
            "end_ts": dialog.end_ts,
            "duration": dialog.duration(int(now)),
            "timeout": int(now + dialog.deadline - proxy.now) if dialog.deadline else 0,
            "lifetime": dialog.lifetime,
            "dflags": dialog.dflags,
            # Flag 31 is the sign, in Kamailio's lists.
            "sflags": dialog.sflags - (dialog.sflags >> 31 << 32),
            "iflags": dialog.iflags,
            "caller": _leg(dialog.caller),
            "callee": _leg(dialog.callee),
            "profiles": (
                [] if over else [{name: value} if profiles[name].valued else name for name, value in dialog.profiles]
            ),
            "variables": ([] if over else [{key: dialog.variables[key]} for key in reversed(dialog.variables)]),
        }

    @rpc("dlg.list")
    def rpc_list(self, params: list[Any]) -> list[Any]:
        """All dialogs."""
        return [self.described(dialog) for dialog in self.table.ordered()]

    @rpc("dlg.list_ctx")
    def rpc_list_ctx(self, params: list[Any]) -> list[Any]:
        """All dialogs, with what other modules keep with them."""
        return self.rpc_list(params)

    @rpc("dlg.list_match")
    def rpc_list_match(self, params: list[Any]) -> list[Any]:
        """Key (ruri furi turi callid start_ts), operator (eq re sw gt lt), value, limit or none: those that match."""
        if len(params) < 3 or not all(isinstance(p, str) for p in params[:3]):
            raise RpcError(500, "Invalid parameters")
        key, operator, value = params[:3]
        if key != "start_ts" and key not in _KEYS:
            raise RpcError(500, "Invalid matching key parameter")
        if operator not in _OPERATORS:
            raise RpcError(500, "Invalid matching operator parameter")
        limit = _number(params[3]) if len(params) > 3 else 0
        found = []
        test = self._matcher(key, operator, value)
        for dialog in self.table.ordered():
            if test(dialog):
                found.append(self.described(dialog))
                if limit and len(found) >= limit:
                    break
        if not found:
            raise RpcError(404, "Not found")
        return found

    @staticmethod
    def _matcher(key: str, operator: str, value: str) -> Callable[[Dialog], bool]:
        if key == "start_ts":
            if operator not in ("gt", "lt"):
                raise RpcError(500, "Matching operator not supported with start_ts key")
            if not value.strip().lstrip("+-").isdigit():
                # Kamailio looks for nothing.
                return lambda dialog: False
            number = int(value)
            if operator == "gt":
                return lambda dialog: dialog.start_ts > number
            return lambda dialog: dialog.start_ts < number
        if operator in ("gt", "lt"):
            raise RpcError(500, "Matching operator not supported")
        read = _KEYS[key]
        if operator == "eq":
            return lambda dialog: read(dialog) == value
        if operator == "sw":
            return lambda dialog: read(dialog).startswith(value)
        try:
            search = compile_posix(value).search
        except PosixError:
            raise RpcError(500, "Invalid matching value parameter") from None
        return lambda dialog: search(read(dialog)) is not None

    @rpc("dlg.list_match_ctx")
    def rpc_list_match_ctx(self, params: list[Any]) -> list[Any]:
        """dlg.list_match, with what other modules keep with them."""
        return self.rpc_list_match(params)

    @rpc("dlg.dlg_list")
    def rpc_dlg_list(self, params: list[Any]) -> dict[str, Any]:
        """Call-ID, From tag or none: that dialog."""
        for dialog in self.table.ordered() if params else ():
            if dialog.callid == str(params[0]) and (len(params) < 2 or dialog.caller.tag == str(params[1])):
                return self.described(dialog)
        return {}

    @rpc("dlg.dlg_list_ctx")
    def rpc_dlg_list_ctx(self, params: list[Any]) -> dict[str, Any]:
        """dlg.dlg_list, with what other modules keep with it."""
        return self.rpc_dlg_list(params)

    @rpc("dlg.dump_file")
    def rpc_dump_file(self, params: list[Any]) -> dict[str, Any]:
        """Name of a file: write all dialogs there, an object of JSON a line."""
        if not params:
            return {}
        lines = []
        for dialog in self.table.ordered():
            row = self.described(dialog)
            del row["duration"]
            renamed: dict[str, Any] = {("call_id" if name == "call-id" else name): row[name] for name in row}
            for name in ("profiles", "variables"):
                merged: dict[str, Any] = {}
                for item in row[name]:
                    merged.update(item if isinstance(item, dict) else {item: ""})
                renamed[name] = merged
            lines.append(json.dumps(renamed, separators=(",", ":"), ensure_ascii=False))
        if self.proxy.sandbox:
            return {}
        try:
            with open(str(params[0]), "w", encoding="latin-1") as file:
                file.writelines(f"{line}\n" for line in lines)
        except OSError as error:
            raise RpcError(500, f"Failed to write: {error.strerror}") from None
        return {}

    # -- ending -------------------------------------------------------------------------------------------------------

    def _tagged(self, params: list[Any]) -> Dialog | None:
        found = self.table.find(*(str(p) for p in params[:3]))
        return found[0] if found is not None else None

    @rpc("dlg.terminate_dlg")
    def rpc_terminate(self, params: list[Any]) -> dict[str, Any]:
        """Call-ID, From tag, To tag: end that call with a BYE to both."""
        if len(params) < 3:
            raise RpcError(400, "Need a Callid ,from tag ,to tag")
        dialog = self._tagged(params)
        if dialog is None:
            raise RpcError(500, "Couldnt find callid in dialog")
        self.end(dialog, "all", "", None)
        return {}

    @rpc("dlg.end_dlg")
    def rpc_end(self, params: list[Any]) -> dict[str, Any]:
        """Hash entry, hash id, more header fields or none: end that call with a BYE to both."""
        if len(params) < 2:
            raise RpcError(500, "Invalid parameters")
        dialog = self.table.get((_number(params[0]), _number(params[1])))
        if dialog is None:
            raise RpcError(404, "Dialog not found")
        self.end(dialog, "all", str(params[2]) if len(params) > 2 else "", None)
        return {}

    @rpc("dlg.set_state")
    def rpc_set_state(self, params: list[Any]) -> str:
        """Call-ID, From tag, To tag, state: give the dialog that state and do nothing else."""
        if len(params) < 4:
            raise RpcError(400, "Need the callid, from tag,to tag and state")
        state = params[3]
        if not isinstance(state, int) or isinstance(state, bool) or not UNCONFIRMED <= state <= DELETED:
            raise RpcError(500, "Invalid state value")
        dialog = self._tagged(params)
        if dialog is None:
            raise RpcError(500, "Dialog not found")
        dialog.state = state
        return "Done"

    @rpc("dlg.is_alive")
    def rpc_is_alive(self, params: list[Any]) -> str:
        """Call-ID, From tag, To tag: whether that call is up."""
        if len(params) < 3:
            raise RpcError(400, "Too few parameters (required callid, from-tag, to-tag)")
        dialog = self._tagged(params)
        if dialog is None:
            raise RpcError(404, "Dialog not found")
        if dialog.state != CONFIRMED:
            raise RpcError(500, "Dialog not in confirmed state")
        return "Alive"

    # -- profiles -----------------------------------------------------------------------------------------------------

    def _asked(self, params: list[Any]) -> Profile:
        profile = self.table.profiles.get(str(params[0]))
        if profile is None:
            raise RpcError(404, f"Profile not found: {params[0]}")
        return profile

    @rpc("dlg.profile_get_size")
    def rpc_profile_size(self, params: list[Any]) -> Any:
        """Profile, value or none: how many dialogs are in it."""
        if not params:
            return {}
        profile = self._asked(params)
        return profile.size(str(params[1]) if len(params) > 1 and profile.valued else None)

    @rpc("dlg.profile_list")
    def rpc_profile_list(self, params: list[Any]) -> list[Any]:
        """Profile, value or none: the dialogs in it."""
        if not params:
            return []
        profile = self._asked(params)
        wanted = str(params[1]) if len(params) > 1 and profile.valued else None
        return [
            self.described(dialog)
            for value, key in profile.links
            if (wanted is None or value == wanted) and (dialog := self.table.get(key)) is not None
        ]

    # -- the rest -----------------------------------------------------------------------------------------------------

    @rpc("dlg.bridge_dlg")
    def rpc_bridge(self, params: list[Any]) -> dict[str, Any]:
        """From, to, outbound proxy or ``.``, SDP or ``.`` or ``_`` for none: call "from" and refer it to "to"."""
        if len(params) < 2:
            raise RpcError(500, "Invalid parameters")
        from_, to, *rest = map(str, params)
        outbound = rest[0] if rest and rest[0] != "." else ""
        body = rest[1] if len(rest) > 1 else "."
        self.bridge(from_, to, outbound, BRIDGE_BODY if body == "." else "" if body == "_" else body, None)
        return {}

    @rpc("dlg.stats_active")
    def rpc_stats_active(self, params: list[Any]) -> dict[str, int]:
        """1 or nothing (only those of our sockets): how many calls are in which state."""
        local = bool(params) and _number(params[0]) != 0
        counts = dict.fromkeys(("starting", "connecting", "answering", "ongoing"), 0)
        names = {UNCONFIRMED: "starting", EARLY: "connecting", CONFIRMED_NA: "answering", CONFIRMED: "ongoing"}
        for dialog in self.table.dialogs.values():
            name = names.get(dialog.state)
            if name is not None and not (local and dialog.caller.listen is None):
                counts[name] += 1
        return {**counts, "all": sum(counts.values())}

    @rpc("dlg.briefing")
    def rpc_briefing(self, params: list[Any]) -> list[dict[str, Any]]:
        """Letters of ftcFTISEs (default ftcFT): these of each dialog."""
        letters = str(params[0]) if params else "ftcFT"
        wanted = [entry for letter, entry in _BRIEF.items() if letter in letters]
        return [
            {"h_entry": dialog.h_entry, "h_id": dialog.h_id, **{name: read(dialog) for name, read in wanted}}
            for dialog in self.table.ordered()
        ]
