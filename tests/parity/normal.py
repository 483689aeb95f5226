"""What the two servers choose for themselves, made equal: branches, tags, Call-IDs, nonces, dates, product names."""

from __future__ import annotations

import re

_BRANCH = re.compile(r"(branch=)(z9hG4bK[^;,\s>?&]*)")
_TAG = re.compile(r"(?<![a-zA-Z])(tag=)([^;,\s>?&\"']+)")
_CALLID = re.compile(r"(?im)^(\s*(?:Call-ID|i)\s*:\s*)(\S+)")
_NONCE = re.compile(r'(?<![a-zA-Z])((?:c?nonce|opaque)=")([^"]+)')
_RESPONSE = re.compile(r'(nonce="[^\n]*?response=")[0-9a-f]+|(response=")[0-9a-f]+(?="[^\n]*nonce=")')
_CONNECTION = re.compile(r"(;i=)([0-9a-f]+)(?=[;,\s]|$)", re.M)
_DATE = re.compile(r"(?im)^(\s*Date\s*:\s*).*$")
_PRODUCT = re.compile(r"(?im)((?:Server|User-Agent)\s*:\s*)(?:kamailio|ksrshell)[^\n]*$")
_PID = re.compile(r"(Noisy feedback tells:\s+)pid=\d+")


class Normal:
    """Names for what one server chose during one case, in the order of appearance.

    ``known``: the text of the case; what stands in it, or contains ``own`` (its id), is left as it is.
    """

    def __init__(self, known: str, own: str, ignore: list[str]) -> None:
        self.known = known
        self.own = own
        self.ignore = [re.compile(pattern, re.M) for pattern in ignore]
        self.names: dict[tuple[str, str], str] = {}
        self.counts: dict[str, int] = {}

    def restart(self) -> None:
        """Begin to count anew."""
        self.names.clear()
        self.counts.clear()

    def name(self, kind: str, value: str) -> str:
        found = self.names.get((kind, value))
        if found is None:
            number = self.counts[kind] = self.counts.get(kind, 0) + 1
            found = self.names[kind, value] = f"<{kind} {number}>"
        return found

    def text(self, text: str) -> str:
        """``text`` with names for what is the server's own choice."""
        text = _BRANCH.sub(self._branch, text)
        text = _TAG.sub(lambda m: m[1] + self._unless_known("tag", m[2]), text)
        text = _CALLID.sub(lambda m: m[1] + self._unless_known("call-id", m[2]), text)
        text = _RESPONSE.sub(lambda m: (m[1] or m[2]) + "*", text)
        # No numbers: whether two nonces are equal hangs on the second they were made in.
        text = _NONCE.sub(lambda m: m[1] + (m[2] if self._known(m[2]) else "<nonce>"), text)
        text = _CONNECTION.sub(lambda m: m[1] + self.name("connection", m[2]), text)
        text = _DATE.sub(r"\1*", text)
        text = _PRODUCT.sub(r"\1*", text)
        text = _PID.sub(r"\1pid=*", text)
        for pattern in self.ignore:
            text = pattern.sub(_blank, text)
        return text

    def _branch(self, found: re.Match[str]) -> str:
        value = found[2]
        if self.own in value or value in self.known:
            return found[0]
        head, dot, index = value.rpartition(".")
        if not dot or not index.isdigit():
            head, dot, index = value, "", ""
        return found[1] + self.name("branch", head) + dot + index

    def _unless_known(self, kind: str, value: str) -> str:
        return value if self._known(value) else self.name(kind, value)

    def _known(self, value: str) -> bool:
        return self.own in value or value in self.known or value == "*"


def _blank(found: re.Match[str]) -> str:
    """What matched, or its groups, as ``*``."""
    if not found.re.groups:
        return "*"
    text, at = "", found.start()
    for number in range(1, found.re.groups + 1):
        if found.start(number) >= at:
            text += found.string[at : found.start(number)] + "*"
            at = found.end(number)
    return text + found.string[at : found.end()]
