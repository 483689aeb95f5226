"""The static check: KSR functions, their arguments, names, callbacks."""

from __future__ import annotations

import pytest

from ksrcore.script.check import CODES, Finding, check, release
from script.faultless import script


def found(source: str, version: str = "") -> list[str]:
    return [str(finding) for finding in check(source, version=version)]


def codes(code: str, more: str = "") -> list[str]:
    return [finding.code for finding in check(script(code, more))]


def one(code: str, more: str = "") -> Finding:
    findings = check(script(code, more))
    assert len(findings) == 1, findings
    return findings[0]


def test_a_script_without_fault() -> None:
    assert found(script("KSR.tm.t_relay()")) == []


def test_where_a_finding_is() -> None:
    finding = one('é = 1; KSR.tm.t_relly("é", é)')
    assert (finding.line, finding.column, finding.end_line, finding.end_column) == (17, 16, 17, 30)
    assert (finding.severity, finding.code) == ("error", "unknown-function")
    assert str(finding).startswith("17:16: error[unknown-function]: KSR.tm.t_relly: no Kamailio exports this name")


@pytest.mark.parametrize(
    ("source", "where", "text"),
    [
        ("import KSR\ndef f(:\n    pass\n", "2:7", "does not compile: invalid syntax"),
        ("x = 1\n  y = 2\n", "2:2", "does not compile: unexpected indent"),
        ("x = '\0'", "1:1", "does not compile: source code string cannot contain null bytes"),
        ("return 1\n", "1:1", "does not compile: 'return' outside function"),
        ("def f():\n    x = 1\n    global x\n", "3:5", "does not compile: name 'x' is assigned to before global"),
        ("print 'python 2'\n", "1:1", "does not compile: Missing parentheses in call to 'print'"),
    ],
)
def test_what_does_not_compile(source: str, where: str, text: str) -> None:
    (line,) = found(source)
    assert line.startswith(f"{where}: error[syntax]: {text}")


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("KSR.textopsx.remove_hf", "KSR.hdr.remove, KSR.textops.remove_hf"),
        ("KSR.tm.is_method", "KSR.is_method"),
        ("KSR.pv.setw", "KSR.pv.sets"),
        ("KSR.is_invite", "KSR.is_INVITE"),
        ("KSR.tmx.t_check_trans", "KSR.tm.t_check_trans"),
        ("KSR.registrar.remove", "KSR.registrar.unregister"),
        ("KSR.hdr.add", "KSR.hdr.append"),
        ("KSR.inf", "KSR.info"),
        ("KSR.sip.send_reply", "KSR.sl.send_reply"),
        ("KSR.asynk.task_route", 'getattr(KSR, "async").task_route'),
    ],
)
def test_unknown_functions_and_the_nearest(name: str, near: str) -> None:
    finding = one(f"{name}()")
    assert finding.code == "unknown-function"
    assert finding.text.startswith(f"{name}: no Kamailio exports this name to KEMI; nearest: {near}")


def test_modules_are_no_functions() -> None:
    assert one('KSR.xlog("x")').text.startswith("KSR.xlog is a module, not a function: call one of its own, such as")
    assert one("KSR.info.x()").text == "KSR.info is a function: it has no 'x'"
    assert codes("m = KSR.pv; d = KSR.__doc__, KSR._mock_data, KSR.info.__name__") == []


def test_asking_whether_a_name_exists() -> None:
    assert codes("try:\n    KSR.kx.nope()\nexcept AttributeError:\n    pass") == []
    assert codes("try:\n    KSR.kx.nope()\nexcept ValueError:\n    pass") == ["unknown-function"]


def test_other_names_for_ksr() -> None:
    for source in (
        "import KSR as K\nK.inf('x')\n",
        "from KSR import pv\npv.gett('$ru')\n",
        "import KSR\nlog = KSR.inf\n",
        "import KSR\npv = KSR.pv\npv.gett('$ru')\n",
        "import KSR.pv as pv\npv.gett('$ru')\n",
    ):
        assert [f.code for f in check(source)] == ["unknown-function"], source
    assert [f.code for f in check("KSR.info('x')\n")] == ["undefined-name"]


@pytest.mark.parametrize(
    ("call", "text"),
    [
        ("KSR.info()", "takes 1 argument, got 0"),
        ("KSR.sl.send_reply(404)", "takes 2 arguments, got 1"),
        ("KSR.x.modf()", "takes at least 1 argument, got 0"),
        ("KSR.info(text='x')", "takes no arguments by name, got text"),
    ],
)
def test_the_number_of_arguments(call: str, text: str) -> None:
    finding = one(call)
    assert (finding.code, finding.severity) == ("argument-count", "error")
    assert text in finding.text


def test_arguments_that_kamailio_does_not_look_at() -> None:
    assert one("KSR.tm.t_relay(1)").severity == "warning"
    assert codes("KSR.x.modf('f', 1, 'x')\nKSR.sl.send_reply(*msg.x())") == ["message-attribute"]


@pytest.mark.parametrize(
    ("argument", "got"),
    [
        ("404", 'got an int; did you mean "404"?'),
        ("None", "got None"),
        ("b'x'", "got bytes"),
        ("1 + 2", "got an int; use str()"),
        ("len('x')", "got an int; use str()"),
        ("not msg", "got a bool"),
        ("KSR.tm.t_relay()", "got an int; use str()"),
        ("KSR.info('x')", "got None"),
        ("1 if msg else 2.0", "got a float or an int; use str()"),
        ("NUMBER", "got an int; use str()"),
    ],
)
def test_arguments_that_are_no_text(argument: str, got: str) -> None:
    findings = check("NUMBER = 5\n" + script(f"KSR.sl.send_reply(200, {argument})"))
    assert [f.code for f in findings] == ["argument-type"]
    assert findings[0].text.endswith("reason is a str, " + got)


def test_arguments_that_are_no_number() -> None:
    assert one('KSR.setflag("5")').text.endswith("flag is an int, got a str; did you mean 5?")
    assert one('KSR.setflag("a" + str(5))').text.endswith("flag is an int, got a str; use int()")
    assert one("KSR.setflag(5 / 5)").text.endswith("flag is an int, got a float")


@pytest.mark.parametrize(
    "argument",
    ["f'{msg}'", "str(5)", "'%d' % 5", "'a' + x()", "'{}'.format(1)", "'a' * 3", "x()", "msg.Method", "5 and 'x'",
     "KSR.pv.get('$ru')", "KSR.hdr.get('X')", "[1][0]", "TEXT", "lambda: 1", "'a' 'b'", "(y := 'a')"],
)  # fmt: skip
def test_arguments_that_may_be_text(argument: str) -> None:
    source = "TEXT = 'x'\ndef x():\n    return 1\n" + script(f"KSR.sl.send_reply(200, {argument})")
    assert found(source) == []


def test_numbers_and_truth_values_are_one() -> None:
    assert codes("KSR.setflag(True)\nKSR.setflag(-1)\nKSR.setflag(1 << 3)\nKSR.setflag(int('5'))") == []


def test_variables_with_several_values_are_left_alone() -> None:
    assert codes("x = 5\nif msg:\n    x = 'a'\nKSR.info(x)") == []
    assert codes("for x in (1, 2):\n    KSR.info(x)") == []
    assert codes("x = 5\nKSR.info(x)") == ["argument-type"]
    assert codes("x = 5\ndef f():\n    nonlocal x\n    x = 'a'\nf()\nKSR.info(x)") == []
    source = "X = 5\ndef set():\n    global X\n    X = 'a'\n" + script("KSR.info(X)")
    assert found(source) == []


def test_functions_that_are_not_there_yet() -> None:
    finding = one("KSR.msilo.mstore()")
    assert (finding.severity, finding.code) == ("info", "not-implemented")
    assert finding.text == (
        "KSR.msilo.mstore: Kamailio has it (Keep the MESSAGE for the user of its Request-URI, to be sent later), "
        "ksrshell not yet"
    )


def test_functions_of_another_version() -> None:
    source = script("KSR.pvx.shvinc_get('x')")
    assert found(source) == found(source, "6.2") == []
    assert found(source, "5.6") == [
        "17:9: error[other-version]: KSR.pvx.shvinc_get is in Kamailio 6.2-dev, not in 5.6.3"
    ]
    with pytest.raises(ValueError, match="no table of Kamailio '4.4': there are 5.6.3, 6.2-dev"):
        check(source, version="4.4")
    assert (release("5.6"), release("5.6.3"), release("6.2-dev")) == ("5.6.3", "5.6.3", "6.2-dev")


def test_what_python_has_not() -> None:
    assert one("if msg:\n    KSR.x.exit()").text == "KSR.x.exit is for Lua and JavaScript, app_python3 has exit()"


def test_undefined_names() -> None:
    assert one("x = FLT_ACC").text == "FLT_ACC is not defined"
    assert codes("exit, __file__, Router, KSR") == []
    source = "FLT_ACC = 1\n" + script("x = FLT_AC")
    assert [f.text for f in check(source)] == ["FLT_AC is not defined; did you mean FLT_ACC?"]
    assert found("from x import *\n" + script("x = FLT_AC")) == []
    assert codes("try:\n    unicode\nexcept NameError:\n    pass") == []


def test_unknown_methods() -> None:
    assert one("self.ksr_route_rely(msg)", "def ksr_route_relay(self, msg):\n    return 1\n").text == (
        "class Router has no ksr_route_rely(); did you mean self.ksr_route_relay?"
    )
    assert codes("self.__init__()\nself.made()", "def x(self):\n    self.made = 1\n") == []
    unknown_base = script("self.inherited()").replace("class Router:", "class Router(dict):")
    assert found(unknown_base) == []
    source = script("help(msg)\nself.help(msg)") + "\ndef help(msg):\n    return 1\n"
    assert [f.text for f in check(source)] == ["class Router has no help(); the module has a function help()"]


# -- callbacks --------------------------------------------------------------------------------------------------------


def test_armed_callbacks() -> None:
    more = "def ksr_branch(self, msg):\n    return 1\n"
    assert codes('KSR.tm.t_on_branch("ksr_branch")\nKSR.tm.t_on_reply(msg.Method)\nKSR.tm.t_on_failure("")', more) == []
    finding = one('KSR.tm.t_on_failure("ksr_brnch")', more)
    assert finding.code == "unknown-callback"
    assert finding.text == (
        "KSR.tm.t_on_failure arms the callback 'ksr_brnch', which the script does not define; "
        "did you mean 'ksr_branch'?"
    )
    assert one('KSR.tmx.t_continue(1, 2, "x")').code == "unknown-callback"
    assert one('getattr(KSR, "x")\nKSR.tm.t_on_branch(NAME)').code == "undefined-name"


def test_callbacks_of_a_module_others_import_are_not_judged() -> None:
    assert found("import KSR\ndef relay(self, msg):\n    KSR.tm.t_on_branch('elsewhere')\n    return 1\n") == []
    assert found("import KSR\n") == []
    mixin = "import KSR\nclass R:\n    def ksr_request_route(self, msg):\n        self.more(msg)\n        return 1\n"
    assert found(mixin) == []


def test_what_kamailio_calls_is_there() -> None:
    assert found("def mod_init():\n    return R()\nclass R:\n    pass\n") == [
        "3:7: error[missing-callback]: class R has no ksr_request_route(): nothing routes a request"
    ]
    assert (
        "did you mean ksr_reqest_route to be it?"
        in found(script("pass").replace("ksr_request_route", "ksr_reqest_route"))[0]
    )
    bare = "def mod_init():\n    return R()\nclass R:\n    def ksr_request_route(self, msg):\n        return 1\n"
    assert [(f.severity, f.text.partition("(")[0]) for f in check(bare)] == [
        ("error", "no child_init"),
        ("warning", "no ksr_onsend_route"),
        ("warning", "no ksr_reply_route"),
    ]


def test_the_object_may_come_from_anywhere() -> None:
    assert found("import other\ndef mod_init():\n    return other.make()\n") == []
    assert found("def mod_init():\n    r = R()\n    return r\nclass R:\n    pass\n")[0].startswith("4:7: error[missing")
    assert found("class R:\n    pass\nr = R()\ndef mod_init():\n    return r\n")[0].startswith("1:7: error[missing")
    assert found("def mod_init():\n    return R()\nclass R:\n    exec('from x import *')\n") == []


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        ("ksr_request_route(self, msg)", "ksr_request_route(self)", "ksr_request_route(self) is called as"),
        ("ksr_reply_route(self, msg)", "ksr_reply_route(self, msg, x)", "is called as ksr_reply_route(msg)"),
        ("ksr_reply_route(self, msg)", "ksr_reply_route()", "called as ksr_reply_route(msg), after self"),
        ("child_init(self, rank)", "child_init(self)", "child_init(self) is called as child_init(rank)"),
        ("mod_init()", "mod_init(x)", "mod_init(x) is called as mod_init()"),
    ],
)
def test_signatures(old: str, new: str, text: str) -> None:
    (finding,) = check(script("x = 1").replace(old, new))
    assert (finding.code, finding.severity) == ("signature", "error")
    assert text in finding.text


@pytest.mark.parametrize("new", ["self, msg, x=1", "self, *args", "self, msg, **kw", "*args"])
def test_signatures_that_fit(new: str) -> None:
    assert found(script("x = 1").replace("ksr_reply_route(self, msg)", f"ksr_reply_route({new})")) == []


def test_signatures_of_other_kinds() -> None:
    static = "@staticmethod\ndef ksr_branch(msg):\n    return 1\n"
    assert codes('KSR.tm.t_on_branch("ksr_branch")', static) == []
    wrapped = "@traced\ndef ksr_branch():\n    return 1\n"
    assert found("from x import traced\n" + script('KSR.tm.t_on_branch("ksr_branch")', wrapped)) == []
    assert one("x = 1", "def ksr_dialog_event(self, msg):\n    return 1\n").severity == "warning"
    assert codes("x = 1", "def ksr_dialog_event(self, msg, evname):\n    return 1\n") == []


def test_scripts_in_module_style() -> None:
    for parameters in ("msg", ""):
        source = "import KSR\n" + "".join(
            f"def {name}({parameters}):\n    return 1\n"
            for name in ("ksr_request_route", "ksr_reply_route", "ksr_onsend_route")
        )
        assert found(source) == []


def test_the_message_object() -> None:
    assert one("x = msg.method").text == "the message object has no method; did you mean msg.Method?"
    assert codes("x = msg.Method, msg.getHeader('To'), msg.src_address, msg.RURI") == []
    assert codes("msg = 5\nx = msg.real") == []


# -- the rest ---------------------------------------------------------------------------------------------------------


def test_comments_that_silence() -> None:
    assert codes("KSR.inf('x')  # ksr: ignore") == []
    assert codes("KSR.inf('x')  # ksr: ignore[unknown-function]") == []
    assert codes("KSR.inf('x')  # known; ksr: ignore[argument-type, unknown-function]") == []
    assert codes("KSR.inf('x')  # ksr: ignore[argument-type]") == ["unknown-function"]
    assert codes("KSR.info('# ksr: ignore', KSR.inf)") == ["argument-count", "unknown-function"]
    assert codes("KSR.sl.send_reply(\n    404,\n    5)  # ksr: ignore") == []
    assert found("# ksr: ignore-file[unknown-function]\n" + script("KSR.inf('x')\nKSR.nope()")) == []


def test_every_code_is_described() -> None:
    assert all(severity in ("error", "warning", "info") and text for severity, text in CODES.values())


@pytest.mark.parametrize("count", [1500, 20000])
def test_deep_nesting_is_no_exception(count: int) -> None:
    for source in (
        "KSR.info(" + " + ".join(["'a'"] * count) + ")\n",
        "KSR.info(KSR.x" + ".a" * count + ")\n",
        "if x:\n    pass\n" + "elif y:\n    pass\n" * count,
        "(" * count + ")" * count,
        "x = " + "not " * count + "1\n",
    ):
        check("import KSR\nx = y = 1\n" + source)


def test_line_ends() -> None:
    assert found("import KSR\r\n\f\r\nKSR.inf('x')\r\n")[0].startswith("3:1: error[unknown-function]")


def test_callbacks_of_http_queries() -> None:
    code = 'KSR.http_async_client.query("http://x.test/", "ksr_http")'
    assert codes(code, "def ksr_http(self, msg, evname):\n    return 1\n") == []
    findings = check(script(code, "def ksr_http(self, msg):\n    return 1\n"))
    assert [(f.code, f.severity) for f in findings] == [("signature", "warning")]


def test_control_characters_are_shown() -> None:
    assert one('KSR.pv.get("$ru\\n\\x1b")').text.startswith("KSR.pv.get: $ru\\n\\x1b: ")
