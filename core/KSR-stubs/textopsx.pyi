# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module textopsx."""

from typing import Any

def append_hf_value(field: str, value: str, /) -> int:
    """Add a value after the one that ``field`` names (index 0: the last); a new last field without index."""

def assign_hf_value(field: str, value: str, /) -> int:
    """Replace the value, or set the parameter of the value, that ``field`` names; '' removes the parameter."""

def assign_hf_value2(field: str, value: str, /) -> int:
    """Replace the body, or set the parameter, of the field that ``field`` names, of the form of Authorization."""

def bl_iterator_append(name: str, text: str, /) -> int:
    """Add ``text`` after the line in hand: 1, -1 without one."""

def bl_iterator_end(name: str, /) -> int:
    """End the iteration: 1, -1 when there was none of that name."""

def bl_iterator_insert(name: str, text: str, /) -> int:
    """Add ``text`` before the line in hand: 1, -1 without one."""

def bl_iterator_next(name: str, /) -> int:
    """Go to the next line: 1, -1 after the last."""

def bl_iterator_rm(name: str, /) -> int:
    """Remove the line in hand: 1, -1 without one."""

def bl_iterator_start(name: str, /) -> int:
    """Begin to go through the lines of the body with the iterator ``name``: it is before the first line."""

def bl_iterator_value(name: str, /) -> Any | None:
    """The line in hand with its line end, None without one."""

def change_reply_status(code: int, reason: str, /) -> int:
    """Change status code and reason of a reply, inside its class and not for 2xx: 1, else -1."""

def change_reply_status_code(code: int, /) -> int:
    """Change the status code of a reply, inside its class and not for 2xx: 1, else -1."""

def exclude_hf_value(field: str, value: str, /) -> int:
    """Remove the value from the fields called ``field``: 1, also when none has it."""

def fnmatch(text: str, pattern: str, /) -> int:
    """0 when ``text`` matches the shell pattern, else -1."""

def fnmatch_ex(text: str, pattern: str, flags: str, /) -> int:
    """Like ``fnmatch``: the flag i of Kamailio's documentation has no effect there (5.6, Linux) either."""

def hf_iterator_append(name: str, text: str, /) -> int:
    """Add ``text`` (whole lines) after the field in hand: 1, -1 without one."""

def hf_iterator_end(name: str, /) -> int:
    """End the iteration: 1, -1 when there was none of that name."""

def hf_iterator_hbody(name: str, /) -> Any | None:
    """The body of the field in hand, None without one."""

def hf_iterator_hname(name: str, /) -> Any | None:
    """The name of the field in hand, None without one."""

def hf_iterator_insert(name: str, text: str, /) -> int:
    """Add ``text`` (whole lines) before the field in hand: 1, -1 without one."""

def hf_iterator_next(name: str, /) -> int:
    """Go to the next field: 1, -1 after the last."""

def hf_iterator_prev(name: str, /) -> int:
    """Go to the field before: 1, also when that is before the first."""

def hf_iterator_rm(name: str, /) -> int:
    """Remove the field in hand: 1, -1 without one."""

def hf_iterator_start(name: str, /) -> int:
    """Begin to go through the header fields with the iterator ``name``: it is before the first field."""

def hf_value_exists(field: str, value: str, /) -> int:
    """1 when a field called ``field`` has the value, else -1."""

def include_hf_value(field: str, value: str, /) -> int:
    """Add the value to the first field called ``field`` unless one has it; a new field without any: 1."""

def insert_hf_value(field: str, value: str, /) -> int:
    """Add a value before the one that ``field`` names; without index a new field before the first of that name."""

def keep_hf() -> int:
    """Remove all header fields but those that a proxy needs and those of the body; -1.

    It keeps Via, From, To, Call-ID, CSeq, Content-*, Max-Forwards, Contact, Route and Record-Route. -1
    is what Kamailio's KEMI function always says.
    """

def keep_hf_re(regex: str, /) -> int:
    """Like ``keep_hf``; fields whose name matches the regex stay too."""

def msg_apply_changes() -> int:
    """Apply the edits made so far: the message is then as if it had come with them.

    1; -1 when an edit depends on where the message goes (Record-Route), and nothing is applied then.
    """

def msg_set_buffer(text: str, /) -> int:
    """Make ``text`` the message, edits so far being dropped: 1; -1 for '' and for what is no SIP message."""

def remove_body() -> int:
    """Remove the body; Content-Type is left to the script: 1."""

def remove_hf_value(field: str, /) -> int:
    """Remove the value, or the parameter of the value, that ``field`` names."""

def remove_hf_value2(field: str, value: str, /) -> int:
    """Remove the whole field that ``field`` names, one of the form of Authorization.

    With a parameter: ``value`` is assigned to it, as Kamailio's KEMI function does; '' removes the parameter.
    """
