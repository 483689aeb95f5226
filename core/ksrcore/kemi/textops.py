"""Kamailio's textops: searching and changing the text of a message.

Regular expressions are POSIX extended ones; in searches and replacements case does not matter and ``.`` stops at a
line end. Edits are lumps: later reads see the message as it came. Content-Length follows the body, also where Kamailio
leaves it to the script (``replace``, ``subst``).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ..posixre import PosixError, compile_posix
from ..pv.accessor import assign, compile_spec
from ..pv.errors import PvError
from ..sip.sdp import Sdp
from .core_log import log
from .declare import Module, export
from .nathelper_sdp import sdp_of
from .textops_body import BodyFunctions
from .textops_hf import FieldFunctions
from .textops_subst import SubstFunctions

if TYPE_CHECKING:
    from ..run import Run
    from ..sip.message import SipMessage


def search_regex(pattern: str) -> re.Pattern[str] | None:
    """The pattern as the search functions use it, None (and an error in the log) when it cannot be compiled."""
    try:
        return compile_posix(pattern, ignore_case=True, newline=True)
    except PosixError as error:
        log.error("textops: %s", error)
        return None


class Textops(FieldFunctions, BodyFunctions, SubstFunctions, Module):
    """Search, replace, header fields, bodies and plain strings."""

    name = "textops"

    # -- search -------------------------------------------------------------------------------------------------------

    @export
    def search(self, run: Run, regex: str) -> int:
        """1 when the regex matches somewhere in the message, else -1."""
        compiled = search_regex(regex)
        return 1 if compiled is not None and compiled.search(run.msg.buf) else -1

    @export
    def search_body(self, run: Run, regex: str) -> int:
        """1 when the regex matches somewhere in the body, else -1."""
        compiled = search_regex(regex)
        body = run.msg.body
        return 1 if compiled is not None and body and compiled.search(body) else -1

    @export
    def search_str(self, run: Run, text: str, regex: str) -> int:
        """1 when the regex matches in ``text``, else -1; 2 for an empty regex, -2 for an empty text or a bad regex."""
        if not text:
            return -2
        if not regex:
            return 2
        compiled = search_regex(regex)
        if compiled is None:
            return -2
        return 1 if compiled.search(text) else -1

    def _insert_after(self, msg: SipMessage, regex: str, text: str, start: int) -> int:
        compiled = search_regex(regex)
        found = compiled.search(msg.buf, start) if compiled is not None else None
        if found is None:
            return -1
        msg.lumps.insert(found.end(), text, "body" if found.end() >= msg.body_at else "text")
        return 1

    @export
    def search_append(self, run: Run, regex: str, text: str) -> int:
        """Insert ``text`` after the first match in header fields and body: 1, -1 without a match."""
        return self._insert_after(run.msg, regex, text, run.msg.head_at)

    @export
    def search_append_body(self, run: Run, regex: str, text: str) -> int:
        """Insert ``text`` after the first match in the body: 1, -1 without a match."""
        return self._insert_after(run.msg, regex, text, run.msg.body_at)

    # -- replace ------------------------------------------------------------------------------------------------------

    def _replace(self, msg: SipMessage, regex: str, text: str, start: int, stop: int, every: bool) -> int:
        compiled = search_regex(regex)
        if compiled is None:
            return -1
        count = 0
        for found in compiled.finditer(msg.buf, start, stop):
            if found.end() == found.start():
                continue
            kind = "body" if found.start() >= msg.body_at else "text"
            msg.lumps.replace(found.start(), found.end() - found.start(), text, kind)
            count += 1
            if not every:
                break
        return 1 if count else -1

    @export
    def replace(self, run: Run, regex: str, text: str) -> int:
        """Replace the first match in header fields and body: 1, -1 without a match."""
        return self._replace(run.msg, regex, text, run.msg.head_at, len(run.msg.buf), False)

    @export
    def replace_all(self, run: Run, regex: str, text: str) -> int:
        """Replace every match in header fields and body: 1, -1 without a match."""
        return self._replace(run.msg, regex, text, run.msg.head_at, len(run.msg.buf), True)

    @export
    def replace_body(self, run: Run, regex: str, text: str) -> int:
        """Replace the first match in the body: 1, -1 without a match."""
        return self._replace(run.msg, regex, text, run.msg.body_at, len(run.msg.buf), False)

    @export
    def replace_body_all(self, run: Run, regex: str, text: str) -> int:
        """Replace every match in the body, line by line: 1, -1 without a match."""
        return self._replace(run.msg, regex, text, run.msg.body_at, len(run.msg.buf), True)

    @export
    def replace_body_atonce(self, run: Run, regex: str, text: str) -> int:
        """Replace every match in the body taken as a whole: 1, -1 without a match."""
        return self._replace(run.msg, regex, text, run.msg.body_at, len(run.msg.buf), True)

    @export
    def replace_hdrs(self, run: Run, regex: str, text: str) -> int:
        """Replace the first match in the header fields: 1, -1 without a match."""
        return self._replace(run.msg, regex, text, run.msg.head_at, run.msg.headers_end, False)

    @staticmethod
    def _replace_text(msg: SipMessage, old: str, new: str, mode: str, start: int, stop: int) -> int:
        if not old:
            return -1
        at = msg.buf.find(old, start, stop)
        while at >= 0:
            msg.lumps.replace(at, len(old), new, "body" if at >= msg.body_at else "text")
            if mode[:1] in ("f", "F"):
                break
            at = msg.buf.find(old, at + len(old), stop)
        return 1

    @export
    def replace_str(self, run: Run, match: str, text: str, mode: str) -> int:
        """Replace ``match`` (a plain text) in header fields and body; ``mode`` f the first only, a all: 1 always."""
        return self._replace_text(run.msg, match, text, mode, run.msg.head_at, len(run.msg.buf))

    @export
    def replace_body_str(self, run: Run, match: str, text: str, mode: str) -> int:
        """Replace ``match`` (a plain text) in the body; ``mode`` f the first only, a all: 1 always."""
        return self._replace_text(run.msg, match, text, mode, run.msg.body_at, len(run.msg.buf))

    @export
    def replace_hdrs_str(self, run: Run, match: str, text: str, mode: str) -> int:
        """Replace ``match`` (a plain text) in the header fields; ``mode`` f the first only, a all: 1 always."""
        return self._replace_text(run.msg, match, text, mode, run.msg.head_at, run.msg.headers_end)

    # -- strings ------------------------------------------------------------------------------------------------------

    @export
    def cmp_str(self, run: Run, one: str, two: str) -> int:
        """1 when two texts are equal, else -1."""
        return 1 if one == two else -1

    @export
    def cmp_istr(self, run: Run, one: str, two: str) -> int:
        """1 when two texts are equal in any case; -1 of another length, -2 of the same length and different."""
        if one.lower() == two.lower():
            return 1
        return -2 if len(one) == len(two) else -1

    @export
    def starts_with(self, run: Run, text: str, start: str) -> int:
        """1 when ``text`` starts with ``start``, else -1."""
        return 1 if text.startswith(start) else -1

    @export
    def ends_with(self, run: Run, text: str, end: str) -> int:
        """1 when ``text`` ends with ``end``, else -1."""
        return 1 if text.endswith(end) else -1

    @export
    def str_find(self, run: Run, text: str, part: str) -> int:
        """The place of ``part`` in ``text``, counted from 1; -1 when it is not there. '' is found at the end."""
        if not part:
            return len(text) + 1
        at = text.find(part)
        return at + 1 if at >= 0 else -1

    @export
    def str_ifind(self, run: Run, text: str, part: str) -> int:
        """Like ``str_find`` in any case; '' is found at the beginning."""
        at = text.lower().find(part.lower())
        return at + 1 if at >= 0 else -1

    @export
    def str_any_in(self, run: Run, text: str, chars: str) -> int:
        """1 when a character of ``text`` is one of ``chars``, else -1."""
        return 1 if set(text) & set(chars) else -1

    @export
    def str_all_in(self, run: Run, text: str, chars: str) -> int:
        """1 when every character of ``text`` is one of ``chars``, else -1."""
        return 1 if text and not set(text) - set(chars) else -1

    @export
    def in_list(self, run: Run, subject: str, items: str, separator: str) -> int:
        """1 when ``subject`` is one of the texts in ``items``, apart by the first character of ``separator``."""
        if not subject or not items or not separator:
            return -1
        return 1 if subject in (item.strip(" \t") for item in items.split(separator[0])) else -1

    @export
    def in_list_prefix(self, run: Run, subject: str, items: str, separator: str) -> int:
        """1 when ``subject`` begins with one of the texts in ``items``, apart by ``separator``'s first character."""
        if not subject or not items or not separator:
            return -1
        prefixes = (item.strip(" \t") for item in items.split(separator[0]))
        return 1 if any(prefix and subject.startswith(prefix) for prefix in prefixes) else -1

    @export
    def regex_substring(self, run: Run, text: str, regex: str, index: int, count: int, name: str) -> int:
        """Put group ``index`` (0 the whole match) of the match in ``text`` into the pseudo-variable ``name``.

        ``count``: the groups that may be asked for, 0 included. 1; -2 no match, -1 a bad regex, group or variable.
        """
        try:
            accessor = compile_spec(name)
            found = compile_posix(regex).search(text)
        except (PosixError, PvError) as error:
            log.error("regex_substring: %s", error)
            return -1
        if not 0 <= index < count:
            return -1
        if found is None:
            return -2
        if index > found.re.groups:
            return -1
        return assign(accessor, run, found[index] or "", "regex_substring")

    # -- what a message says ------------------------------------------------------------------------------------------

    @export
    def is_privacy(self, run: Run, kind: str) -> int:
        """1 when Privacy (RFC 3323) has ``kind``: id, user, header, session, none, critical ...; else -1."""
        header = run.msg.get("privacy")
        if header is None:
            return -1
        values = {value.strip().lower() for value in header.body.replace(",", ";").split(";")}
        wanted = kind.lower()
        return 1 if wanted in _PRIVACY and wanted in values else -1

    @export
    def is_audio_on_hold(self, run: Run) -> int:
        """1 when an audio stream is on hold by a null address (RFC 2543), 2 by direction (RFC 3264), else -1."""
        found = sdp_of(run.msg)
        return _hold(found[1]) if found is not None else -1


_PRIVACY = frozenset(("user", "header", "session", "none", "critical", "id", "history"))


def _hold(sdp: Sdp) -> int:
    for media in sdp.media:
        if media.lines[0][1].split(" ")[0].lower() != "m=audio":
            continue
        connection = sdp.connection_of(media)
        if connection is not None and connection.address in ("0.0.0.0", "0:0:0:0:0:0:0:0", "::"):
            return 1
        if sdp.direction_of(media) in ("sendonly", "inactive"):
            return 2
    return -1
