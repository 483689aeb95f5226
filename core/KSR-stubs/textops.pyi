# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module textops."""

from typing import Any

def append_body_part(text: str, kind: str, /) -> int:
    """Add a part of media type ``kind`` to a multipart body: 1, -1 when it is none."""

def append_body_part_cd(text: str, kind: str, disposition: str, /) -> int:
    """Like ``append_body_part`` with a Content-Disposition."""

def append_body_part_hex(hexa: str, kind: str, /) -> int:
    """Like ``append_body_part`` with the bytes in hexadecimal."""

def append_body_part_hex_cd(hexa: str, kind: str, disposition: str, /) -> int:
    """Like ``append_body_part_hex`` with a Content-Disposition."""

def cmp_istr(one: str, two: str, /) -> int:
    """1 when two texts are equal in any case; -1 of another length, -2 of the same length and different."""

def cmp_str(one: str, two: str, /) -> int:
    """1 when two texts are equal, else -1."""

def ends_with(text: str, end: str, /) -> int:
    """1 when ``text`` ends with ``end``, else -1."""

def filter_body(kind: str, /) -> int:
    """Leave only the first part of media type ``kind`` of a multipart body: 1, -1 when there is none.

    Content-Type is left to the script.
    """

def get_body_part(kind: str, name: str, /) -> int:
    """Put the first part of media type ``kind``, what follows its Content-Type line, into a pseudo-variable.

    1; -1 when there is none or ``name`` is no variable. A body that is not multipart is a part itself.
    """

def get_body_part_raw(kind: str, name: str, /) -> int:
    """Like ``get_body_part`` with the part's own header fields."""

def has_body() -> int:
    """1 when the message has a body, else -1."""

def has_body_type(mime: str, /) -> int:
    """1 when the message has a body of that media type ('' any), else -1. No Content-Type means application/sdp."""

def in_list(subject: str, items: str, separator: str, /) -> int:
    """1 when ``subject`` is one of the texts in ``items``, apart by the first character of ``separator``."""

def in_list_prefix(subject: str, items: str, separator: str, /) -> int:
    """1 when ``subject`` begins with one of the texts in ``items``, apart by ``separator``'s first character."""

def is_audio_on_hold() -> int:
    """1 when an audio stream is on hold by a null address (RFC 2543), 2 by direction (RFC 3264), else -1."""

def is_present_hf(name: str, /) -> int:
    """1 when there is a field called ``name`` (long or compact form), else -1."""

def is_present_hf_re(regex: str, /) -> int:
    """1 when the name of a field matches the regex (in any case), else -1."""

def is_privacy(kind: str, /) -> int:
    """1 when Privacy (RFC 3323) has ``kind``: id, user, header, session, none, critical ...; else -1."""

def regex_substring(text: str, regex: str, index: int, count: int, name: str, /) -> int:
    """Put group ``index`` (0 the whole match) of the match in ``text`` into the pseudo-variable ``name``.

    ``count``: the groups that may be asked for, 0 included. 1; -2 no match, -1 a bad regex, group or variable.
    """

def remove_body_part(kind: str, /) -> int:
    """Remove the first part of media type ``kind`` from a multipart body: 1, -1 when there is none."""

def remove_hf(name: str, /) -> int:
    """Remove every field called ``name``: 1, also when there is none; -1 for ''."""

def remove_hf_exp(match: str, skip: str, /) -> int:
    """Remove every field whose name matches ``match`` and does not match ``skip``: 1, -1 when none does."""

def remove_hf_idx(name: str, index: int, /) -> int:
    """Remove field ``index`` of that name (0 the first, -1 the last): 1; 2 when there are fewer, -1 for ''.

    1 also for a negative index before the first, as in Kamailio.
    """

def remove_hf_match(name: str, op: str, expression: str, /) -> int:
    """Remove the fields called ``name`` whose body compares: ``op`` eq, ne, in (contains), re (regex).

    1; -1 for another ``op`` or a bad regex, -2 when nothing was removed. Case matters, but for re.
    """

def remove_hf_re(regex: str, /) -> int:
    """Remove every field whose name matches the regex: 1, -1 when none does."""

def replace(regex: str, text: str, /) -> int:
    """Replace the first match in header fields and body: 1, -1 without a match."""

def replace_all(regex: str, text: str, /) -> int:
    """Replace every match in header fields and body: 1, -1 without a match."""

def replace_body(regex: str, text: str, /) -> int:
    """Replace the first match in the body: 1, -1 without a match."""

def replace_body_all(regex: str, text: str, /) -> int:
    """Replace every match in the body, line by line: 1, -1 without a match."""

def replace_body_atonce(regex: str, text: str, /) -> int:
    """Replace every match in the body taken as a whole: 1, -1 without a match."""

def replace_body_str(match: str, text: str, mode: str, /) -> int:
    """Replace ``match`` (a plain text) in the body; ``mode`` f the first only, a all: 1 always."""

def replace_hdrs(regex: str, text: str, /) -> int:
    """Replace the first match in the header fields: 1, -1 without a match."""

def replace_hdrs_str(match: str, text: str, mode: str, /) -> int:
    """Replace ``match`` (a plain text) in the header fields; ``mode`` f the first only, a all: 1 always."""

def replace_str(match: str, text: str, mode: str, /) -> int:
    """Replace ``match`` (a plain text) in header fields and body; ``mode`` f the first only, a all: 1 always."""

def search(regex: str, /) -> int:
    """1 when the regex matches somewhere in the message, else -1."""

def search_append(regex: str, text: str, /) -> int:
    """Insert ``text`` after the first match in header fields and body: 1, -1 without a match."""

def search_append_body(regex: str, text: str, /) -> int:
    """Insert ``text`` after the first match in the body: 1, -1 without a match."""

def search_body(regex: str, /) -> int:
    """1 when the regex matches somewhere in the body, else -1."""

def search_hf(name: str, regex: str, which: str, /) -> int:
    """1 when the regex matches in the body of a field called ``name``: ``which`` a any, f the first, l the last."""

def search_str(text: str, regex: str, /) -> int:
    """1 when the regex matches in ``text``, else -1; 2 for an empty regex, -2 for an empty text or a bad regex."""

def set_body(text: str, kind: str, /) -> int:
    """Make ``text`` of media type ``kind`` the body: 1; -1 when one of them is ''."""

def set_body_hex(hexa: str, kind: str, /) -> int:
    """Like ``set_body`` with the bytes in hexadecimal; -1 also when they are not."""

def set_body_multipart(text: str, kind: str, boundary: str, /) -> int:
    """Like ``set_body_multipart_content`` with this delimiter."""

def set_body_multipart_boundary(boundary: str, /) -> int:
    """Like ``set_body_multipart_mode`` with this delimiter."""

def set_body_multipart_content(text: str, kind: str, /) -> int:
    """Replace the body by a multipart one with ``text`` of media type ``kind`` as its part."""

def set_body_multipart_mode() -> int:
    """Make the body the only part of a multipart body: 1, -1 without a body."""

def set_reply_body(text: str, kind: str, /) -> int:
    """Make ``text`` of media type ``kind`` the body of the replies to this request: 1; -1 when one is ''."""

def set_reply_body_hex(hexa: str, kind: str, /) -> int:
    """Like ``set_reply_body`` with the bytes in hexadecimal; -1 also when they are not."""

def starts_with(text: str, start: str, /) -> int:
    """1 when ``text`` starts with ``start``, else -1."""

def str_all_in(text: str, chars: str, /) -> int:
    """1 when every character of ``text`` is one of ``chars``, else -1."""

def str_any_in(text: str, chars: str, /) -> int:
    """1 when a character of ``text`` is one of ``chars``, else -1."""

def str_find(text: str, part: str, /) -> int:
    """The place of ``part`` in ``text``, counted from 1; -1 when it is not there. '' is found at the end."""

def str_ifind(text: str, part: str, /) -> int:
    """Like ``str_find`` in any case; '' is found at the beginning."""

def subst(expression: str, /) -> int:
    """Substitute in header fields and body: ``/regex/replacement/flags``."""

def subst_body(expression: str, /) -> int:
    """Substitute in the body."""

def subst_hf(name: str, expression: str, which: str, /) -> int:
    """Substitute in the bodies of the fields called ``name``; ``which``: a all, f the first, l the last."""

def subst_uri(expression: str, /) -> int:
    """Substitute in the Request-URI."""

def subst_user(expression: str, /) -> int:
    """Substitute in the user part of the Request-URI; -1 also when it has none."""

def subst_v(text: str, expression: str, name: str, /) -> int:
    """Substitute in ``text`` and put the result into the pseudo-variable ``name``."""
