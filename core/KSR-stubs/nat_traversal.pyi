# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module nat_traversal."""

from typing import Any

def client_nat_test(code1: int, /) -> int: ...

def fix_contact() -> int: ...

def nat_keepalive() -> int: ...
