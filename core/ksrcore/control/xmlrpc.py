"""XML-RPC as Kamailio's module xmlrpc speaks it: what a document asks for, and the bytes of the answer.

Text is latin-1 (a character a byte). Parameters are strings, numbers and booleans; a struct or an array ends them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from ..kemi.declare import RpcError
from .jsonrpc import Command, call, to_text

__all__ = ["ONE", "run"]

_HEAD = '<?xml version="1.0"?>\n<methodResponse>\n'
_FAULT = (
    _HEAD
    + "<fault>\n<value>\n<struct>\n<member>\n<name>faultCode</name>\n<value><int>{code}</int></value>\n</member>\n"
    "<member>\n<name>faultString</name>\n<value><string>{reason}</string></value>\n</member>\n</struct>\n</value>\n"
    "</fault>\n</methodResponse>"
)
#: What xmlrpc_reply() sends.
ONE = f"{_HEAD}<params>\n<param>\n<value><int>1</int></value>\n</param>\n</params>\n</methodResponse>"


def run(commands: Mapping[str, Command], document: str, *, escape_cr: bool = True, crlf: bool = False) -> str:
    """The answer to a document. ``escape_cr``: carriage returns leave as ``&#xD;``; ``crlf``: two line feeds in a
    parameter are CR LF."""
    try:
        method, params = _read(document, crlf)
        result = call(commands, method, params)
    except RpcError as error:
        return _FAULT.format(code=error.code, reason=_escaped(error.reason, escape_cr))
    value = _value(result, escape_cr, top=True) + ("" if isinstance(result, list | tuple) else "\n")
    return f"{_HEAD}<params>\n<param>\n<value>{value}</value>\n</param>\n</params>\n</methodResponse>"


def _read(document: str, crlf: bool) -> tuple[str, list[Any]]:
    """Method and parameters. Raises :class:`RpcError` with Kamailio's reasons."""
    try:
        root = ElementTree.fromstring(document.encode("latin-1"))
    except (ElementTree.ParseError, ValueError, LookupError):
        raise RpcError(400, "Invalid XML-RPC Document") from None
    if root.tag != "methodCall":
        raise RpcError(400, "Root Element Is Not methodCall")
    method = root.findtext("methodName")
    if method is None:
        raise RpcError(400, "Method Name Not Found")
    params: list[Any] = []
    for value in root.findall("params/param/value"):
        found = _scalar(value)
        if found is None:
            break
        params.append(found.replace("\n\n", "\r\n") if crlf and isinstance(found, str) else found)
    return method.strip(), params


def _scalar(value: ElementTree.Element) -> Any:
    """A parameter's value; None for what Kamailio does not read."""
    if not len(value):
        return value.text or ""
    kind, text = value[0].tag, value[0].text or ""
    try:
        match kind:
            case "string":
                return text
            case "int" | "i4" | "boolean":
                return int(text)
            case "double":
                return float(text)
    except ValueError:
        return None
    return None


def _escaped(text: str, escape_cr: bool) -> str:
    try:
        text.encode("latin-1")
    except UnicodeEncodeError:
        text = str(to_text(text))
    text = escape(text)
    return text.replace("\r", "&#xD;") if escape_cr else text


def _value(value: Any, escape_cr: bool, top: bool = False) -> str:
    if isinstance(value, bool):
        return f"<boolean>{int(value)}</boolean>"
    if isinstance(value, int):
        return f"<int>{value}</int>"
    if isinstance(value, float):
        return f"<double>{value:g}</double>"
    if isinstance(value, dict):
        members = "".join(
            f"<member><name>{_escaped(str(name), escape_cr)}</name><value>{_value(item, escape_cr)}</value></member>"
            for name, item in value.items()
        )
        return f"<struct>{members}</struct>"
    if isinstance(value, list | tuple):
        end = "\n" if top else ""
        items = "".join(f"<value>{_value(item, escape_cr)}</value>{end}" for item in value)
        return f"<array><data>\n{items}</data></array>"
    return f"<string>{_escaped(str(value), escape_cr)}</string>"
