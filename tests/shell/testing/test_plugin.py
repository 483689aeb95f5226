"""The plugin as pytest sees it: marker, options, failures, isolation. Each test is a run of pytest of its own."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

# Imported before the runs inside this process, so that these do not import the proxy anew each time.
import ksrshell.testing.ksr  # noqa: F401
from shell.testing.routers import REFUSE, RELAY, script

pytest_plugins = ["pytester"]


def project(pytester: pytest.Pytester, tests: str, methods: str = REFUSE, ini: str = "", head: str = "") -> None:
    (pytester.path / "router.py").write_text(script(methods, head))
    pytester.makeini(f"[pytest]\nfilterwarnings = error\naddopts = -p no:cacheprovider\n{ini}\n")
    pytester.makepyfile(test_it=tests)


def test_the_marker_names_the_script(pytester: pytest.Pytester) -> None:
    project(
        pytester,
        """
        import pytest

        pytestmark = pytest.mark.ksr("router.py", aliases=["one.example"], defines={"A": "1"})

        @pytest.mark.ksr(aliases=["two.example"], modparams=["core:server_header=Server: x"], defines=["B"], now=5)
        def test_it(ksr):
            assert ksr.route(ksr.request()).replied(404, "Not here")
            assert ksr.route(ksr.request()).reply.headers["Server"] == "x"
            for name in ("one.example", "two.example"):
                assert ksr.KSR.is_myself(f"sip:{name}")
            assert not ksr.KSR.is_myself("sip:three.example")
            assert ksr.KSR.kx.get_def("A") == "1" and ksr.KSR.pv.get("$def(A)") == "1" and ksr.KSR.kx.ifdef("B")
            assert ksr.now == 5
        """,
    )
    pytester.runpytest("--strict-markers").assert_outcomes(passed=1)


def test_the_ini_file_names_the_script(pytester: pytest.Pytester) -> None:
    project(
        pytester,
        """
        def test_it(ksr):
            assert ksr.route(ksr.request(dst="10.0.0.100:5080")).replied(404)
            assert ksr.KSR.is_myself("sip:one.example") and ksr.KSR.kx.ifdef("A") and list(ksr.htable) == ["t"]
        """,
        ini="""\
ksr_script = router.py
ksr_aliases = one.example
ksr_listen = udp:10.0.0.100:5080
ksr_modparams = htable:htable=t=>size=4;
ksr_defines = A""",
    )
    pytester.mkdir("deeper").joinpath("test_deeper.py").write_text("def test_deeper(ksr): assert ksr.script\n")
    pytester.runpytest().assert_outcomes(passed=2)


@pytest.mark.parametrize(
    ("marker", "line"),
    [
        ("", '*needs the path of a script: @pytest.mark.ksr("router.py"), or ksr_script = router.py in the ini file'),
        ("modparams=[]", "*needs the path of a script*"),
        ("'router.py', 'other.py'", "*takes the path of one script*, got 'router.py', 'other.py'"),
        ("17", "*takes the path of one script*, got 17"),
        ("'router.py', modparam=[]", "@pytest.mark.ksr takes the path of a script and modparams, *; got modparam"),
        ("'router.py', modparams='tm:fr_timer=1'", "*modparams expects a list*write modparams=?'tm:fr_timer=1'?"),
        ("'router.py', modparams=['tm:fr_tmer=1']", "module tm has no parameter 'fr_tmer'; it has: *"),
        ("'router.py', modparams=['fr_timer=1']", "modparam expects MODULE:NAME=VALUE, *"),
        ("'router.py', now='today'", "*now expects a datetime or unix time in seconds, got 'today'"),
        ("'nowhere.py'", "there is no script nowhere.py in *"),
        ("'broken.py'", "*broken.py:2: does not compile: invalid syntax"),
        ("'raising.py'", "*raising.py:2: ValueError: no"),
    ],
)
def test_wrong_use_is_one_line(pytester: pytest.Pytester, marker: str, line: str) -> None:
    (pytester.path / "broken.py").write_text("x = 1\nx = = 2\n")
    (pytester.path / "raising.py").write_text("def mod_init():\n    raise ValueError('no')\n")
    project(pytester, f"import pytest\n\n@pytest.mark.ksr({marker})\ndef test_it(ksr):\n    pass\n")
    result = pytester.runpytest()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*ERROR at setup of test_it*", line, "*short test summary*"], consecutive=False)
    for word in ("Traceback", "During handling", "world.py", "plugin.py"):
        assert word not in result.stdout.str()


def test_a_failed_test_shows_what_the_script_did(pytester: pytest.Pytester) -> None:
    project(
        pytester,
        """
        import pytest

        @pytest.mark.ksr("router.py")
        def test_it(ksr):
            r = ksr.route(ksr.request("INVITE", "sip:bob@example.com"))
            assert r.replied(403)
        """,
    )
    result = pytester.runpytest()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            ">*assert r.replied(403)",
            "E*assert <not replied 403; replied 404 Not here>",
            "*What the KEMI script did*",
            "1. INVITE sip:bob@example.com from udp:10.0.0.1:5060",
            "   ksr_request_route(msg): request route for INVITE sip:bob@example.com*router.py*",
            "*6  KSR.sl.send_reply(404, \"Not here\")  | sl.send_reply(404, 'Not here') -> 1",
            "*=> replied 404 Not here to udp:10.0.0.1:5060",
            "*7  return 1",
            "     returned 1",
        ]
    )


def test_other_failures_explain_themselves(pytester: pytest.Pytester) -> None:
    project(
        pytester,
        """
        import pytest

        pytestmark = pytest.mark.ksr("router.py")

        def test_headers(ksr):
            assert "X-New" in ksr.route(ksr.request(uri="sip:b@10.0.0.2", headers={"X-Old": "1"})).relayed[0].headers

        def test_reply(ksr):
            assert ksr.route(ksr.request(uri="sip:b@10.0.0.2")).replied

        def test_no_reply(ksr):
            assert ksr.advance(1).reply.code == 200

        def test_mock(ksr):
            ksr.mock("KSR.tm.t_relay").assert_called_once_with()
        """,
        RELAY,
    )
    result = pytester.runpytest()
    result.assert_outcomes(failed=4)
    result.stdout.fnmatch_lines(["E*Expected 'KSR.tm.t_relay' to be called once. Called 0 times."])
    assert "mock.py" not in result.stdout.str()
    result.stdout.fnmatch_lines(["E*assert 'X-New' in {*'X-Old': '1'*", "E*There are: Via, *X-Old*"])
    result.stdout.fnmatch_lines(["E*assert <no reply>"])
    result.stdout.fnmatch_lines([">*ksr.advance(1).reply.code*", "E*NotThere: there is no reply: nothing was sent"])
    assert "result.py" not in result.stdout.str()


def test_an_exception_in_the_script_fails_the_test(pytester: pytest.Pytester) -> None:
    project(
        pytester,
        """
        import pytest

        @pytest.mark.ksr("router.py")
        def test_it(ksr):
            ksr.route(ksr.request())

        @pytest.mark.ksr("router.py", allow_exceptions=True)
        def test_allowed(ksr):
            r = ksr.route(ksr.request())
            assert isinstance(r.exception, ZeroDivisionError) and r.replied(500)
        """,
        "def ksr_request_route(self, msg):\n    self.deeper()\n\ndef deeper(self):\n    return 1 / 0\n",
    )
    result = pytester.runpytest()
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        [
            ">*ksr.route(ksr.request())",
            "E*ScriptRaised: ksr_request_route raised ZeroDivisionError",
            'E*File "*router.py", line 6, in ksr_request_route',
            'E*File "*router.py", line 9, in deeper',
            "E*ZeroDivisionError: division by zero",
            "*raised ZeroDivisionError: division by zero",
        ]
    )
    for word in ("world.py", "ksr.py", "contextlib"):
        assert word not in result.stdout.str()


def test_nothing_is_left_for_the_next_test(pytester: pytest.Pytester) -> None:
    helper = "import KSR\nseen = []\n\ndef reply():\n    KSR.sl.send_reply(200, 'OK')\n"
    (pytester.path / "helper.py").write_text(helper)
    project(
        pytester,
        """
        import logging
        import sys

        import pytest

        before = {"log": logging.getLogger("ksrcore").level, "root": logging.getLogger().level}

        @pytest.mark.ksr("router.py", modparams=["core:debug=-1", "htable:htable=t=>size=4;"])
        @pytest.mark.parametrize("number", range(3))
        def test_it(ksr, number):
            assert ksr.route(ksr.request()).replied(200)
            assert ksr.module.seen == [1] and ksr.module.helper.seen == [1]
            assert not ksr.location and not ksr.shv and not ksr.htable["t"]
            ksr.location.add("bob", "sip:bob@10.0.0.2")
            ksr.shv["x"] = 1
            ksr.htable["t"]["x"] = 1
            assert ksr.route(ksr.request()).called("KSR.sl.send_reply")[0].mocked == False
            ksr.mock("KSR.sl.send_reply")
            assert ksr.route(ksr.request()).dropped

        def test_after():
            assert not {"KSR", "router", "helper"} & set(sys.modules)
            assert before["log"] == logging.getLogger("ksrcore").level
            assert before["root"] == logging.getLogger().level
            assert not any(path.endswith("/added") for path in sys.path)
        """,
        """
        def ksr_request_route(self, msg):
            seen.append(1)
            helper.seen.append(1)
            helper.reply()
            return 1
        """,
        head="import sys\nimport helper\n\nsys.path.append('/added')\nseen = []\n",
    )
    pytester.runpytest().assert_outcomes(passed=4)


def test_snapshots(pytester: pytest.Pytester) -> None:
    project(
        pytester,
        """
        import pytest

        @pytest.mark.ksr("router.py")
        def test_it(ksr):
            r = ksr.route(ksr.request())
            assert r == ksr.snapshot
            assert ksr.route(ksr.request("OPTIONS")) == ksr.snapshot
            ksr.snapshot(r, "named")
        """,
    )
    result = pytester.runpytest()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E*there is no snapshot __ksr__/test_it/test_it.snap yet; pytest --ksr-update *"])
    pytester.runpytest("--ksr-update").assert_outcomes(passed=1)
    folder = pytester.path / "__ksr__" / "test_it"
    assert sorted(path.name for path in folder.iterdir()) == ["test_it.2.snap", "test_it.named.snap", "test_it.snap"]
    assert (folder / "test_it.snap").read_text() == (
        "# INVITE sip:bob@example.com from udp:10.0.0.1:5060\n\n--> udp:10.0.0.1:5060\nSIP/2.0 404 Not here\n"
        "Via: SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bK-test-1\nFrom: <sip:alice@example.com>;tag=test-1\n"
        "To: <sip:bob@example.com>;tag=TAG\nCall-ID: call-1@test\nCSeq: 1 INVITE\nServer: ksrshell\n"
        "Content-Length: 0\n"
    )
    pytester.runpytest().assert_outcomes(passed=1)
    (pytester.path / "router.py").write_text(script(REFUSE.replace("404", "410")))
    result = pytester.runpytest()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*the outcome differs from*", "-SIP/2.0 404 Not here", "+SIP/2.0 410 Not here"])


def test_traces_of_tests_that_pass(pytester: pytest.Pytester) -> None:
    project(pytester, "def test_it(ksr):\n    ksr.route(ksr.request())\n", ini="ksr_script = router.py")
    assert "What the KEMI script did" not in pytester.runpytest("-rP").stdout.str()
    pytester.runpytest("-rP", "--ksr-trace").stdout.fnmatch_lines(["*What the KEMI script did*", "*=> replied 404*"])


def test_runs_that_do_not_use_it_do_not_import_the_proxy(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("import sys\n\ndef test_it():\n    assert 'ksrcore' not in sys.modules\n")
    pytester.runpytest_subprocess().assert_outcomes(passed=1)


LINES = """\
import KSR


def mod_init():
    return Script()


def helper(number):
    if number > 3:
        return "many"
    return "few"


class Script:
    # A comment.
    def ksr_request_route(self, msg):
        names = [helper(n) for n in (1, 2)]
        if KSR.is_INVITE():
            KSR.tm.t_on_branch("ksr_branch")
            KSR.tm.t_relay()
        else:
            names.append("never")
        return len(names)

    def ksr_branch(self, msg):
        KSR.hdr.append(
            "X-A: "
            "1\\r\\n"
        )
        return 1

    def ksr_onreply(self, msg):
        return 1
"""
#: Of lines 1 to 33, those that no test runs.
MISSING = "10, 22, 33"


@pytest.mark.parametrize("core", ["ctrace", "pytrace", "sysmon"])
def test_coverage_counts_the_lines_of_the_script(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, core: str
) -> None:
    if core == "sysmon" and sys.version_info < (3, 12):
        return  # there is no sys.monitoring
    monkeypatch.setenv("COVERAGE_CORE", core)
    project(
        pytester,
        """
        def test_it(ksr):
            r = ksr.route(ksr.request(uri="sip:bob@10.0.0.2"))
            assert r.relayed and r.ran("ksr_branch")
            assert "26  KSR.hdr.append(" in r.trace  # lines are known beside coverage
            assert after() == 1


        def after():
            return 1
        """,
        ini="ksr_script = router.py",
    )
    (pytester.path / "router.py").write_text(LINES)
    result = pytester.runpytest_subprocess("--cov=router", "--cov=test_it", "--cov-report=term-missing")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["router.py *20*3*85%*" + MISSING, "test_it.py *100%*"])


def example(pytester: pytest.Pytester) -> pytest.RunResult:
    return pytester.runpytest("-p", "no:cacheprovider", "--rootdir=example", "-c", "example/pytest.ini", "example")


def test_the_example_project_and_its_failure_in_the_documentation(pytester: pytest.Pytester) -> None:
    root = Path(__file__).parents[3]
    copy = pytester.path / "example"
    shutil.copytree(root / "examples" / "testing", copy, ignore=shutil.ignore_patterns("__pycache__", ".*"))
    example(pytester).assert_outcomes(passed=11)
    router = copy / "router.py"
    router.write_text(router.read_text().replace('"486|408|480"', '"408|480"'))
    result = example(pytester)
    result.assert_outcomes(passed=10, failed=1)
    shown = result.stdout.str()
    documented = (root / "docs" / "testing.md").read_text()
    for start, end in (("    @pytest.mark.parametrize", "\n\nexample/"), ("--- What the KEMI", "====")):
        block = shown[shown.index(start) : shown.index(end, shown.index(start))].strip("-= \n")
        assert block in documented
