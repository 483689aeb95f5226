"""A call as it went over the wire."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from .messages import Message, MessageList
from .view import View

if TYPE_CHECKING:
    from rich.console import RenderableType


class Flow(View):
    """The messages of one Call-ID in order; shown as a ladder: an endpoint a column, the proxy between them.

    ``messages`` (a list), ``endpoints`` ("ip:port" in order of appearance, the proxy's as "proxy").
    """

    def __init__(self, callid: str, messages: list[Message], proxy_name: str, listens: Iterable[str] = ()) -> None:
        self.callid = callid
        self.messages = MessageList(messages)
        self.proxy_name = proxy_name
        #: Every address that is the proxy: where it listens and where messages came to and went from.
        self.proxy = {listen.partition(":")[2] or listen for listen in listens}
        for message in messages:
            self.proxy.add(message.src if message.out else message.dst)

    def ends(self, message: Message) -> tuple[str, str]:
        """The columns that ``message`` goes from and to; "" is the proxy."""
        source = "" if message.src in self.proxy else message.src
        target = "" if message.dst in self.proxy else message.dst
        return source, target

    @property
    def endpoints(self) -> list[str]:
        """The caller first, then the proxy, then everybody else in order of appearance."""
        peers = list(dict.fromkeys(end for message in self.messages for end in self.ends(message) if end))
        return [*peers[:1], "proxy", *peers[1:]]

    def __rich__(self) -> RenderableType:
        from .render.ladder import ladder

        return ladder(self)

    def to_json(self) -> Any:
        return {"callid": self.callid, "endpoints": self.endpoints, "messages": self.messages.to_json()}
