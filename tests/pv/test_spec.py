"""ksrcore.pv.spec"""

import pytest

from ksrcore.pv.errors import PvError
from ksrcore.pv.spec import Spec, Transformation, parse_at, parse_spec


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        ("$ru", Spec("ru")),
        ("$(ru)", Spec("ru")),
        ("$$", Spec("$")),
        ("$?", Spec("?")),
        ("$err.class", Spec("err.class")),
        ("$hdr(X)", Spec("hdr", "X")),
        ("$avp(s:x)", Spec("avp", "s:x")),
        ("$avp(i:3)", Spec("avp", "i:3")),
        ("$xavp(a[0]=>b[1])", Spec("xavp", "a[0]=>b[1]")),
        ("$sht(ipban=>$si)", Spec("sht", "ipban=>$si")),
        ("$sht(a=>$var(x))", Spec("sht", "a=>$var(x)")),
        ("$_s(a$(ru{s.len})b)", Spec("_s", "a$(ru{s.len})b")),
        ("$(hdr(X)[-1])", Spec("hdr", "X", "-1")),
        ("$(hdr(X)[*]{s.len})", Spec("hdr", "X", "*", (Transformation("s.len"),))),
        ("$(hdr(X)[$var(i)])", Spec("hdr", "X", "$var(i)")),
        ("$(ru{s.len})", Spec("ru", None, None, (Transformation("s.len"),))),
        ("$(ru {s.len } )", Spec("ru", None, None, (Transformation("s.len"),))),
        (
            "$(ru{s.select,1,,}{s.replace,a,})",
            Spec("ru", None, None, (Transformation("s.select", "1,,"), Transformation("s.replace", "a,"))),
        ),
        (
            "$(var(x){param.value,$(var(x){param.name,1})})",
            Spec("var", "x", None, (Transformation("param.value", "$(var(x){param.name,1})"),)),
        ),
        ("$(ru{re.subst,/a{2}/b/})", Spec("ru", None, None, (Transformation("re.subst", "/a{2}/b/"),))),
    ],
)
def test_parse(text: str, spec: Spec) -> None:
    assert parse_spec(text) == spec


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected a pseudo-variable such as $ru or $(ru{s.len}) at offset 0"),
        ("ru", "ru: expected a pseudo-variable such as $ru or $(ru{s.len}) at offset 0"),
        ("$", "$: expected a name after '$' at offset 1"),
        ("$-", "$-: expected the name of a pseudo-variable, got '-' at offset 1"),
        ("$ru ", "$ru : unexpected ' ' after the pseudo-variable at offset 3"),
        ("$var(x", "$var(x: expected ')' to close '(' at offset 4"),
        ("$(ru", "$(ru: expected ')' at the end of the pseudo-variable at offset 4"),
        ("$(ru{s.len)", "$(ru{s.len): expected '}' to close '{' at offset 4"),
        ("$(ru{s})", "$(ru{s}): expected a transformation {class.operation}, got '{s}' at offset 4"),
        ("$(ru{ s.len})", "expected a transformation {class.operation}, got '{ s.len}' at offset 4"),
        ("$(ru/)", "$(ru/): expected '{', '[' or ')', got '/' at offset 4"),
        ("$(hdr(X)[])", "expected an index between '[' and ']' at offset 8"),
        ("$( ru)", "expected the name of a pseudo-variable, got ' ' at offset 2"),
    ],
)
def test_errors_name_what_came_and_where(text: str, message: str) -> None:
    with pytest.raises(PvError) as error:
        parse_spec(text)
    assert message in str(error.value)


@pytest.mark.parametrize("text", ["$ru", "$hdr(X)", "$(hdr(X)[1]{s.select,0,,}{s.len})", "$(ru{s.len})"])
def test_str_is_the_text(text: str) -> None:
    assert str(parse_spec(text)) == text


def test_parse_at_tells_where_it_ended() -> None:
    assert parse_at("to $ru, now", 3) == (Spec("ru"), 6)
    assert parse_at("$hdr(From)[0]", 0) == (Spec("hdr", "From"), 10)
