# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module ndb_mongodb."""

from typing import Any

def exec(text1: str, text2: str, text3: str, text4: str, text5: str, /) -> int:
    """Run a command on a collection of a MongoDB server; the reply has a name."""

def exec_simple(text1: str, text2: str, text3: str, text4: str, text5: str, /) -> int:
    """Run a simple command on a MongoDB server; the reply has a name."""

def execx(text1: str, text2: str, text3: str, text4: str, text5: str, /) -> int:
    """Run a command on a MongoDB server's database; the reply has a name."""

def find(text1: str, text2: str, text3: str, text4: str, text5: str, /) -> int:
    """Find documents in a collection of a MongoDB server; the reply has a name."""

def find_one(text1: str, text2: str, text3: str, text4: str, text5: str, /) -> int:
    """Find one document in a collection of a MongoDB server; the reply has a name."""

def free_reply(text1: str, /) -> int:
    """Forget the MongoDB reply of this name."""

def next_reply(text1: str, /) -> int:
    """Go on to the next document of the MongoDB reply of this name."""
