# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module path."""

from typing import Any

def add_path() -> int:
    """Add Path with our socket."""

def add_path_advertised_address(address: str, /) -> int:
    """Add Path with ``address`` (host, port) as ours."""

def add_path_advertised_address_user(address: str, user: str, /) -> int:
    """Like ``add_path_advertised_address`` with this user part."""

def add_path_advertised_address_user_params(address: str, user: str, params: str, /) -> int:
    """Like ``add_path_advertised_address`` with this user part and these parameters."""

def add_path_received() -> int:
    """Add Path with our socket and the source of the request as ``received``."""

def add_path_received_advertised_address(address: str, /) -> int:
    """Add Path with ``address`` as ours and the source of the request as ``received``."""

def add_path_received_advertised_address_user(address: str, user: str, /) -> int:
    """Like ``add_path_received_advertised_address`` with this user part."""

def add_path_received_advertised_address_user_params(address: str, user: str, params: str, /) -> int:
    """Like ``add_path_received_advertised_address`` with this user part and these parameters."""

def add_path_received_user(user: str, /) -> int:
    """Like ``add_path_received`` with this user part."""

def add_path_received_user_params(user: str, params: str, /) -> int:
    """Like ``add_path_received`` with this user part and these parameters."""

def add_path_user(user: str, /) -> int:
    """Add Path with our socket and this user part."""

def add_path_user_params(user: str, params: str, /) -> int:
    """Add Path with our socket, this user part and these parameters."""
