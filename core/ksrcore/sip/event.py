"""Event (RFC 6665 8.2.1): the package of SUBSCRIBE, NOTIFY and PUBLISH."""

from ksrcore.sip.errors import ParseError
from ksrcore.sip.params import WS, split_params

__all__ = ["Event", "parse_event"]


class Event:
    """``package`` as written (templates included: ``presence.winfo``) and the text of its parameters."""

    __slots__ = ("package", "params_text")

    def __init__(self, package: str, params_text: str) -> None:
        self.package = package
        self.params_text = params_text

    def __repr__(self) -> str:
        return f"Event({self.package!r}, {self.params_text!r})"

    @property
    def params(self) -> list[tuple[str, str | None]]:
        return split_params(self.params_text)

    @property
    def id(self) -> str:
        """The ``id`` parameter, '' when absent."""
        return next((value or "" for name, value in self.params if name.lower() == "id"), "")


def parse_event(body: str) -> Event:
    """Parse an Event body. Raises ParseError without exactly one package name."""
    package, _, params = body.partition(";")
    package = package.strip(WS)
    if not package or len(package.split()) > 1 or "," in package:
        raise ParseError("event package", body)
    return Event(package, params.strip(WS))
