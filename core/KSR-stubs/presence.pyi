# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module presence."""

from typing import Any

def handle_publish() -> int:
    """Handle a PUBLISH: keep what it says and notify the watchers."""

def handle_publish_uri(text1: str, /) -> int:
    """Handle a PUBLISH as sent by this URI."""

def handle_subscribe() -> int:
    """Handle a SUBSCRIBE: keep the subscription and notify the watcher."""

def handle_subscribe_uri(text1: str, /) -> int:
    """Handle a SUBSCRIBE as sent by the watcher of this URI."""

def pres_auth_status(text1: str, text2: str, /) -> int:
    """Whether a watcher may see the presence of a URI: 1 active, others pending or refused."""

def pres_has_subscribers(text1: str, text2: str, /) -> int:
    """Whether somebody watches an event of a URI."""

def pres_refresh_watchers(text1: str, text2: str, code3: int, /) -> int:
    """Notify the watchers of an event of a URI: 0 state, 1 authorization changed."""

def pres_refresh_watchers_file(text1: str, text2: str, code3: int, text4: str, text5: str, /) -> int:
    """Like pres_refresh_watchers, with the state in a file."""

def pres_update_watchers(text1: str, text2: str, /) -> int:
    """Look again at which watchers may see an event of a URI."""
