# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module registrar."""

from typing import Any

def add_sock_hdr(hdr_name: str, /) -> int:
    """Add a field with the socket the request came in by: 1, -1 without a name."""

def lookup(table: str, /) -> int:
    """Replace the R-URI by the contact of its AoR with the highest q and add the others as branches.

    1; -1 not registered, -2 no contact takes the method (method_filtering), -3 the R-URI is unusable.
    """

def lookup_branches(table: str, /) -> int:
    """``lookup`` for the R-URI and for each branch that has a URI only: 1 when one was found."""

def lookup_to_dset(table: str, uri: str, /) -> int:
    """Add all contacts of ``uri`` as branches and leave the R-URI: return values as of ``lookup``."""

def lookup_uri(table: str, uri: str, /) -> int:
    """``lookup`` of ``uri`` in place of the R-URI."""

def lookup_xavp(utname: str, uri: str, rxname: str, cxname: str, /) -> int:
    """Put the record of ``uri`` into $xavp(rxname), its contacts into $xavp(cxname): results as of ``lookup``.

    The first has ``aor`` and ``count``; those of the second ``uri``, ``socket`` and ``dsturi``, in the order that
    ``lookup`` would take them. Kamailio 5.7 and later.
    """

def reg_fetch_contacts(table: str, uri: str, profile: str, /) -> int:
    """Put the contacts of ``uri`` into ``$ulc(profile=>...)``: 1, -1 when there are none."""

def reg_free_contacts(profile: str, /) -> int:
    """Forget the contacts of a profile: 1, -1 without a name."""

def reg_from_user(utname: str, uri: str, mode: int, /) -> int:
    """1 when the message comes from where a contact of ``uri`` registered, else -1; mode 1 port, 2 protocol too.

    Where no ``received`` is stored the address of the contact counts. Kamailio 5.7 and later.
    """

def reg_send_reply() -> int:
    """Send the reply of a save() that sent none. 1, -1 when it could not be sent."""

def registered(table: str, /) -> int:
    """Whether the R-URI's AoR (in a reply the To URI's) has a valid contact: 1 or -1."""

def registered_action(table: str, uri: str, match_flag: int, action_flag: int, /) -> int:
    """The same; ``action_flag`` 2: the values of the contact are not put into ``xavp_rcd``."""

def registered_flags(table: str, uri: str, match_flag: int, /) -> int:
    """The same for a contact that fits ``xavp_cfg``: 1 match_callid, 2 match_received, 4 match_contact."""

def registered_uri(table: str, uri: str, /) -> int:
    """Whether the AoR of ``uri`` has a valid contact: 1 or -1."""

def save(table: str, flags: int, /) -> int:
    """Save the request's contacts for the AoR in To, and reply.

    ``flags``: 1 in memory only, 2 no reply, 4 keep one contact, 8 no random expires, 16 with 2: the reply's
    fields go to the next reply. 1 inserted, 2 updated, 3 deleted, 4 only asked; -1 refused, -2 too many contacts.
    A REGISTER takes effect as a whole or not at all (RFC 3261 10.3); Kamailio keeps what came before an error.
    """

def save_uri(table: str, flags: int, uri: str, /) -> int:
    """``save`` for the AoR in ``uri``; -1 when that is empty."""

def set_q_override(q: str, /) -> int:
    """Give the contacts of the next save() this q, 0 to 1: 1, -1 for no q-value."""

def ulc_cget(text1: str, text2: str, code3: int, /) -> Any | None:
    """A field of a contact of the profile that reg_fetch_contacts has filled."""

def ulc_rget(text1: str, text2: str, /) -> Any | None:
    """A field of the record of the profile that reg_fetch_contacts has filled."""

def unregister(table: str, uri: str, /) -> int:
    """Remove all contacts of ``uri``: 1, -1 error."""

def unregister_ruid(table: str, uri: str, ruid: str, /) -> int:
    """Remove one contact of ``uri``: 1, -3 it has none of that ruid, -1 error."""
