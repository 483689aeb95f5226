"""Kamailio's auth_xkeys: a header field with a hash over a shared key and data of the message."""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING

from .core_log import log
from .declare import Module, Param, ParamError, export

if TYPE_CHECKING:
    from ..proxy import Proxy
    from ..run import Run

__all__ = ["AuthXkeys"]

_ALGORITHMS = ("sha256", "sha384", "sha512")


def _key(text: str) -> tuple[str, str, str]:
    """(group, name, secret) of ``id=abc;name=xyz;value=secret;expires=72000``."""
    fields = dict.fromkeys(("id", "name", "value", "expires"), "")
    for item in filter(None, map(str.strip, text.split(";"))):
        name, _, value = item.partition("=")
        if name.strip() not in fields:
            raise ParamError(
                f"modparam auth_xkeys:xkey expects id=GROUP;name=NAME;value=SECRET;expires=N, got {text!r}"
            )
        fields[name.strip()] = value.strip()
    if not fields["id"] or not fields["name"] or not fields["value"]:
        raise ParamError(f"modparam auth_xkeys:xkey expects id, name and value, got {text!r}")
    return fields["id"], fields["name"], fields["value"]


class AuthXkeys(Module):
    """``keys``: of each group, the newest first. As in Kamailio they do not expire."""

    name = "auth_xkeys"

    xkey = Param("", "a shared secret: id=GROUP;name=NAME;value=SECRET;expires=SECONDS", multi=True)

    def __init__(self, proxy: Proxy) -> None:
        super().__init__(proxy)
        self.keys: dict[str, list[str]] = {}

    def start(self) -> None:
        for text in self.xkey:
            group, _, secret = _key(text)
            self.keys.setdefault(group, []).insert(0, secret)

    def _ready(self, function: str, group: str, algorithm: str) -> bool:
        if group not in self.keys:
            log.error("%s: there is no key of group %r: set modparam auth_xkeys:xkey", function, group)
            return False
        if algorithm.lower() not in _ALGORITHMS:
            log.error("%s expects the algorithm sha256, sha384 or sha512, got %r", function, algorithm)
            return False
        return True

    @staticmethod
    def _hash(secret: str, algorithm: str, data: str) -> str:
        return hashlib.new(algorithm.lower(), f"{secret}:{data}".encode("latin-1")).hexdigest()

    @export
    def auth_xkeys_add(self, run: Run, hdr: str, key: str, alg: str, data: str) -> int:
        """Add a field with the hash of ``data`` by the newest key of a group: 1, -1 no such group or algorithm."""
        if not self._ready("auth_xkeys_add", key, alg):
            return -1
        msg = run.msg
        msg.lumps.insert(msg.headers_end, f"{hdr}: {self._hash(self.keys[key][0], alg, data)}\r\n", hdr.lower())
        return 1

    @export
    def auth_xkeys_check(self, run: Run, hdr: str, key: str, alg: str, data: str) -> int:
        """1 when the field has the hash of ``data`` by one of the group's keys, else -1."""
        if not self._ready("auth_xkeys_check", key, alg):
            return -1
        header = run.msg.index.get(hdr.lower())
        if header is None:
            return -1
        given = header.body.lower().encode("latin-1")
        secrets = self.keys[key]
        return 1 if any(hmac.compare_digest(self._hash(s, alg, data).encode(), given) for s in secrets) else -1
