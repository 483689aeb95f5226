"""Transformations: the ``{class.operation}`` chains applied to the value of a pseudo-variable.

One file a class; importing this package declares all of them.
"""

from . import (  # noqa: F401
    line,
    nameaddr,
    num,
    param,
    re,
    s,
    s_codec,
    s_hash,
    s_parts,
    sock,
    sql,
    tobody,
    uri,
    urialias,
    url,
    val,
)
from .registry import Step, Value, compile_chain, known

__all__ = ["Step", "Value", "compile_chain", "known"]
