"""Header field functions of textops."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ..posixre import PosixError, compile_posix
from .core_log import log
from .declare import export
from .hdr import header_key, remove_headers
from .textops_subst import fields

if TYPE_CHECKING:
    from ..run import Run
    from ..sip.message import Header, SipMessage


def remove_where(msg: SipMessage, wanted: Callable[[Header], bool]) -> int:
    """Remove the fields that ``wanted`` says yes to; their number."""
    offsets = msg.offsets
    count = 0
    for n, header in enumerate(msg.headers):
        if wanted(header):
            count += 1
            if not msg.lumps.deleted(offsets[n]):
                msg.lumps.delete(offsets[n], len(header.raw), header.key)
    return count


class FieldFunctions:
    """Presence, search and removal of header fields."""

    @export
    def is_present_hf(self, run: Run, name: str) -> int:
        """1 when there is a field called ``name`` (long or compact form), else -1."""
        return 1 if name and header_key(name) in run.msg.index else -1

    @export
    def is_present_hf_re(self, run: Run, regex: str) -> int:
        """1 when the name of a field matches the regex (in any case), else -1."""
        compiled = _compile(regex)
        return 1 if compiled is not None and any(compiled(header.name) for header in run.msg.headers) else -1

    @export
    def search_hf(self, run: Run, name: str, regex: str, which: str) -> int:
        """1 when the regex matches in the body of a field called ``name``: ``which`` a any, f the first, l the last."""
        compiled = _compile(regex)
        if compiled is None or not name:
            return -1
        return 1 if any(compiled(header.body) for _, header in fields(run.msg, name, which)) else -1

    @export
    def remove_hf(self, run: Run, name: str) -> int:
        """Remove every field called ``name``: 1, also when there is none; -1 for ''."""
        if not name:
            return -1
        remove_headers(run.msg, header_key(name))
        return 1

    @export
    def remove_hf_re(self, run: Run, regex: str) -> int:
        """Remove every field whose name matches the regex: 1, -1 when none does."""
        compiled = _compile(regex)
        return 1 if compiled is not None and remove_where(run.msg, lambda h: compiled(h.name)) else -1

    @export
    def remove_hf_exp(self, run: Run, match: str, skip: str) -> int:
        """Remove every field whose name matches ``match`` and does not match ``skip``: 1, -1 when none does."""
        wanted, kept = _compile(match), _compile(skip)
        if wanted is None or kept is None:
            return -1
        return 1 if remove_where(run.msg, lambda h: wanted(h.name) and not kept(h.name)) else -1

    @export
    def remove_hf_idx(self, run: Run, name: str, index: int) -> int:
        """Remove field ``index`` of that name (0 the first, -1 the last): 1; 2 when there are fewer, -1 for ''.

        1 also for a negative index before the first, as in Kamailio.
        """
        if not name:
            return -1
        found = fields(run.msg, name, "a")
        if not -len(found) <= index < len(found):
            return 1 if index < 0 and found else 2
        offset, header = found[index]
        if not run.msg.lumps.deleted(offset):
            run.msg.lumps.delete(offset, len(header.raw), header.key)
        return 1

    @export
    def remove_hf_match(self, run: Run, name: str, op: str, expression: str) -> int:
        """Remove the fields called ``name`` whose body compares: ``op`` eq, ne, in (contains), re (regex).

        1; -1 for another ``op`` or a bad regex, -2 when nothing was removed. Case matters, but for re.
        """
        test: Callable[[str], bool] | None
        if op == "eq":
            test = expression.__eq__
        elif op == "ne":
            test = expression.__ne__
        elif op == "in":
            test = lambda body: expression in body  # noqa: E731
        else:
            test = _compile(expression) if op == "re" else None
        if test is None or not name:
            return -1
        key = header_key(name)
        return 1 if remove_where(run.msg, lambda h: h.key == key and bool(test(h.body))) else -2


def _compile(regex: str) -> Callable[[str], bool] | None:
    try:
        search = compile_posix(regex, ignore_case=True).search
    except PosixError as error:
        log.error("textops: %s", error)
        return None
    return lambda text: search(text) is not None
