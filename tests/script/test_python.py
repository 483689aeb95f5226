"""Python scripts: loading, calling, exceptions, swapping."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent

import pytest

from ksrcore.kemi.declare import Module, export
from ksrcore.kemi.facade import build
from ksrcore.net.address import Dest
from ksrcore.proxy import Proxy
from ksrcore.run import REQUEST_ROUTE, Run
from ksrcore.script.engine import ScriptError
from ksrcore.script.python import PythonScript
from ksrcore.sip.message import SipMessage

TEXT = (
    "INVITE sip:bob@example.com SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK1\r\nFrom: <sip:a@x>;tag=1\r\n"
    "t: <sip:b@x>\r\nCall-ID: c1\r\nCSeq: 1 INVITE\r\nUser-Agent: Fon\r\n\r\n"
)


class Log(Module):
    name = ""

    def __init__(self, proxy: Proxy) -> None:
        super().__init__(proxy)
        self.lines: list[str] = []

    @export
    def info(self, run: Run, text: str) -> None:
        self.lines.append(text)


class Tm(Module):
    name = "tm"

    @export
    def t_on_branch(self, run: Run, name: str) -> int:
        return 1


Load = Callable[..., PythonScript]


@pytest.fixture
def load(tmp_path: Path) -> Iterator[Load]:
    before = dict(sys.modules)

    def make(source: str, name: str = "routes.py") -> PythonScript:
        proxy = Proxy(transmit=lambda data, dest: True)
        for module in (Log, Tm):
            proxy.modules[module.name] = module(proxy)
        path = tmp_path / name
        path.write_text(dedent(source))
        script = PythonScript(path, proxy, build(proxy.env, proxy.modules.values(), []))
        proxy.script = script
        script.load()
        return script

    yield make
    for name in set(sys.modules) - set(before):
        if name in ("KSR", "routes", "helper"):
            del sys.modules[name]


def call(script: PythonScript, name: str = "ksr_request_route", *args: object) -> Run:
    record = script.proxy.recorder.add(0.0, Dest("udp", "10.0.0.2", 5060), TEXT)
    run = Run(script.proxy, SipMessage(TEXT), REQUEST_ROUTE, record)
    script.call(run, name, *args)
    return run


def lines(script: PythonScript) -> list[str]:
    log = script.proxy.modules[""]
    assert isinstance(log, Log)
    return log.lines


CLASS_STYLE = """
    import KSR as KSR

    def mod_init():
        return Router()

    class Router:
        def child_init(self, rank):
            KSR.info("child %d" % rank)
            return 0

        def ksr_request_route(self, msg):
            KSR.info(self.greet(msg))
            KSR.tm.t_on_branch("ksr_branch")
            return 1

        def greet(self, msg):
            return "hello"

        def ksr_branch(self, msg):
            return 1
"""


def test_class_style(load: Load) -> None:
    script = load(CLASS_STYLE)
    run = call(script)
    assert lines(script) == ["child 1", "hello"]
    assert (run.result, run.callback, run.exception) == (1, "ksr_request_route", None)
    (ran,) = run.record.runs
    assert [decl.path for decl, _, _ in ran.iter_calls()] == ["KSR.info", "KSR.tm.t_on_branch"]
    assert ran.callback == "ksr_request_route"


def test_module_style(load: Load) -> None:
    script = load("import KSR\ndef ksr_request_route(msg):\n    KSR.info(msg.Method)\n    return 1\n")
    call(script)
    assert lines(script) == ["INVITE"]


def test_module_style_without_the_message(load: Load) -> None:
    script = load(
        """
        import KSR
        def ksr_request_route():
            KSR.info("request")
            return 1
        def ksr_event(evname):
            KSR.info(evname)
            return 1
        def ksr_more(msg, evname):
            KSR.info(msg.Method + evname)
            return 1
        def ksr_any(*args):
            KSR.info(str(len(args)))
            return 1
        """
    )
    call(script)
    call(script, "ksr_event", "tm:local-request")
    call(script, "ksr_more", "x")
    call(script, "ksr_any", "x")
    assert lines(script) == ["request", "tm:local-request", "INVITEx", "2"]
    script.swap("def ksr_request_route():\n    KSR.info('swapped')\n    return 1\n")
    call(script)
    assert lines(script)[-1] == "swapped"


def test_the_message_argument(load: Load) -> None:
    script = load(
        """
        import KSR
        def ksr_request_route(msg):
            for value in (msg.Type, msg.Method, msg.Status, msg.RURI, msg.getHeader("user-agent"), msg.getHeader("To"),
                          msg.getHeader("X"), repr(msg)):
                KSR.info(str(value))
            return 1
        """
    )
    call(script)
    assert lines(script) == [
        "SIP_REQUEST",
        "INVITE",
        "None",
        "sip:bob@example.com",
        "Fon",
        "<sip:b@x>",
        "None",
        "<msg INVITE sip:bob@example.com>",
    ]


def test_sys_exit_ends_the_route_only(load: Load) -> None:
    script = load("import sys, KSR\ndef ksr_request_route(msg):\n    sys.exit()\n")
    run = call(script)
    assert (run.exited, run.exception) == (True, None)


def test_an_exception_is_kept_with_the_scripts_own_frames(load: Load, caplog: pytest.LogCaptureFixture) -> None:
    script = load(
        """
        import KSR
        def ksr_request_route(msg):
            inner()
        def inner():
            KSR.info(None)
        """
    )
    with caplog.at_level(logging.ERROR):
        run = call(script)
    assert "KSR.info(text: str) -> None: got (None,)" in str(run.exception)
    assert run.traceback.count("File ") == 2
    assert "inner()" in run.traceback and "facade" not in run.traceback
    assert "exception in ksr_request_route" in caplog.text


def test_a_callback_that_is_not_there(load: Load) -> None:
    script = load(CLASS_STYLE)
    assert not script.has("ksr_brunch")
    run = call(script, "ksr_brunch")
    assert "did you mean 'ksr_branch'" in str(run.exception)


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("def ksr_request_route(msg)\n    pass\n", "routes.py:1: does not compile: expected ':'"),
        (
            "import KSR\n\nKSR.infoo('x')\n",
            "routes.py:3: KsrUnknown: KSR.infoo: no Kamailio exports this name to KEMI; nearest: KSR.info",
        ),
        ("x = 1\n", "routes.py: the script has no ksr_request_route(): nothing would route a request"),
        (
            "def mod_init():\n    return object()\n",
            "routes.py: the object that mod_init() returned (object) has no ksr_request_route()",
        ),
        ("import sys\nsys.exit(3)\n", "routes.py:2: SystemExit: 3"),
        ("x = " + "1 + " * 20_000 + "1\n", "routes.py: does not compile: maximum recursion depth exceeded"),
        ("import no_such_module_anywhere\n", "routes.py:1: ModuleNotFoundError: No module named"),
    ],
)
def test_what_cannot_be_loaded_says_where_and_why(load: Load, source: str, text: str) -> None:
    with pytest.raises(ScriptError) as caught:
        load(source)
    assert text in str(caught.value)
    assert "routes" not in sys.modules


def test_a_missing_file(load: Load, tmp_path: Path) -> None:
    script = load(CLASS_STYLE)
    script.path = str(tmp_path / "gone.py")
    with pytest.raises(ScriptError, match="cannot read the script: No such file"):
        script.reload()


def test_a_sibling_module_can_be_imported(load: Load, tmp_path: Path) -> None:
    (tmp_path / "helper.py").write_text("WORD = 'sibling'\n")
    script = load("import KSR, helper\ndef ksr_request_route(msg):\n    KSR.info(helper.WORD)\n")
    call(script)
    assert lines(script) == ["sibling"]


def test_an_armed_callback_that_is_missing_is_warned_of(load: Load, caplog: pytest.LogCaptureFixture) -> None:
    load(CLASS_STYLE.replace('"ksr_branch"', '"ksr_brnch"'))
    assert "callback 'ksr_brnch' is armed but the script does not define it; did you mean 'ksr_branch'?" in caplog.text


def test_routes_count_and_time(load: Load) -> None:
    script = load(CLASS_STYLE)
    for _ in range(3):
        call(script)
    routes = {route.name: route for route in script.routes()}
    assert routes["ksr_request_route"].hits == 3 and routes["greet"].hits == 3
    assert routes["ksr_request_route"].callback and routes["ksr_branch"].callback and not routes["greet"].callback
    assert routes["ksr_request_route"].total > 0
    assert routes["greet"].version.source.strip() == 'def greet(self, msg):\n        return "hello"'
    assert list(routes)[0] == "ksr_request_route"


def test_swap_and_rollback(load: Load) -> None:
    script = load(CLASS_STYLE)
    before = call(script)
    swapped = script.swap("def greet(self, msg):\n    return 'swapped'\n", "me")
    assert (swapped.numbers, swapped.new) == ({"greet": 2}, [])
    after = call(script)
    assert lines(script)[-2:] == ["hello", "swapped"]
    assert script.versions_at(before.version)["greet"] == 1
    assert script.versions_at(after.version)["greet"] == 2
    assert script.route("greet").version.who == "me"
    script.rollback("greet")
    call(script)
    assert lines(script)[-1] == "hello"
    with pytest.raises(ScriptError, match="first version"):
        script.rollback("greet")
    script.rollback("greet", 2)
    call(script)
    assert lines(script)[-1] == "swapped"
    with pytest.raises(ScriptError, match="versions 1 to 2, not 9"):
        script.rollback("greet", 9)


def test_a_swap_can_add_functions_and_takes_all_or_none(load: Load) -> None:
    script = load(CLASS_STYLE)
    script.swap("def greet(self, msg):\n    return self.more(msg)\n\ndef more(self, msg):\n    return 'more'\n")
    call(script)
    assert lines(script)[-1] == "more"


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("def greet(self, msg:\n", "does not compile"),
        ("x = print", "line 1: `x = print`: a swap takes functions and constants (NAME = literal); this needs a full"),
        ("", "there is none"),
        ("def greet(self):\n    return ''\n", "greet is called with (self, msg), the new one takes (self)"),
        (
            "def greet(self, msg, more):\n    return ''\n",
            "greet is called with (self, msg), the new one takes (self, msg, more)",
        ),
        ("def greet(self, msg):\n    KSR.inf('x')\n", "KSR.inf: no Kamailio exports this name to KEMI"),
        ("def greet(self, msg):\n    KSR.tm.t_on_branch('nope')\n", "arms the callback 'nope'"),
        ("@nothing\ndef greet(self, msg):\n    pass\n", "line 1: nothing is not defined"),
        ("async def greet(self, msg):\n    pass\n", "async def greet: the proxy calls functions"),
        ("def mod_init():\n    return 1\n", "mod_init runs once, when the script is loaded"),
        ("class Other:\n    def greet(self, msg):\n        pass\n", "the script has no class Other; a new class needs"),
        ("def greet(self, msg=undefined_name):\n    return ''\n", "line 1: undefined_name is not defined"),
        ("def greet(self, msg=1 / 0):\n    return ''\n", "failed while it was defined: ZeroDivisionError"),
    ],
)
def test_a_swap_that_is_refused_changes_nothing(load: Load, source: str, text: str) -> None:
    script = load(CLASS_STYLE)
    with pytest.raises(ScriptError) as caught:
        script.swap(source)
    assert text in str(caught.value)
    call(script)
    assert lines(script)[-1] == "hello"
    assert (script.generation, len(script.route("greet").versions)) == (0, 1)


def test_reload_is_whole_or_nothing(load: Load) -> None:
    script = load(CLASS_STYLE)
    path = Path(script.path)
    path.write_text(path.read_text().replace("hello", "reloaded"))
    script.reload()
    call(script)
    assert lines(script)[-1] == "reloaded"
    path.write_text("def broken(")
    with pytest.raises(ScriptError):
        script.reload()
    call(script)
    assert lines(script)[-1] == "reloaded"
    assert script.route("greet").current == 2
