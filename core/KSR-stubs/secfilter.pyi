# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module secfilter."""

from typing import Any

def ki_check_domain_contact_hdr() -> int:
    """Whether the domain in Contact is on the white list or the black list."""

def ki_check_domain_from_hdr() -> int:
    """Whether the domain in From is on the white list or the black list."""

def ki_check_domain_to_hdr() -> int:
    """Whether the domain in To is on the white list or the black list."""

def ki_check_name_contact_hdr() -> int:
    """Whether the display name in Contact is on the white list or the black list."""

def ki_check_name_from_hdr() -> int:
    """Whether the display name in From is on the white list or the black list."""

def ki_check_name_to_hdr() -> int:
    """Whether the display name in To is on the white list or the black list."""

def ki_check_username_contact_hdr() -> int:
    """Whether the user in Contact is on the white list or the black list."""

def ki_check_username_from_hdr() -> int:
    """Whether the user in From is on the white list or the black list."""

def ki_check_username_to_hdr() -> int:
    """Whether the user in To is on the white list or the black list."""

def secf_check_contact_hdr() -> int:
    """Check Contact: positive for the white list, negative for the black list, 1 neither."""

def secf_check_country(text1: str, /) -> int:
    """Check a country code: 2 white list, 1 neither, -2 black list."""

def secf_check_dst(text1: str, /) -> int:
    """Check a called number: -2 when it is on the black list."""

def secf_check_from_hdr() -> int:
    """Check From: positive for the white list, negative for the black list, 1 neither."""

def secf_check_ip() -> int:
    """Check the sender's address: 2 white list, 1 neither, -2 black list."""

def secf_check_sqli_all() -> int:
    """Look for characters of SQL injection in the usual headers and drop the message."""

def secf_check_to_hdr() -> int:
    """Check To: positive for the white list, negative for the black list, 1 neither."""

def secf_check_ua() -> int:
    """Check the User-Agent: 2 white list, 1 neither, -2 black list."""

def secf_sqli_hdr(text1: str, /) -> int:
    """Look for characters of SQL injection in a text."""
