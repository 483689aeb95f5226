"""The kernel by Jupyter's own tests, and what they do not ask: our errors, completion, inspection, interrupts."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jupyter_kernel_test  # type: ignore[import-untyped]
import pytest

pytestmark = pytest.mark.usefixtures("jupyter")

#: Seconds to wait for the kernel: the machine may be busy.
PATIENCE = 60


class TestProtocol(jupyter_kernel_test.KernelTests):  # type: ignore[misc]
    """jupyter_kernel_test on our kernel."""

    kernel_name = "ksr"
    language_name = "python"
    file_extension = ".py"
    code_hello_world = "print('hello, world')"
    code_stderr = "import sys; print('test', file=sys.stderr)"
    completion_samples = ({"text": "zi", "matches": {"zip"}}, {"text": "%proxy st", "matches": {"start", "stop"}})
    complete_code_samples = ("1", "print('hello')", "def f(x):\n  return x*2\n\n\n")
    incomplete_code_samples = ("print('''hello", "def f(x):\n  x*2", "%%swap\ndef f(x):")
    invalid_code_samples = ("import = 7q",)
    code_page_something = "zip?"
    code_generate_error = "raise ValueError('x')"
    code_execute_result = ({"code": "1+2+3", "result": "6"}, {"code": "[n*n for n in range(3)]", "result": "[0, 1, 4]"})
    code_display_data = (
        {"code": "from ksrshell.namespace import Line; display(Line('x'))", "mime": "text/html"},
    )  # fmt: skip
    code_inspect_sample = "use"
    code_clear_output = "from IPython.display import clear_output; clear_output()"
    supported_history_operations = ("tail", "search")
    code_history_pattern = "1?2*"

    def test_history(self) -> None:
        """What IPython keeps: ranges count its sessions from 0, which the test of the package does not know."""
        codes = [str(n) + "+0" for n in range(3)]
        for code in codes:
            self.flush_channels()
            self.execute_helper(code)
        for asked in ({"hist_access_type": "tail", "n": 10}, {"hist_access_type": "search", "n": 10, "pattern": "?+0"}):
            self.flush_channels()
            reply = self.kc.history(raw=True, output=False, reply=True, timeout=PATIENCE, **asked)
            assert {entry[2] for entry in reply["content"]["history"]} >= set(codes)


class Kernel:
    """A running kernel: ``run(code)`` gives what came of it."""

    def __init__(self) -> None:
        from jupyter_client.manager import start_new_kernel

        self.manager, self.client = start_new_kernel(startup_timeout=PATIENCE, kernel_name="ksr")

    def run(self, code: str, *, interrupt_after: float | None = None) -> dict[str, Any]:
        """``status``, ``ename``, ``evalue``, ``traceback``; ``data`` (of each output) and ``text`` (of streams)."""
        outputs: list[dict[str, Any]] = []
        texts: list[str] = []

        def take(message: dict[str, Any]) -> None:
            content = message["content"]
            if message["msg_type"] in ("execute_result", "display_data", "update_display_data"):
                outputs.append(content["data"])
            elif message["msg_type"] == "stream":
                texts.append(content["text"])

        timer = None
        if interrupt_after is not None:
            timer = threading.Timer(interrupt_after, self.manager.interrupt_kernel)
            timer.start()
        reply = self.client.execute_interactive(code, output_hook=take, timeout=PATIENCE, allow_stdin=False)
        if timer is not None:
            timer.join()
        return {**reply["content"], "data": outputs, "text": "".join(texts)}

    def value(self, code: str) -> str:
        """The text form of a cell's value."""
        found = self.run(code)
        assert found["status"] == "ok", found
        return str(found["data"][-1]["text/plain"])

    def matches(self, code: str) -> list[str]:
        found: list[str] = self.client.complete(code, reply=True, timeout=PATIENCE)["content"]["matches"]
        return found

    def inspect(self, code: str, at: int | None = None) -> dict[str, Any]:
        found: dict[str, Any] = self.client.inspect(code, at, reply=True, timeout=PATIENCE)["content"]
        return found

    def close(self) -> None:
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=False)


@pytest.fixture(scope="module")
def kernel(jupyter: Path) -> Iterator[Kernel]:
    """One on the demo's proxy; message 12 is in use."""
    kernel = Kernel()
    try:
        assert kernel.run("%proxy demo")["status"] == "ok"
        kernel.run("invite = msgs.where('method == \"INVITE\" and is_request and not out')[-1]; use(invite);")
        yield kernel
    finally:
        kernel.close()


def test_before_there_is_a_proxy(jupyter: Path) -> None:
    kernel = Kernel()
    try:
        sip = "%%sip\nOPTIONS sip:a SIP/2.0"
        for code in ("msgs", "msgs[-1]", "KSR.pv.get('$ru')", "use(1)", "%send", sip, "flow()"):
            found = kernel.run(code)
            assert (found["status"], found["ename"]) == ("error", "UsageError"), code
            assert found["evalue"].startswith("there is no proxy yet: %proxy demo, "), code
            assert len(found["traceback"]) == 1
        assert kernel.value("%proxy").startswith("no proxy; %proxy start [SCRIPT]")
        assert kernel.matches("KSR.sl.") == []
    finally:
        kernel.close()


def test_values_have_html_and_the_text_of_the_terminal(kernel: Kernel) -> None:
    found = kernel.run("flow(invite)")["data"][-1]
    assert found["text/plain"].startswith("Call-ID ")
    assert 'data-draw="ladder"' in found["text/html"]
    assert kernel.value("KSR.pv.get('$rm')") == "'INVITE'"
    assert "in use: " in kernel.value("%proxy")
    assert kernel.value("1 + 1") == "2"


def test_completion(kernel: Kernel) -> None:
    assert kernel.matches("KSR.sl.send_r")
    assert "send_reply" in kernel.matches("KSR.sl.send_r")
    assert "$ru" in kernel.matches('KSR.pv.get("$r')
    assert "uri.host" in kernel.matches('KSR.pv.get("$(ru{uri.h')
    assert kernel.matches("routes['ksr_route_lo") == ["ksr_route_location"]
    assert "method" in kernel.matches('msgs.where("met')
    reply = kernel.client.complete("KSR.sl.send_r", reply=True, timeout=PATIENCE)["content"]
    (first, *_) = reply["metadata"]["_jupyter_types_experimental"]
    assert first["type"] == "function" and first["signature"].startswith("(code: int, reason: str) -> int")
    assert (reply["cursor_start"], reply["cursor_end"]) == (7, 13)


def test_inspection(kernel: Kernel) -> None:
    found = kernel.inspect("KSR.sl.send_reply(404, ")
    assert found["found"] and found["status"] == "ok"
    text = found["data"]["text/plain"]
    assert text.startswith("KSR.sl.send_reply(code: int, reason: str) -> int\nKamailio module: sl\n")
    assert "text/html" in found["data"]
    assert kernel.inspect('KSR.pv.get("$ru")', 14)["data"]["text/plain"].startswith("$ru: The Request-URI")
    assert "%send INVITE" in kernel.inspect("%send")["data"]["text/plain"]
    assert kernel.inspect("trace")["data"]["text/plain"].startswith("trace(m=None, callback=None, engine=")
    assert "Return the number of items" in kernel.inspect("len")["data"]["text/plain"]
    assert not kernel.inspect("nothing_of_this_name")["found"]
    assert "nearest: " in kernel.inspect("KSR.sl.send_repl")["data"]["text/plain"]


def test_our_errors_are_one_line(kernel: Kernel) -> None:
    found = kernel.run("x = 1\nKSR.sl.send_repl(404)")
    assert (found["status"], found["ename"]) == ("error", "UnknownName")
    assert found["evalue"].startswith("KSR.sl.send_repl: no such name; nearest: KSR.sl.send_reply")
    assert found["traceback"] == [f"\x1b[31m{found['evalue']}\x1b[0m (line 2)"]
    found = kernel.run("msgs.where('what ever')")
    assert found["status"] == "error" and len(found["traceback"]) == 1
    found = kernel.run("KSR.sl.send_reply('x')")
    assert found["status"] == "error" and "code: int" in found["evalue"]


def test_tracebacks_have_the_frames_of_the_user_only(kernel: Kernel) -> None:
    found = kernel.run("def inner():\n    return {}['nothing']\ninner()")
    assert (found["status"], found["ename"], found["evalue"]) == ("error", "KeyError", "'nothing'")
    text = "\n".join(found["traceback"])
    assert "inner" in text and "ipykernel" not in text and "interactiveshell" not in text
    found = kernel.run("import json\ntry_swap(lambda: json.loads('{'))\nmsgs[:2][None]")
    text = "\n".join(found["traceback"])
    assert found["status"] == "error" and "ksrshell/" not in text


def test_a_value_that_cannot_be_shown_is_an_error(kernel: Kernel) -> None:
    kernel.run("from ksrshell.namespace import Line\nclass Odd(Line):\n    def __rich__(self):\n        return 1 / 0")
    found = kernel.run("Odd('x')")
    assert (found["status"], found["ename"]) == ("error", "ZeroDivisionError")
    assert kernel.value("'and on'") == "'and on'"


def test_a_message_from_text(kernel: Kernel) -> None:
    found = kernel.run("%%sip m\nOPTIONS sip:bob@demo.example SIP/2.0\nContent-Length: 70\n\nhello")
    assert found["status"] == "ok"
    text = found["data"][-1]["text/plain"]
    assert "made by hand" in text and "no Via: RFC 3261 wants one" in text and "Content-Length was 70 and is 7" in text
    assert kernel.value("KSR.pv.get('$rm'), m.origin") == "('OPTIONS', 'made by hand')"
    assert kernel.value("m.body") == "b'hello\\r\\n'"
    kernel.run("use(invite)")


def test_a_route_from_a_cell(kernel: Kernel) -> None:
    found = kernel.run("%%route\ndef ksr_route_auth(self, msg):\n    KSR.hdr.append('X-New: 1\\r\\n')\n    return 1")
    assert found["status"] == "ok"
    text = found["data"][-1]["text/plain"]
    assert text.startswith("swapped ksr_route_auth: version 2 from the next message on\nksr_request_route")
    assert "+X-New: 1" in text
    assert 'class="scrub' in found["data"][-1]["text/html"]
    assert kernel.run("rollback()")["status"] == "ok"


def test_real_sip(kernel: Kernel) -> None:
    found = kernel.run("call = %send INVITE sip:bob@demo.example\ncall")
    assert found["data"][-1]["text/plain"].endswith("INVITE sip:bob@demo.example as alice: 200 OK")
    assert kernel.value("call.status, len(call.flow.messages)") == "(200, 16)"
    found = kernel.run("%send INVITE sip:bob@demo.example --as mallory --password no")
    assert found["data"][-1]["text/plain"].endswith("as mallory: 407 Proxy Authentication Required")
    found = kernel.run("%send INVITE sip:nobody@demo.example")
    assert " 404 " in found["data"][-1]["text/plain"]


@pytest.mark.parametrize(
    "code, said",
    [
        ("import time\ntime.sleep(30)", "KeyboardInterrupt"),
        ("try_swap('def ksr_route_auth(self, msg):\\n    import time; time.sleep(0.5)\\n', on=list(msgs) * 20)", ""),
        ("send('INVITE', 'sip:bob@demo.example', user='alice')", ""),
    ],
    ids=["python", "trial", "held"],
)
def test_interrupt(kernel: Kernel, code: str, said: str) -> None:
    if "INVITE" in code:
        kernel.run("hold('ksr_route_location', timeout=30)")
    begun = time.monotonic()
    found = kernel.run(code, interrupt_after=1.0)
    assert time.monotonic() - begun < 15
    assert (found["status"], found["ename"]) == ("error", "KeyboardInterrupt")
    assert found["traceback"][0].startswith("\x1b[31minterrupted\x1b[0m")
    kernel.run("unhold()\nfor each in list(held): each.resume()")
    assert kernel.value("1 + 1") == "2"


def test_a_held_message_is_stepped_and_an_interrupt_leaves_it_held(kernel: Kernel) -> None:
    kernel.run("h = hold('ksr_route_location', timeout=25)")
    assert kernel.run("call = send('INVITE', 'sip:bob@demo.example', wait=False)")["status"] == "ok"
    kernel.run("import time\nfor _ in range(100):\n    if len(held): break\n    time.sleep(0.05)")
    assert kernel.value("len(held)") == "1"
    assert "ksr_route_location" in kernel.value("s = held[0].step(); s")
    found = kernel.run("while True: held[0].left", interrupt_after=0.7)
    assert found["ename"] == "KeyboardInterrupt"
    assert kernel.value("len(held)") == "1"
    assert kernel.run("s.finish()\nunhold()\ncall.wait(10)")["status"] == "ok"
    assert kernel.value("call.status") == "200"


def test_which_message_is_in_use_is_to_be_seen_without_a_prompt(kernel: Kernel) -> None:
    found = kernel.run("use(invite)\neffects()")["data"][-1]
    assert ">demo: " in found["text/html"] and "INVITE sip:" in found["text/html"]
    assert "; the demo, ends with the kernel" in kernel.value("%proxy").replace("\n", " ")
    assert "in use: " in kernel.value("%proxy")


def test_long_work_shows_how_far_it_is(kernel: Kernel) -> None:
    code = "from ksrshell.progress import each\nimport time\nfor _ in each(range(8), 'things'):\n    time.sleep(0.15)"
    shown = kernel.run(code)["data"]
    assert "<progress" in shown[0]["text/html"] and shown[0]["text/plain"].startswith("things: ")
    assert shown[-1] == {"text/plain": "", "text/html": ""}


def test_news_come_below_the_next_cell(kernel: Kernel) -> None:
    kernel.run("hold('ksr_route_checks', log='seen {method}')")
    texts = kernel.run("%send MESSAGE sip:bob@demo.example --body hi")["text"]
    for _ in range(50):  # the proxy tells it in its own time
        if texts:
            break
        texts += kernel.run("1;")["text"]
    kernel.run("unhold()")
    assert "seen MESSAGE" in texts


def test_proxies(kernel: Kernel, tmp_path: Path) -> None:
    script = tmp_path / "answer.py"
    script.write_text("import KSR\n\ndef ksr_request_route(msg):\n    KSR.sl.send_reply(200, 'Here')\n    return 1\n")
    other = Kernel()
    try:
        found = other.run(f"%proxy start {script} --alias here.example")
        assert found["status"] == "ok", found
        assert "answer" in found["data"][-1]["text/plain"]
        assert other.value("%send OPTIONS").endswith("OPTIONS sip:here.example as alice: 200 Here")
        assert other.run(f"%proxy start {tmp_path}/none.py")["evalue"].endswith("No such file or directory")
        assert other.run("msgs")["status"] == "error"  # the one before has ended
        assert other.run("%proxy start --listen udp:nowhere:1")["status"] == "error"
        assert other.run("%proxy attach no-such-proxy")["evalue"].startswith("no proxy named 'no-such-proxy'")
        assert "usage: %proxy" in other.run("%proxy go")["evalue"]
        assert other.run("%proxy start")["status"] == "ok"
        found = other.run("%%route\ndef ksr_request_route(msg):\n    KSR.sl.send_reply(200, 'Now')\n    return 1")
        assert "version 2" in found["data"][-1]["text/plain"]
        assert other.value("%send OPTIONS").endswith(": 200 Now")
        name = other.value("%proxy").partition(":")[0]
        assert other.value("%proxy stop") == f"{name} is stopped"
        assert other.run("%proxy stop")["evalue"] == "there is no proxy to stop"
    finally:
        other.close()


def test_the_proxy_ends_with_the_kernel(jupyter: Path) -> None:
    kernel = Kernel()
    kernel.run("%proxy start")
    pid = int(kernel.value("msgs._session.hello['pid']"))
    folder = kernel.value("import os; os.path.dirname(msgs._session.hello['script'])").strip("'")
    assert Path(f"/proc/{pid}").exists()
    kernel.manager.shutdown_kernel(now=True)  # killed: nothing of the kernel's runs any more
    kernel.client.stop_channels()
    until = time.monotonic() + 10
    while Path(f"/proc/{pid}").exists() and time.monotonic() < until:
        time.sleep(0.05)
    assert not Path(f"/proc/{pid}").exists()
    left = Path(folder)
    assert left.exists()  # nobody was there to remove it: the next kernel does
    other = Kernel()
    try:
        assert other.run("%proxy start")["status"] == "ok"
        assert not left.exists()
    finally:
        other.close()
