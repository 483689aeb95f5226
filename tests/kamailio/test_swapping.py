"""Swaps in one process: what is wanted is put in place, and what is not goes back."""

from __future__ import annotations

import linecache
from typing import Any

import pytest

from kamailio.conftest import Server
from ksrcore.kamailio.ksragent.swapping import SwapError


def entry(name: str, source: str | None, cls: str = "kamailio", key: str = "", line: int = 1) -> dict[str, Any]:
    return {
        "cls": cls, "name": name, "key": key or str(hash(source)), "kind": "function", "source": source,
        "file": "<swap 1 of route.py>", "line": line, "lines": [],
    }  # fmt: skip


NEW = "def answer(self, msg):\n    KSR.sl.send_reply(404, 'No')\n    return 2\n"


def test_a_method_is_replaced_and_goes_back(server: Server) -> None:
    swaps = server.agent.swaps
    assert swaps.apply([entry("answer", NEW, key="a")]) == [["kamailio", "answer", "a"]]
    assert server.request() == 2
    assert swaps.apply([]) == []
    assert server.request() == 1


def test_a_callback_itself_is_replaced(server: Server) -> None:
    server.request()
    server.agent.swaps.apply([entry("ksr_request_route", "def ksr_request_route(self, msg):\n    return 9\n")])
    assert server.request() == 9


def test_attached_the_message_that_brings_the_order_is_routed_by_the_new_code(server: Server) -> None:
    server.attach()
    source = "def ksr_request_route(self, msg):\n    return 9\n"
    server.order(id=1, do="swap", want=[entry("ksr_request_route", source, key="k")])
    assert server.request() == 9
    assert server.got()[0] == {"re": 1, "result": [["kamailio", "ksr_request_route", "k"]]}


def test_a_new_function_is_added_and_taken_away(server: Server) -> None:
    swaps = server.agent.swaps
    swaps.apply([entry("ksr_more", "def ksr_more(self, msg):\n    return 3\n")])
    assert server.front.ksr_more(None) == 3
    swaps.apply([])
    with pytest.raises(AttributeError):
        server.front.ksr_more  # noqa: B018


def test_a_function_is_removed_and_comes_back(server: Server) -> None:
    swaps = server.agent.swaps
    swaps.apply([entry("ksr_none", None)])
    with pytest.raises(AttributeError):
        server.front.ksr_none  # noqa: B018
    swaps.apply([])
    assert server.front.ksr_none(None) == 1


def test_a_constant_of_the_module(server: Server) -> None:
    server.agent.swaps.apply([entry("LIMIT", "LIMIT = 5\n", cls="")])
    assert server.module.LIMIT == 5
    server.agent.swaps.apply([])
    assert server.module.LIMIT == 3


@pytest.mark.parametrize(
    ("bad", "error"),
    [
        (entry("ksr_none", "def ksr_none(self, msg, x=1/0):\n    return 1\n"), ZeroDivisionError),
        (entry("ksr_none", "def ksr_none(self, msg:\n"), SyntaxError),
        (entry("f", "def f(self):\n    return 1\n", cls="missing"), SwapError),
    ],
)
def test_all_or_nothing(server: Server, bad: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        server.agent.swaps.apply([entry("answer", NEW), bad])
    assert server.request() == 1 and server.agent.swaps.numbers() == []


def test_the_error_crosses_the_link(server: Server) -> None:
    server.attach()
    server.order(id=4, do="swap", want=[entry("answer", "def answer(self, msg, x=1/0):\n    return 1\n")])
    server.request()
    assert server.got()[0] == {"re": 4, "error": {"type": "ZeroDivisionError", "text": "division by zero"}}


def test_super_and_private_names_work(server: Server) -> None:
    source = "def answer(self, msg):\n    self.__x = 4\n    return self._kamailio__x + (super().__init__() is None)\n"
    server.agent.swaps.apply([entry("answer", source)])
    assert server.request() == 5


def test_a_traceback_shows_the_new_lines(server: Server) -> None:
    made = entry("answer", "def answer(self, msg):\n    raise KeyError('new')\n", line=3)
    made["lines"] = ["\n", "\n", "def answer(self, msg):\n", "    raise KeyError('new')\n"]
    server.agent.swaps.apply([made])
    with pytest.raises(KeyError) as caught:
        server.request()
    import traceback

    assert "raise KeyError('new')" in "".join(traceback.format_exception(caught.type, caught.value, caught.tb))


def test_the_same_is_not_made_again(server: Server) -> None:
    server.agent.swaps.apply([entry("answer", NEW, key="a")])
    made = server.module.kamailio.answer
    server.agent.swaps.apply([entry("answer", NEW, key="a"), entry("LIMIT", "LIMIT = 5\n", cls="")])
    assert server.module.kamailio.answer is made


def test_texts_that_are_not_in_place_any_more_are_forgotten(server: Server) -> None:
    def there() -> list[str]:
        return [name for name in linecache.cache if name.startswith("<swap of here ")]

    swaps = server.agent.swaps
    for number in range(5):
        new = entry("answer", NEW, key=str(number)) | {"file": f"<swap of here {number}>", "lines": [NEW]}
        swaps.apply([new])
    assert there() == ["<swap of here 4>"]
    swaps.apply([])
    assert there() == [] and swaps.files == {}
