"""The static check: pseudo-variables, results, truth values, exits."""

from __future__ import annotations

import pytest

from ksrcore.script.check import Finding, check
from script.faultless import script


def codes(code: str, more: str = "") -> list[str]:
    return [finding.code for finding in check(script(code, more))]


def one(code: str, more: str = "") -> Finding:
    findings = check(script(code, more))
    assert len(findings) == 1, findings
    return findings[0]


# -- pseudo-variables -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("$foo", "no Kamailio has $foo"),
        ("$body", "no Kamailio has $body; nearest: $rb"),
        ("$RU", "no Kamailio has $RU; nearest: $Ru, $rU, $ru"),
        ("ru", 'expected a pseudo-variable such as $ru or $(ru{s.len}) at offset 0; did you mean "$ru"?'),
        ("$ru ", "unexpected ' ' after the pseudo-variable"),
        ("$(ru{s.leng})", "no Kamailio has {s.leng}; nearest: {s.len}"),
        ("$(ru{s.len)", "expected '}' to close '{'"),
        ("$hdr(X", "expected ')' to close '('"),
        ("$(ru{s.substr})", "takes 2 parameters"),
    ],
)
def test_variables_that_are_none(name: str, text: str) -> None:
    finding = one(f'KSR.pv.get("{name}")')
    assert (finding.severity, finding.code) == ("error", "pseudo-variable")
    assert text in finding.text


@pytest.mark.parametrize(
    "argument",
    ['"$ru"', '"$(hdr(X)[0]{s.len})"', '"$sht(a=>$si)"', "NAME", 'f"$avp({msg})"', '"$sht(a=>" + msg.Method + ")"',
     '"$var(%s)" % msg', 'f"${msg}"', "msg.Method", '"$" + msg.Method', '"$xavp(a[0]=>b)"', '"$null"'],
)  # fmt: skip
def test_variables_that_are(argument: str) -> None:
    assert check("NAME = '$ru'\n" + script(f"KSR.pv.get({argument})")) == []


def test_variables_known_in_part() -> None:
    assert codes('KSR.pv.get(f"$avpp({msg})")') == ["pseudo-variable"]
    assert codes('KSR.pv.get("$avpp(" + msg.Method + ")")') == ["pseudo-variable"]
    assert codes('KSR.pv.get("$avpp(%d)" % 5)') == ["pseudo-variable"]


def test_variables_not_there_yet() -> None:
    finding = one('KSR.pv.get("$msrp(method)")')
    assert (finding.severity, finding.code) == ("info", "not-implemented")
    assert finding.text == "KSR.pv.get: $msrp (module msrp) is not in ksrshell yet"
    assert codes('KSR.pv.get("$(ru{json.parse,x})")') == ["not-implemented"]


def test_variables_that_are_written() -> None:
    assert codes('KSR.pv.sets("$ru", "sip:a@b")\nKSR.pv.seti("$var(x)", 1)\nKSR.pv.unset("$avp(x)")') == []
    finding = one('KSR.pv.sets("$si", "10.0.0.1")')
    assert (finding.severity, finding.code) == ("warning", "read-only")
    assert finding.text == "KSR.pv.sets: $si cannot be assigned: Kamailio leaves it as it is"
    assert one('KSR.pv.sets("$(ru{s.len})", "x")').code == "read-only"
    assert codes('KSR.pvx.evalx("$si", "$foo")') == ["pseudo-variable", "read-only"][::-1]


def test_formats() -> None:
    assert codes('KSR.xlog.xinfo("$ru $$ 5$$ $(ru{s.len})%")\nKSR.xlog.xlog("L_INFO", f"{msg} $rm")') == []
    assert one('KSR.xlog.xinfo("got $foo")').text == "KSR.xlog.xinfo: no Kamailio has $foo"
    assert one('KSR.xlog.xlog("L_INFO", "costs 5$ each")').text.endswith("a dollar sign is written $$")
    assert codes('KSR.xlog.xinfo("$foo " + msg.Method)') == ["pseudo-variable"]
    assert codes('KSR.xlog.xinfo("$msrp(method) " "$au")') == ["not-implemented"]


def test_texts_that_are_not_evaluated() -> None:
    assert one('KSR.info("to $ru")').text == "KSR.info prints $ru as it is: use KSR.xlog.xinfo or KSR.pv.getw"
    assert codes('KSR.err("costs 5$, $foo, $")\nKSR.info(KSR.pv.gete("$ru"))') == []


# -- what callbacks return --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        "pass",
        "if msg:\n    return 1",
        "while msg:\n    return 1",
        "while True:\n    break",
        "for x in msg:\n    return 1",
        "try:\n    return 1\nexcept ValueError:\n    pass",
        "try:\n    x = 1\nfinally:\n    pass",
        "with msg:\n    raise ValueError",
        "match msg:\n    case 1:\n        return 1",
        "try:\n    exit()\nexcept:\n    x = 1",
    ],
)
def test_ends_without_a_return(body: str) -> None:
    more = "def ksr_branch(self, msg):\n    " + body.replace("\n", "\n    ")
    findings = check(script('KSR.tm.t_on_branch("ksr_branch")', more))
    assert [f.text.partition(":")[0] for f in findings if f.code == "callback-return"] == [
        "ksr_branch can end without a return"
    ]


@pytest.mark.parametrize(
    "body",
    [
        "raise ValueError",
        "exit()",
        "import sys\nsys.exit()",
        "if msg:\n    return 1\nelse:\n    exit(1)",
        "while True:\n    for x in msg:\n        break",
        "while True:\n    pass",
        "with msg:\n    return 1",
        "try:\n    return 1\nfinally:\n    x = 1",
        "try:\n    x = 1\nexcept ValueError:\n    raise\nelse:\n    return 1",
        "try:\n    x = 1\nfinally:\n    return 1",
        "match msg:\n    case 1:\n        return 1\n    case _:\n        return 2",
        "self.leave()",
        "return self.one(msg)",
        "return KSR.tm.t_relay()",
        "return True",
        "return msg.x if msg else 1",
    ],
)
def test_always_returns(body: str) -> None:
    more = "def ksr_branch(self, msg):\n    " + body.replace("\n", "\n    ")
    more += "\ndef leave(self):\n    exit()\ndef one(self, msg):\n    return 1\n"
    findings = check(script('KSR.tm.t_on_branch("ksr_branch")', more))
    assert [f for f in findings if f.code == "callback-return"] == []


def test_what_is_no_int() -> None:
    def texts(body: str) -> list[str]:
        more = f"def ksr_branch(self, msg):\n    {body}\ndef log(self, msg):\n    pass\n"
        return [f.text.partition(":")[0] for f in check(script('KSR.tm.t_on_branch("ksr_branch")', more))]

    assert texts("return") == ["ksr_branch returns None"]
    assert texts("return None") == ["ksr_branch returns None"]
    assert texts("return 'x'") == ["ksr_branch returns a str"]
    assert texts("return KSR.info('x')") == ["ksr_branch returns None"]
    assert texts("return self.log(msg)") == ["ksr_branch returns what log returns, which can be None (line 22)"]
    assert texts("return self.other") == []


def test_functions_that_are_no_callbacks_return_what_they_like() -> None:
    assert codes("self.log(msg)", "def log(self, msg):\n    pass\n") == []


def test_child_init() -> None:
    (finding,) = check(script("x = 1").replace("return 0", "pass"))
    assert (finding.severity, finding.code) == ("error", "callback-return")


# -- exits ------------------------------------------------------------------------------------------------------------

RELAY = "def relay(self, msg):\n    if msg:\n        return -255\n    return 1\n"


@pytest.mark.parametrize(
    "code",
    [
        "self.relay(msg)\nKSR.hdr.remove('X')",
        "if msg:\n    self.relay(msg)\nKSR.hdr.remove('X')",
        "for x in msg:\n    self.relay(msg)",
        "self.relay(msg)\nif msg:\n    return 1",
        "self.again(msg)\nKSR.hdr.remove('X')",
    ],
)
def test_a_dropped_exit(code: str) -> None:
    more = RELAY + "def again(self, msg):\n    return self.relay(msg)\n"
    assert codes(code, more) == ["dropped-exit"]


@pytest.mark.parametrize(
    "code",
    [
        "self.relay(msg)",
        "self.relay(msg)\nKSR.info('done')",
        "if self.relay(msg) == -255:\n    return 1\nKSR.hdr.remove('X')",
        "if msg:\n    self.relay(msg)\n    exit()\nKSR.hdr.remove('X')",
        "self.other(msg)\nKSR.hdr.remove('X')",
    ],
)
def test_no_exit_is_dropped(code: str) -> None:
    assert codes(code, RELAY + "def other(self, msg):\n    return 1\n") == []


def test_what_is_never_reached() -> None:
    finding = one("exit()\nKSR.info('x')")
    assert (finding.code, finding.line, finding.text) == ("unreachable", 18, "never reached: line 17 always leaves")
    assert codes("if msg:\n    return 1\nelse:\n    exit()\nKSR.info('x')") == ["unreachable"]
    assert codes("if msg:\n    exit()\n    return 1\nelse:\n    KSR.info('x')") == []
    assert codes("while msg:\n    continue\n    'a comment'") == []
    assert codes("with msg:\n    raise ValueError\nKSR.info('x')") == []


def test_an_exit_that_is_caught() -> None:
    assert codes("try:\n    exit()\nexcept:\n    KSR.info('x')") == ["exit-caught"]
    assert codes("try:\n    self.leave()\nexcept BaseException:\n    pass", "def leave(self):\n    exit()\n") == [
        "exit-caught"
    ]
    assert codes("try:\n    exit()\nexcept Exception:\n    pass") == []
    assert codes("try:\n    exit()\nexcept:\n    raise") == []
    assert codes("try:\n    exit()\nexcept SystemExit:\n    raise\nexcept:\n    pass") == []


# -- truth and comparisons --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "code",
    [
        "if KSR.maxfwd.process_maxfwd(10):\n    pass",
        "if not KSR.siputils.has_totag():\n    pass",
        "while msg and KSR.registrar.lookup('location'):\n    pass",
        "x = 1 if KSR.tm.t_relay() else 2",
        "rc = KSR.registrar.save('location', 0)\nif rc:\n    pass",
    ],
)
def test_truth_values_of_numbers(code: str) -> None:
    finding = one(code)
    assert (finding.severity, finding.code) == ("warning", "truth-value")
    assert finding.text.endswith("(...) > 0")


def test_truth_values_that_are_right() -> None:
    for code in (
        "if KSR.is_INVITE() and not KSR.is_myself_ruri():\n    pass",
        "if KSR.maxfwd.process_maxfwd(10) < 0:\n    pass",
        "if KSR.kx.get_status():\n    pass",
        "if KSR.pv.get('$au'):\n    pass",
        "rc = KSR.tm.t_relay()\nif msg:\n    rc = 0\nif rc:\n    pass",
    ):
        assert codes(code) == [], code


def test_zero_that_means_yes() -> None:
    assert one("if KSR.textopsx.fnmatch('a', 'b'):\n    pass").text.endswith("(...) == 0")


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (
            "KSR.is_INVITE() < 0",
            "KSR.is_INVITE gives True or False: this is always False; write not KSR.is_INVITE(...)",
        ),
        ("KSR.is_INVITE() == -1", "this is always False"),
        ("-1 != KSR.is_INVITE()", "this is always True"),
        ("KSR.tm.t_relay() == False", "this is always False; compare < 0"),
        ("KSR.tm.t_relay() is True", "this is always False; compare > 0"),
        ("KSR.tm.t_relay() != False", "this is always True; compare > 0"),
        ("KSR.pv.get('$sp') == '5060'", "is an int, never equal to a str: this is always False"),
        ("'200' != KSR.pv.get('$rs')", "is an int, never equal to a str: this is always True"),
        ("len('x') == 'x'", "len('x') is an int, never equal to a str"),
    ],
)
def test_comparisons_with_one_answer(code: str, text: str) -> None:
    finding = one(f"x = {code}")
    assert (finding.severity, finding.code) == ("warning", "comparison")
    assert text in finding.text


@pytest.mark.parametrize(
    "code",
    ["KSR.is_INVITE() > 0", "KSR.is_INVITE() == 1", "KSR.is_INVITE() == True", "KSR.tm.t_relay() == True",
     "KSR.tm.t_relay() < 0", "KSR.pv.get('$rs') == 200", "KSR.pv.get('$rU') == '5'", "KSR.pv.get('$var(x)') == '5'",
     "0 < KSR.tm.t_relay() < 3", "KSR.pv.get('$sp') in ('5060', 5060)"],
)  # fmt: skip
def test_comparisons_that_tell_something(code: str) -> None:
    assert codes(f"x = {code}") == []


def test_ordering_numbers_and_text() -> None:
    finding = one("x = KSR.pv.get('$rs') >= '200'")
    assert (finding.severity, finding.code) == ("error", "operand-type")


def test_functions_that_are_not_called() -> None:
    assert one("if KSR.is_INVITE:\n    pass").text == (
        "KSR.is_INVITE is the function itself, always true: call it, KSR.is_INVITE()"
    )
    assert codes("x = KSR.tm.t_relay < 0") == ["not-called"]
    assert codes("f = KSR.info\nif msg is KSR.info:\n    f('x')") == []


# -- text joined with others ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("operand", ["5", "KSR.pv.get('$sp')", "KSR.pv.getw('$Rp')", "None", "len('x')", "2.5"])
def test_text_joined_with_what_is_none(operand: str) -> None:
    finding = one(f"x = 'port ' + {operand}")
    assert (finding.severity, finding.code) == ("error", "operand-type")
    assert codes(f"x = {operand} + ' is the port'") == ["operand-type"]


def test_text_joined_with_what_may_be_null() -> None:
    finding = one("x = 'user ' + KSR.pv.get('$rU')")
    assert (finding.severity, finding.code) == ("warning", "maybe-none")
    assert finding.text.endswith("use KSR.pv.gete()")
    for code in (
        "x = 'user ' + KSR.pv.gete('$rU')",
        "x = 'uri ' + KSR.pv.get('$ru')",
        "if not KSR.pv.is_null('$rU'):\n    x = 'user ' + KSR.pv.get('$rU')",
        "if KSR.pv.get('$rU') is not None:\n    x = 'user ' + KSR.pv.get('$rU')",
        "if KSR.corex.has_ruri_user() > 0:\n    x = 'user ' + KSR.pv.get('$rU')",
        "u = KSR.pv.get('$rU')\nx = 'user ' + u",
        "x = 'a' + 'b' * 3 + str(5) + msg.Method + '%d' % 5",
        "x = 5 + 5",
    ):
        assert codes(code) == [], code
