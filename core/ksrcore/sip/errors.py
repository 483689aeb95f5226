"""Errors of the SIP parsers."""

__all__ = ["ParseError", "SipError", "UnknownScheme"]

_SHOWN = 60


class SipError(ValueError):
    """Any error about SIP text; the only family of exceptions the parsers of this package raise."""


class ParseError(SipError):
    """A text that is not what its place in the message needs.

    ``what`` is what was expected ("SIP URI with a host"), ``text`` is what came, whole; the message shows the first
    60 characters of it.
    """

    def __init__(self, what: str, text: str) -> None:
        shown = text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."
        super().__init__(f"expected {what}, got {shown!r}")
        self.what = what
        self.text = text

    def __reduce__(self) -> tuple[type["ParseError"], tuple[str, str]]:
        return (type(self), (self.what, self.text))


class UnknownScheme(ParseError):
    """A URI of a scheme other than sip, sips, tel and urn: RFC 3261 8.2.2.1 answers 416 to it."""
