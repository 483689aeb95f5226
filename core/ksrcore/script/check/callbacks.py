"""Callbacks: those that are armed exist, and take what they are called with."""

from __future__ import annotations

import ast
import difflib
import re
from typing import TYPE_CHECKING

from .calls import nearest_name
from .names import Def, Parameters, own_nodes

if TYPE_CHECKING:
    from .checker import Script

__all__ = ["CORE", "armed", "check_callbacks"]

#: Callbacks that Kamailio's core calls.
CORE = ("ksr_request_route", "ksr_reply_route", "ksr_onsend_route")

#: What app_python3's message object has (dir(msg) on 5.6.3).
MESSAGE = frozenset(
    "Method RURI Status Type call_function copy dst_address getHeader rewrite_ruri set_dst_uri src_address".split()
)

#: Functions besides ``t_on_*`` that take a callback's name, and which argument it is.
_ARMING = {
    "tmx.t_continue": 2,
    "async.route": 0,
    "async.ms_route": 0,
    "async.task_route": 0,
    "async.task_group_route": 0,
    "http_async_client.query": 1,
}

#: Names that event callbacks have in scripts; which they are says the configuration (modparam event_callback).
_EVENT = re.compile(r"ksr_(\w+_)?event(_\w+)?")

_MISSING = {
    "ksr_reply_route": "each reply",
    "ksr_onsend_route": "each message sent, where it makes KSR.tm.t_relay() raise SystemError",
}


def armed(script: Script) -> list[tuple[str, ast.expr, str]]:
    """Callback names given literally to KSR functions: name, where, and the function's path."""
    found = []
    for path, _, call in script.ksr:
        if call is None or not call.args or script.api.find(path) is None:
            continue
        at = 0 if path.rpartition(".")[2].startswith("t_on_") else _ARMING.get(path)
        if at is None or at >= len(call.args):
            continue
        arg = call.args[at]
        text = script.text_of(arg)
        if text:
            found.append((text, arg, path))
    return found


def check_callbacks(script: Script) -> None:
    for name, node, path in armed(script):
        if not script.has(name):
            script.add(
                "unknown-callback",
                node,
                f"KSR.{path} arms the callback {name!r}, which the script does not define"
                f"{nearest_name(name, script.callable_names())}",
            )
    if script.around is not None:
        _replaced(script)
    else:
        _entry(script)
    _signatures(script)
    for function in script.callbacks():
        _message(script, function)


# -- what Kamailio itself calls ---------------------------------------------------------------------------------------


def _entry(script: Script) -> None:
    handler = script.handler
    if not handler.closed or handler.style == "unknown":
        return
    if not handler.has("ksr_request_route"):
        near = difflib.get_close_matches("ksr_request_route", handler.methods, 1, 0.8)
        hint = f"; did you mean {near[0]} to be it?" if near else ""
        where = f"class {handler.name}" if handler.style == "class" else "the script"
        at: ast.AST | None = script.names.classes.get(handler.name) or script.names.functions.get("mod_init")
        if near:
            at = handler.methods[near[0]]
        script.add("missing-callback", at, f"{where} has no ksr_request_route(): nothing routes a request{hint}")
        return
    at = script.names.classes.get(handler.name) or handler.methods.get("ksr_request_route")
    if handler.style == "class" and not handler.has("child_init"):
        script.add("missing-callback", at, "no child_init(self, rank): Kamailio does not start without, return 0")
    for name, when in _MISSING.items():
        if not handler.has(name):
            script.add(
                "missing-callback",
                at,
                f"no {name}(): app_python3 logs an AttributeError for {when}; define one that returns 1",
                "warning",
            )


# -- signatures -------------------------------------------------------------------------------------------------------


def _signatures(script: Script) -> None:
    handler = script.handler
    bound = handler.style == "class"
    init = script.names.functions.get("mod_init")
    if init is not None and script.around is None:
        _fits(script, init, Parameters.of(init, False), (0,), "mod_init()")
    if script.around is not None or handler.style == "unknown":
        return
    child = handler.methods.get("child_init")
    if child is not None:
        _fits(script, child, Parameters.of(child, bound), (1,), "child_init(rank)")
        if bound and script.flow.nothing(child):
            script.add(
                "callback-return", child, "child_init can return None: Kamailio does not start then; return 0", "error"
            )
    with_event = {name for name, _, path in armed(script) if path == "http_async_client.query"}
    for function in script.callbacks():
        # app_python3s calls the functions of a module without the message.
        counts = (2,) if function.name in with_event else (1,) if bound else (1, 0)
        given = "msg, evname" if function.name in with_event else "msg"
        severity = "warning" if function.name in with_event else "error"
        _fits(script, function, Parameters.of(function, bound), counts, f"{function.name}({given})", severity)

    calls = [node.func for node in script.nodes if isinstance(node, ast.Call)]
    called = {func.attr for func in calls if isinstance(func, ast.Attribute)}
    for name, function in handler.methods.items():
        if _EVENT.fullmatch(name) and bound and name not in called and function not in script.callbacks():
            have = Parameters.of(function, bound)
            if have is not None and not have.takes(2):
                given = ast.unparse(function.args)
                text = f"{name}({given}): an event callback is called with the message and the name of the event"
                script.add("signature", function, text, "warning")


def _fits(
    script: Script, node: Def, have: Parameters | None, counts: tuple[int, ...], called: str, severity: str = "error"
) -> None:
    if have is None or any(have.takes(count) for count in counts):
        return
    given = ast.unparse(node.args)
    self_ = ", after self" if have.least < 0 else ""
    script.add("signature", node, f"{node.name}({given}) is called as {called}{self_}", severity)


def _replaced(script: Script) -> None:
    """A function that replaces another is called as that was."""
    around = script.around
    assert around is not None
    for name, node in script.names.functions.items():
        old = around.replaced.get(name)
        if old is None:
            continue
        args = node.args
        have = len(args.posonlyargs) + len(args.args)
        need = have - len(args.defaults)
        if args.vararg is None and have < len(old.names) or need > old.required:
            script.add(
                "signature",
                node,
                f"{name} is called with ({', '.join(old.names)}), the new one takes ({ast.unparse(args)})",
            )


# -- the message ------------------------------------------------------------------------------------------------------


def _message(script: Script, function: Def) -> None:
    """Attributes of ``msg`` that app_python3's object has not."""
    bound = script.is_method(function)
    args = [*function.args.posonlyargs, *function.args.args]
    if len(args) < 1 + bound:
        return
    name = args[bound].arg
    nodes = list(own_nodes(function))
    if any(isinstance(n, ast.Name) and n.id == name and not isinstance(n.ctx, ast.Load) for n in nodes):
        return
    for node in nodes:
        if (
            isinstance(node, ast.Attribute)
            and isinstance(node.value, ast.Name)
            and node.value.id == name
            and isinstance(node.ctx, ast.Load)
            and node.attr not in MESSAGE
            and not node.attr.startswith("__")
            and id(node) not in script.guarded
        ):
            near = [m for m in MESSAGE if m.lower() == node.attr.lower()]
            near = near or difflib.get_close_matches(node.attr, MESSAGE, 1)
            hint = f"; did you mean {name}.{near[0]}?" if near else f"; it has {', '.join(sorted(MESSAGE))}"
            script.add("message-attribute", node, f"the message object has no {node.attr}{hint}")
