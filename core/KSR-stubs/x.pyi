# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module x."""

from typing import Any

def drop() -> None:
    """End the callback here and drop the message: a reply is not forwarded, a branch not sent."""

def exit() -> None:
    """End the callback here."""

def modf(name: str, /, *args: int | str) -> int:
    """Call a function by its native name, arguments as text: ``KSR.x.modf("sl_send_reply", "404", "No")``.

    Runs the KEMI function of that name; 1 and -1 for its true and false. Raises KsrError when there is none, or
    when an argument is not the number that the KEMI function takes.
    """
