# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module dialog."""

from typing import Any

def dlg_bridge(from_: str, to: str, op: str, /) -> int:
    """Call ``from_`` (by way of ``op``, '' for none) and refer it to ``to`` once it answers: 1, -1 on failure."""

def dlg_bye(side: str, /) -> int:
    """End the call with a BYE to "caller", "callee", or both: 1, -1 when it is not up.

    After ``loose_route()``, ``dlg_manage()`` or ``dlg_get()`` only, and on replies to the INVITE.
    """

def dlg_db_load_callid(callid: str, /) -> int:
    """Take over the dialogs of that Call-ID from the database: 1, -1 when there is none or no database."""

def dlg_db_load_extra() -> int:
    """Take over the dialogs of the database that are not here: 1, -1 without a database."""

def dlg_get(callid: str, ftag: str, ttag: str, /) -> int:
    """Take the dialog of that Call-ID and tags for the message's: 1, -1 when there is none."""

def dlg_get_var(callid: str, ftag: str, ttag: str, name: str, /) -> Any | None:
    """$dlg_var(name) of the dialog with that Call-ID and tags, None without (Kamailio 5.7 and later).

    ``ttag`` is '' for a dialog whose callee has not answered yet.
    """

def dlg_isflagset(flag: int, /) -> int:
    """1 when a flag is set, else -1."""

def dlg_manage() -> int:
    """Make a dialog for an initial INVITE, or go on with that of a request within one. 1.

    -1 for another request without To tag, and an INVITE without Contact or From tag or whose dialog is made.
    """

def dlg_refer_cid(callid: str, side: str, address: str, /) -> int:
    """Refer "caller" or "callee" of the dialog of a Call-ID to an address: 1, -1 (Kamailio 6.1 and later)."""

def dlg_refer_did(h_entry: int, h_id: int, side: str, address: str, /) -> int:
    """Refer a side of the dialog of that hash entry and id to an address: 1, -1 (Kamailio 6.1 and later)."""

def dlg_remove_dialogs_from_node(text1: str, /) -> int:
    """Remove the dialogs that came over DMQ from this node."""

def dlg_req_within4(text1: str, text2: str, text3: str, text4: str, /) -> int:
    """Send a request in the dialog to a side of it, with headers and a body."""

def dlg_reset_property(attr: str, /) -> int:
    """Switch one of them off."""

def dlg_resetflag(flag: int, /) -> int:
    """Take a flag back: 1, -1 for a number that is none."""

def dlg_set_property(attr: str, /) -> int:
    """Switch on "ka-src", "ka-dst" (keepalives to caller, callee) or "timeout-noreset": 1, else -1."""

def dlg_set_state(text1: str, /) -> int:
    """Set the state of the message's dialog by its name."""

def dlg_set_timeout(timeout: int, /) -> int:
    """Give the call that many seconds from now: 1, -1 without a dialog."""

def dlg_set_timeout_id(timeout: int, h_entry: int, h_id: int, /) -> int:
    """The same for the dialog of that hash entry and id."""

def dlg_set_var(callid: str, ftag: str, ttag: str, name: str, value: str, /) -> int:
    """Set $dlg_var(name) of the dialog with that Call-ID and tags: 1, -1 without it.

    Kamailio 5.7 and later.
    """

def dlg_setflag(flag: int, /) -> int:
    """Set a flag (0 to 31) of the dialog, or of the one that is to be made: 1, -1 for another number.

    On requests within, after ``loose_route()`` or ``dlg_manage()``.
    """

def dlg_update_contact() -> int:
    """The side that sent the message has its Contact now: 1, -1 without a dialog or one Contact.

    Kamailio 6.2 and later.
    """

def dlg_update_socket() -> int:
    """The side that sent the message is reached from the socket it came by: 1, -1 without a dialog.

    Kamailio 6.2 and later.
    """

def dlg_update_state() -> int:
    """Bring the dialog's state up to date with the message."""

def get_profile_size(profile: str, value: str, spv: str, /) -> int:
    """Put the number of dialogs in a profile with a value into the variable ``spv``: 1, -1 when it cannot be."""

def get_profile_size_static(profile: str, spv: str, /) -> int:
    """The same for a profile without values."""

def is_in_profile(profile: str, value: str, /) -> int:
    """1 when the dialog is in that profile with that value, else -1."""

def is_in_profile_static(profile: str, /) -> int:
    """1 when the dialog is in that profile, which has no values, else -1."""

def is_known_dlg() -> int:
    """1 when the message belongs to a dialog, else -1."""

def set_dlg_profile(profile: str, value: str, /) -> int:
    """Put the dialog, or the one to be made, into a profile with a value: 1, -1 without the profile."""

def set_dlg_profile_static(profile: str, /) -> int:
    """Put the dialog into a profile without values."""

def unset_dlg_profile(profile: str, value: str, /) -> int:
    """Take the dialog out of a profile: 1; -1 when it is not in it, and (as Kamailio) in request routes."""

def unset_dlg_profile_static(profile: str, /) -> int:
    """Take the dialog out of a profile without values."""

def var_get(key: str, /) -> Any | None:
    """The value of a dialog variable, None without one."""

def var_gete(key: str, /) -> Any:
    """The value of a dialog variable, '' without one."""

def var_getw(key: str, /) -> Any:
    """The value of a dialog variable, '<null>' without one."""

def var_is_null(key: str, /) -> int:
    """As Kamailio 5.6: 1 when the variable is set, or there is no dialog; -1 when the dialog has none."""

def var_rm(key: str, /) -> int:
    """Remove a dialog variable: 1, also when there is none."""

def var_sets(key: str, val: str, /) -> int:
    """Set a dialog variable: 1. Without a dialog nothing is set."""
