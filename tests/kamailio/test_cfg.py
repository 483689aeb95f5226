"""Reading a kamailio.cfg. What each text means was seen from ``kamailio -c`` 5.6.3."""

from __future__ import annotations

from pathlib import Path

import pytest

from ksrcore.kamailio.cfg import CfgError, Config, Socket, read
from lab.needs import STOCK_CONFIG, need_file


def config(folder: Path, text: str, *defines: str, environ: dict[str, str] | None = None) -> Config:
    path = folder / "kamailio.cfg"
    path.write_text(f"#!KAMAILIO\n{text}\n")
    return read(path, defines, environ=environ)


def listens(folder: Path, text: str, *defines: str) -> list[Socket]:
    return config(folder, text, *defines).listens


# -- the whole --------------------------------------------------------------------------------------------------------


def test_debians_default() -> None:
    path = need_file(Path("/etc/kamailio/kamailio.cfg"), "kamailio")
    found = read(path, ["WITH_MYSQL", "WITH_AUTH", "WITH_NAT", "WITH_JSONRPC"])
    assert found.engine == "native" and str(found.routes[0]) == "request_route"
    assert "event_route[xhttp:request]" in {str(route) for route in found.routes}
    assert found.loads("xhttp") and found.loads("rtpproxy") and not found.loads("permissions")
    assert found.param("auth_db", "db_url") == "mysql://kamailio:kamailiorw@localhost/kamailio"
    assert found.param("jsonrpcs", "transport") == 7
    assert found.param("nathelper", "received_avp") == found.param("registrar", "received_avp") == "$avp(RECEIVED)"
    assert str(found.param("acc", "log_extra")).startswith("src_user=$fU;src_domain=$fd;src_ip=$si;dst_ouser=$tU")
    assert found.children == 8 and found.setting("log_facility") == "LOG_LOCAL0"
    plain = read(path)
    assert not plain.loads("auth_db") and len(plain.modules) < len(found.modules)


@pytest.mark.parametrize(("define", "engine"), [("WITH_CFGPYTHON3", "python"), ("WITH_CFGLUA", "lua")])
def test_the_stock_kemi_example(define: str, engine: str) -> None:
    found = read(need_file(STOCK_CONFIG, "kamailio"), [define])
    assert found.engine == engine
    assert found.routes == []
    if engine == "python":
        assert found.python_module == "app_python3"
        assert found.script == "/usr/local/etc/kamailio/kamailio-basic-kemi-python.py"
        assert "MOD_app_python3" in found.defines
    else:
        assert found.script == "" and found.python_module == ""


# -- preprocessor -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "port"),
    [
        ("#!define A 5098\nlisten=udp:127.0.0.1:A", 5098),
        ("!!define A 5098\nlisten=udp:127.0.0.1:A", 5098),
        ("#!define B 5098\n#!define A B\nlisten=udp:127.0.0.1:A", 5098),
        ("#!define A 50\\\n98\nlisten=udp:127.0.0.1:A", 5098),
        ("#!define A 5098 # why\nlisten=udp:127.0.0.1:A", 5098),
        ("#!trydef A 1\n#!trydef A 2\nlisten=udp:127.0.0.1:A", 1),
        ("#!define A 1\n#!redefine A 2\nlisten=udp:127.0.0.1:A", 2),
        ("#!substdef '!A!5098!g'\nlisten=udp:127.0.0.1:A", 5098),
        ("#!define A udp:127.0.0.1:5098\nlisten=A", 5098),
        ("port=5066 #!define A 1\nlisten=udp:127.0.0.1:A", 1),
        ("#!ifdef NO\nlisten=udp:127.0.0.1:1\n#!else\nlisten=udp:127.0.0.1:2\n#!endif", 2),
        ("#!ifndef NO\nlisten=udp:127.0.0.1:1\n#!else\nlisten=udp:127.0.0.1:2\n#!endif", 1),
        ("#!ifdef NO\n#!ifdef X\n#!endif\nlisten=udp:127.0.0.1:1\n#!endif\nlisten=udp:127.0.0.1:3", 3),
        ("#!ifdef KAMAILIO_5_6\nlisten=udp:127.0.0.1:1\n#!endif", 1),
        ('loadmodule "sl.so"\n#!ifdef MOD_sl\nlisten=udp:127.0.0.1:1\n#!endif', 1),
        ("/* #!ifdef NO */\nlisten=udp:127.0.0.1:1 // a\n# b", 1),
        ("#!defenv A\nlisten=udp:127.0.0.1:A", 4711),
        ("#!defenv B=A\nlisten=udp:127.0.0.1:B", 4711),
        ("#!trydefenv X=NOT\n#!ifndef X\nlisten=udp:127.0.0.1:1\n#!endif", 1),
        ("#!define E\nlisten=udp:127.0.0.1:5098 E", 5098),
    ],
)
def test_preprocessor(tmp_path: Path, text: str, port: int) -> None:
    (found,) = config(tmp_path, text, environ={"A": "4711"}).listens
    assert found.port == port


def test_defines_on_the_command_line(tmp_path: Path) -> None:
    text = "#!ifdef WITH\nlisten=udp:HOST:5060\n#!endif"
    assert listens(tmp_path, text, "WITH", "HOST=10.0.0.1") == [Socket("udp", "10.0.0.1", 5060)]
    assert listens(tmp_path, text) == []
    with pytest.raises(ValueError, match="-A expects NAME"):
        config(tmp_path, "", "=x")


@pytest.mark.parametrize(
    ("subst", "text", "name"),
    [
        ('"/a+/x/g"', "aabaa", "xbx"),
        ('"/a+/x/"', "aabaa", "xbaa"),
        ('"!(A)+!x\\1y!gi"', "aabaa", "xaybxay"),
    ],
)
def test_subst_works_inside_strings(tmp_path: Path, subst: str, text: str, name: str) -> None:
    assert listens(tmp_path, f'#!subst {subst}\nlisten=udp:127.0.0.1:5098 name "{text}"')[0].name == name


def test_substdefs_is_a_string(tmp_path: Path) -> None:
    assert listens(tmp_path, '#!substdefs "!NM!foo!g"\nlisten=udp:127.0.0.1:5098 name NM')[0].name == "foo"


def test_includes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "one.cfg").write_text('include_file "two.cfg"\n')
    (tmp_path / "sub" / "two.cfg").write_text("debug=3\n")
    (tmp_path / "two.cfg").write_text("debug=4\n")
    monkeypatch.chdir("/")
    found = config(tmp_path, 'include_file "sub/one.cfg"\nimport_file "not-there.cfg"\nchildren=3')
    assert (found.setting("debug"), found.children, len(found.files)) == (3, 3, 3)
    # The working folder goes before the folder of the file that includes.
    monkeypatch.chdir(tmp_path)
    assert config(tmp_path, 'include_file "sub/one.cfg"').setting("debug") == 4


# -- values -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('"a" "b"', "ab"),
        ('"a"\n\t"b"', "ab"),
        ("'a\\n'", "a\\n"),
        (r'"a\(b\tc\x41\101\""', 'a\\(b\tcAA"'),
        ("0x1f", 31),
        ("0660", 0o660),
        ("-5", -5),
        ("yes", 1),
        ("off", 0),
        ("IPTOS_LOWDELAY", "IPTOS_LOWDELAY"),
        ("10.0.0.1", "10.0.0.1"),
        ('"//no comment # either"', "//no comment # either"),
    ],
)
def test_values(tmp_path: Path, text: str, value: int | str) -> None:
    assert config(tmp_path, f"x={text};\nchildren=4").settings["x"].value == value
    assert config(tmp_path, f'loadmodule "tm"\nmodparam("tm", "x", {text})').param("tm", "x") == value


def test_sockets(tmp_path: Path) -> None:
    text = """
    listen=udp:10.0.0.1:5062 advertise 1.2.3.4:5060 name "out"
    listen = tcp : 10.0.0.1
    listen=10.0.0.2:5070
    listen=udp:[::1]:5080 tls:eth0:5061
    listen=udp:(10.0.0.3, 10.0.0.4):5090 virtual
    listen=my-host.example.com
    socket = { bind = udp:10.0.0.9:5060; advertise = 9.9.9.9:5060; name = "s"; }
    """
    assert listens(tmp_path, text) == [
        Socket("udp", "10.0.0.1", 5062, "1.2.3.4:5060", "out"),
        Socket("tcp", "10.0.0.1", 0),
        Socket("", "10.0.0.2", 5070),
        Socket("udp", "::1", 5080),
        Socket("tls", "eth0", 5061),
        Socket("udp", "10.0.0.3", 5090, virtual=True),
        Socket("udp", "10.0.0.4", 5090, virtual=True),
        Socket("", "my-host.example.com", 0),
        Socket("udp", "10.0.0.9", 5060, "9.9.9.9:5060", "s"),
    ]


def test_the_rest(tmp_path: Path) -> None:
    text = """
    alias=a.b c.d "e.f":5099 tcp:h.i:4444
    group.name = "x" desc "what it is"
    flags ONE:1, TWO:2
    user="kamailio" fork=no;
    mpath="/usr/lib/"
    loadmodule "/opt/modules/xlog.so"
    loadmodule "app_python3s.so"
    modparam("app_python3s", "load", "/etc/kamailio/r.py")
    cfgengine "python"
    route[ONE] { xlog("}"); $var(x) = $(ru{s.len}); $xavp(a[#]) = '{'; # }
    }
    failure_route[X]{}
    """
    found = config(tmp_path, text)
    assert found.aliases == ["a.b", "c.d", "e.f:5099", "tcp:h.i:4444"]
    assert found.setting("group.name") == "x"
    assert (found.user, found.fork, found.mpath) == ("kamailio", False, "/usr/lib/")
    assert [load.name for load in found.modules] == ["xlog", "app_python3s"]
    assert (found.engine, found.script, found.python_module) == ("python", "/etc/kamailio/r.py", "app_python3s")
    assert [str(route) for route in found.routes] == ["route[ONE]", "failure_route[X]"]


# -- errors -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("#!define A 1\n#!define A 1", 3, "A is defined already"),
        ("#!ifdef A", 2, "no #!endif"),
        ("x=1\n#!endif", 3, "#!endif without"),
        ('x="a', 2, "no end"),
        ("x='a", 2, "no end"),
        ("/* x", 2, "no end"),
        ('include_file "nope.cfg"', 2, "is not there"),
        ('x=1\nmodparam("nomod", "x", 1)', 3, "no such module is loaded"),
        ('loadmodule "tm"\nmodparam("tm", "x" 1)', 3, "expects ','"),
        ("listen=\nx=1", 3, "listen expects an address"),
        ("listen=udp:10.0.0.1:99999", 2, "expected an address"),
        ("route[X] { if (1) {", 2, "no closing"),
        ("children 3", 2, "expected '='"),
        ("= 3", 2, "expected a setting"),
        ("x=;", 2, "expected a string, a number"),
        ("#!ifexp 1 > 2\n#!endif", 2, "#!ifexp"),
        ("#!define A A\nx=A", 3, "contains itself"),
        ("#!subst '/(/x/'", 2, "no regular expression"),
        ("#!subst abc", 2, "#!subst expects"),
        ("#!defenv NOT_THERE_AT_ALL", 2, "has no variable"),
        ("!!nonsense", 2, "unknown directive"),
        ("cfgengine python", 2, "expects a string in quotes"),
        ("x=08", 2, "is no number"),
    ],
)
def test_errors_name_file_and_line(tmp_path: Path, text: str, line: int, what: str) -> None:
    with pytest.raises(CfgError, match=what.replace("(", r"\(")) as caught:
        config(tmp_path, text)
    assert str(caught.value).startswith(f"{tmp_path}/kamailio.cfg:{line}: ")


def test_files_that_include_themselves(tmp_path: Path) -> None:
    with pytest.raises(CfgError, match="files include one another"):
        config(tmp_path, f'include_file "{tmp_path}/kamailio.cfg"')


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(CfgError, match="No such file"):
        read(tmp_path / "x.cfg")


def test_a_setting_that_is_no_number(tmp_path: Path) -> None:
    with pytest.raises(CfgError, match="children expects a number"):
        _ = config(tmp_path, 'children="x"').children
