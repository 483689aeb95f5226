"""The HTML of notebooks: well-formed, complete without scripts, and whatever came over the wire is text in it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any
from xml.etree import ElementTree

import pytest

from ksrcore.debug.recording import Point, Recording
from ksrshell.compose import Composed, Made
from ksrshell.effects import Diff
from ksrshell.figures import Latency, Traffic
from ksrshell.magics_traffic import Routed
from ksrshell.namespace import Line, Namespace
from ksrshell.render.html import html
from ksrshell.render.html.convert import sort_key
from ksrshell.render.html.markup import Html, join, tag
from ksrshell.render.html.page import page
from ksrshell.render.html.scripts import SCRIPTS
from ksrshell.routes import Swapped
from ksrshell.runner import evaluate
from ksrshell.session import Session
from ksrshell.trace import Trace
from ksrshell.view import View
from shell.fake import FakeProxy

#: What somebody may put into any field of a message to get into the page of whoever looks at it.
EVIL = "</pre></script></style><script>alert(1)</script>\"'><img src=x onerror=alert(1)> \u2028 \x1b[31m &lt; \ud800"

#: Elements that are made here; no other may come about.
ELEMENTS = set(
    "div span pre code table caption thead tbody tr th td button details summary ol li h4 ins del i b style script svg "
    "g title text line rect path polygon input".split()
)
VOID = {"input"}
SVG = "{http://www.w3.org/2000/svg}"


class Page(HTMLParser):
    """Reads an output strictly: what is open is closed, in order. ``texts``: of each element, by its name."""

    def __init__(self, source: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}
        self.feed(source)
        self.close()
        assert not self.open, f"not closed: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in ELEMENTS, f"<{tag}> is none of ours"
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), f"<{tag}> has an attribute twice: {names}"
        for name, value in attrs:
            assert not name.startswith("on") and name not in ("src", "href", "style", "id"), f"<{tag} {name}>"
            assert "http" not in (value or "") or name in ("data-steps", "data-svg"), f"<{tag} {name}={value}>"
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open[-1] == tag, f"</{tag}> closes {self.open[-1:]}"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        if self.open:
            self.texts.setdefault(self.open[-1], []).append(data)

    @property
    def text(self) -> str:
        return "".join(t for name, parts in self.texts.items() if name not in ("style", "script") for t in parts)

    def all(self, name: str, **attributes: str) -> list[dict[str, str | None]]:
        wanted = {key.rstrip("_").replace("_", "-"): value for key, value in attributes.items()}
        return [have for tag, have in self.elements if tag == name and wanted.items() <= have.items()]


def drawings(found: Page) -> list[ElementTree.Element]:
    """The pictures of an output, read as strictly as the browser will."""
    return [ElementTree.fromstring(str(have["data-svg"])) for _, have in found.elements if "data-svg" in have]


def look(view: View) -> Page:
    source = html(view)
    found = Page(source)
    source.encode("utf-8")  # no lone surrogates: the front end could not read the message
    known = "".join(js for _, js in SCRIPTS)
    for script in found.texts.get("script", ()):
        frame = r"^\(function\(\)\{'use strict';document.*?setAttribute\(\"data-on\",\"\"\);"
        body = re.sub(frame, "", script, flags=re.S)
        for part in body.removesuffix("});})();").strip().split("\n"):
            assert part in known, part
    for svg in drawings(found):
        for element in svg.iter():
            assert element.tag.removeprefix(SVG) in {"svg", "g", "title", "text", "line", "rect", "path", "polygon"}
            assert not any(name.startswith("on") or "href" in name for name in element.attrib)
    for style in found.texts.get("style", ()):
        assert "url(" not in style and "@import" not in style and "<" not in style
    return found


def recording(evil: str = "") -> Recording:
    """A run of four steps: a line, a call, a line with the message changed, the end."""
    meta = {"callback": f"ksr_request_route{evil}", "message": 1}
    made = Recording(meta, f"INVITE sip:b SIP/2.0\r\nX: 1{evil}\r\n\r\n")
    source = ["def ksr_request_route(msg):", f"    x = '{evil}'", "    KSR.x()", "    return 1"]
    made.sources["/srv/routing.py"] = source
    made.calls.append({"name": "KSR.hdr.append", "args": [f"X: 2{evil}"], "result": 1, "error": None, "duration": 2e-6})
    made.sent.append({"proto": "udp", "dst": "127.0.0.1:5071", "data": f"SIP/2.0 404 No{evil}\r\n\r\n"})
    made.texts += [made.original, f"INVITE sip:b SIP/2.0\r\nX: 1{evil}\r\nX: 2\r\n\r\n"]
    made.routings.append({})
    made.watches = {"$ru": ["sip:b", "sip:b", f"sip:c{evil}", None]}

    def spot(line: int) -> tuple[tuple[str, str, int], ...]:
        return (("ksr_request_route", "/srv/routing.py", line),)

    made.points = [
        Point("line", spot(2), 1, {"msg": "<m>"}, 0, 0, 0, 0, 0),
        Point("call", spot(3), 1, {"msg": "<m>", "x": f"'{evil}'"}, 0, 0, 0, 0, 0, "KSR.hdr.append('X')"),
        Point("line", spot(4), 1, {"msg": "<m>", "x": f"'{evil}'"}, 1, 1, 0, 1, 0),
        Point("end", (), 1, {}, 1, 1, 0, 1, 0),
    ]
    made.end = {"result": f"1{evil}", "exited": False, "dropped": False}
    return made


@pytest.fixture
def hostile(fake: FakeProxy) -> FakeProxy:
    """A proxy whose every text ends with something evil."""

    def spoil(value: Any, key: str = "") -> Any:
        if isinstance(value, str):
            text = value if key in ("src", "dst", "file", "event", "proto") else value + EVIL
            # Text of the wire has a character for each byte.
            return text.encode("utf-8", "surrogatepass").decode("latin-1")
        if isinstance(value, list):
            return [spoil(each, key) for each in value]
        if isinstance(value, dict):
            return {name: spoil(each, name) for name, each in value.items()}
        return value

    def spoiled(method: Callable[[Any], Any]) -> Callable[[Any], Any]:
        return lambda params: spoil(method(params))

    for name in ("ksr.messages", "ksr.message", "ksr.flow", "ksr.routes", "ksr.versions", "ksr.stats", "ksr.try",
                 "ksr.sandbox.effects", "ksr.step.start", "ksr.step.do"):  # fmt: skip
        fake.methods[name] = spoiled(fake.methods[name])
    return fake


CODES = (
    "msgs", "msgs[-3:]", "msgs[1]", "msgs[1].headers", "msgs[1].calls", "msgs[1].runs[0]", "flow(1)", "routes",
    "list(routes.values())[0]", "stats", "use(1)", "step(1)", "step(1).next()", "step(1).finish()", "KSR", "KSR.sl",
    "KSR.sl.send_reply", "use", "try_swap('def f(): pass', on=msgs)", "msgs[1:1]", "%ksrhelp",
)  # fmt: skip


@pytest.mark.parametrize("code", CODES)
def test_everything_is_well_formed_and_says_what_the_terminal_says(namespace: Namespace, code: str) -> None:
    view = evaluate(namespace, code)
    found = look(view)
    assert set(view._repr_mimebundle_()) == {"text/plain", "text/html"}
    assert view._repr_mimebundle_(include=["text/plain"]) == {"text/plain": repr(view)}
    first = repr(view).split()[0]
    assert first in found.text or first.isdigit()


@pytest.mark.parametrize("code", CODES)
def test_nothing_from_the_wire_becomes_markup(namespace: Namespace, hostile: FakeProxy, code: str) -> None:
    found = look(evaluate(namespace, code))
    assert not found.all("img")


def test_effects_of_a_hostile_message(namespace: Namespace, hostile: FakeProxy) -> None:
    found = look(evaluate(namespace, "use(1); KSR.sl.send_reply(404, 'No'); effects()"))
    assert "<script>alert(1)</script>" in found.text
    assert "would write" in found.text


@pytest.mark.parametrize("evil", ["", EVIL.encode("utf-8", "surrogatepass").decode("latin-1")], ids=["plain", "evil"])
def test_the_scrubber(session: Session, evil: str) -> None:
    trace = Trace(session.msgs[1], recording(evil))
    found = look(trace)
    (box,) = found.all("div", class_="scrub card")
    data = json.loads(str(box["data-steps"]))
    assert [(s["c"], s["t"], s["s"], s["l"]) for s in data["steps"]] == [
        (0, 0, 0, "0:2"), (0, 0, 0, "0:3"), (1, 1, 1, "0:4"), (1, 1, 1, ""),
    ]  # fmt: skip
    assert data["steps"][1]["w"] == "about to call KSR.hdr.append('X')"
    assert data["steps"][1]["h"] == ["x"] and list(data["locals"][data["steps"][1]["o"]]) == ["x"]
    assert data["pvs"][0]["i"] == [0, 0, 1, 2] and data["pvs"][0]["v"][2] is None
    # Every line that a step stands on is there to be marked.
    lines = {str(line["data-l"]) for line in found.all("span") if "data-l" in line}
    assert {s["l"] for s in data["steps"] if s["l"]} <= lines
    assert data["texts"]["0"] == [] and ["ins", "+X: 2"] in data["texts"]["1"]
    # Without scripts: no buttons that do nothing, the source, the calls, the message at the end, the steps as a list.
    assert not [button for button in found.all("button") if "data-go" in button] and not found.all("input")
    assert "KSR.hdr.append" in found.text and "all steps as a list" in found.text and "+X: 2" in found.text
    assert not [each for _, each in found.elements if "hidden" in each and "none" not in str(each.get("class"))]


def test_a_route_from_a_cell(session: Session) -> None:
    swapped = Swapped({"swapped": [{"name": "ksr_request_route", "version": 2}]})
    assert "version 2 from the next message on" in look(Routed(swapped, None)).text
    found = look(Routed(swapped, Trace(session.msgs[1], recording())))
    assert found.all("div", class_="scrub card") and "would send to udp:127.0.0.1:5071" in found.text


def test_the_ladder(namespace: Namespace) -> None:
    found = look(evaluate(namespace, "flow(1)"))
    (svg,) = drawings(found)
    assert svg.get("aria-label") == "ladder of a call: 13 messages between 127.0.0.1:5071, fake, 127.0.0.1:5072"
    arrows = svg.findall(f"{SVG}g")
    assert len(arrows) == 13
    assert arrows[3].get("aria-label") == "message 4: 180 Ringing, from 127.0.0.1:5072 to fake, after 0.037 seconds"
    # What an arrow shows is there without scripts too, one for each.
    assert len(found.all("details", class_="msg card")) == 13


def test_a_message_that_is_gone_leaves_its_arrow(namespace: Namespace, fake: FakeProxy) -> None:
    from shell.fake import Refused

    def gone(params: Any) -> Any:
        raise Refused(1, "message 4 is gone")

    fake.methods["ksr.message"] = gone
    assert "message 4 is gone" in look(evaluate(namespace, "flow(1)")).text


def test_tables_sort_and_durations_by_their_length(namespace: Namespace) -> None:
    found = look(evaluate(namespace, "routes"))
    assert found.all("table", class_="sort")
    keys = [cell.get("data-v") for cell in found.all("td") if cell.get("data-v")]
    assert "0.00031" in keys and "0.0012" in keys
    assert [sort_key(text) for text in ("85 us", "1.20 ms", "2.5 s", "3 min", "12", "-", "1.2.3 s")] == [
        "8.5e-05", "0.0012", "2.5", "180", None, None, None,
    ]  # fmt: skip


def test_a_diff_says_what_went_and_came() -> None:
    found = look(Diff("--- a\n+++ b\n@@ -1 +1 @@\n-X: <1>\n+X: 2\n same"))
    assert (found.texts["del"], found.texts["ins"]) == (["-X: <1>\n"], ["+X: 2\n"])
    assert "nothing changed" in look(Diff("")).text


def test_a_message_made_by_hand(session: Session) -> None:
    composed = Composed("", notes=["made up: Via"], missing=["To"], wrong=[EVIL.replace("\ud800", "")])
    found = look(Made(session.msgs[1], composed))
    assert "no To: RFC 3261 wants one" in found.text and "<script>" in found.text


def test_plots() -> None:
    found = look(Latency({f"ksr_{EVIL}": [[1, 0.0, 0.0003], [2, 0.1, 0.004], [3, 0.2, 0.0003]]}))
    (svg,) = drawings(found)
    assert len(svg.findall(f"{SVG}rect")) == 4  # from 500 us to 5 ms
    found = look(Traffic([(10.0, "INVITE"), (10.1, "2xx"), (12.0, f"{EVIL}")]))
    (svg,) = drawings(found)
    assert len(svg.findall(f"{SVG}rect")) == 3
    assert "no messages captured yet" in look(Traffic([])).text
    assert "no callback ran" in look(Latency({})).text


def test_equal_values_give_equal_html_and_others_do_not() -> None:
    assert html(Line("x")) == html(Line("x")) != html(Line("y"))


def test_markup_escapes_all_that_is_not_html() -> None:
    assert tag("p", "<b>", Html("<i>"), None, "", title='"<', hidden=True, lang=None, open=False) == (
        '<p title="&quot;&lt;" hidden>&lt;b&gt;<i></p>'
    )
    assert join([f"{Html('<b>')}"]) == "&lt;b&gt;"
    assert tag("input", min=0, data_x_=1) == '<input min="0" data-x="1">'
    assert "<script>" not in page(Html("<div></div>"))
