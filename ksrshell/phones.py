"""Phones at the prompt: they register at the proxy, ring when they are called, and answer as they are told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .agent import REASONS, AgentError, UserAgent
from .errors import KsrShellError, UsageError
from .view import View

if TYPE_CHECKING:
    from rich.console import RenderableType

    from .session import Session

#: Seconds that a REGISTER without an answer is repeated for.
TIMEOUT = 5.0


class Phone(View):
    """A phone on a socket of its own.

    ``answer`` (what calls get: 200, another final status, or 0: none until the caller gives up) and ``ring`` (seconds
    before that) can be set. ``user``, ``contact``, ``address``, ``status`` of its REGISTER (0: it sent none).
    """

    def __init__(self, agent: UserAgent, status: int) -> None:
        self._agent = agent
        self.status = status

    @property
    def user(self) -> str:
        return self._agent.user

    @property
    def contact(self) -> str:
        """Its URI, with its address."""
        return self._agent.contact.strip("<>")

    @property
    def address(self) -> str:
        """``ip:port``, as messages have it in ``src`` and ``dst``."""
        return f"{self._agent.host}:{self._agent.port}"

    @property
    def answer(self) -> int:
        return self._agent.answer

    @answer.setter
    def answer(self, value: int) -> None:
        self._agent.answer = _answer(value)

    @property
    def ring(self) -> float:
        return self._agent.ring

    @ring.setter
    def ring(self, value: float) -> None:
        self._agent.ring = _ring(value)

    def close(self) -> None:
        """Its socket is closed: nobody answers there any more. What it registered stays at the proxy."""
        self._agent.close()

    def __rich__(self) -> RenderableType:
        from rich.text import Text

        from .render.console import clean

        how = {0: "did not register", 200: "registered"}.get(self.status, f"its REGISTER was answered {self.status}")
        answer = f"answers {self.answer}" if self.answer else "never answers"
        text = f"{self.user} is {self.contact}, {how}; {answer}"
        return Text(clean(text), "yellow" if self.status >= 300 else "")

    def to_json(self) -> Any:
        return {"user": self.user, "contact": self.contact, "status": self.status, "answer": self.answer}


def phone(session: Session, user: str, answer: int, ring: float, password: str | None, register: bool) -> Phone:
    from .sending import accounts, domain, proxy_address, user_name

    user_name(user)
    address = proxy_address(session)
    secret = accounts(session).get(user, "") if password is None else password
    agent = UserAgent(user, secret, domain(session, address), address, ring=_ring(ring), answer=_answer(answer))
    agent.timeout = TIMEOUT
    try:
        return Phone(agent, agent.register() if register else 0)
    except AgentError as error:
        agent.close()
        raise KsrShellError(str(error)) from None
    except BaseException:
        agent.close()
        raise


def _answer(value: Any) -> int:
    if value in (0, 200) and not isinstance(value, bool):
        return int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not 300 <= value <= 699:
        known = ", ".join(map(str, REASONS))
        raise UsageError(f"a phone answers 200, one from 300 to 699 such as {known}, or 0 (never); got {value!r}")
    return value


def _ring(value: Any) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= 600:
        raise UsageError(f"a phone rings for 0 to 600 seconds, got {value!r}")
    return float(value)


__all__ = ["Phone", "phone"]
