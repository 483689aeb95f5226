"""Whatever is written and whatever comes, pseudo-variables raise PvError and nothing else."""

from hypothesis import given, settings
from hypothesis import strategies as st

from ksrcore.kemi.pv import Pv
from ksrcore.net.address import Listen
from ksrcore.proxy import Proxy
from ksrcore.pv.accessor import compile_spec
from ksrcore.pv.errors import PvError
from ksrcore.pv.format import compile_format
from ksrcore.pv.registry import known as known_variables
from ksrcore.pv.spec import parse_spec
from ksrcore.pv.transformations import compile_chain, known
from ksrcore.run import Run


def _run() -> Run:
    proxy = Proxy(transmit=lambda data, dest: True, listens=[Listen("udp", "127.0.0.1", 5060)])
    pv = proxy.modules["pv"] = Pv(proxy)
    pv.vars.update(x="x", n=-3)
    return proxy.fake_run()


RUN = _run()
LATIN1 = st.text(st.characters(max_codepoint=255), max_size=60)
PARTS = st.sampled_from(["$", "(", ")", "[", "]", "{", "}", "=>", ",", ".", "var", "x", "s.", "len", "0", "*", "avp"])
VALUES = st.one_of(
    st.none(),
    st.integers(-(2**63), 2**63 - 1),
    LATIN1,
    st.sampled_from(["sip:a@b:5;c=d?e", '"A" <sip:a@b>;tag=1', "a=1;b='2'", "1~2~3", "a\r\nb", "udp:[::1]:5"]),
    st.just("9" * 5000),
)
PARAMS = st.one_of(
    st.none(),
    LATIN1,
    st.sampled_from(["", "1", "-1,0", "$var(n)", "$var(x)", "1,,", "a,b", "/a*(b)/\\1/g", "%Y-%m", ",;", "a,&"]),
    st.just("9" * 5000),
)


@settings(max_examples=500, deadline=None, derandomize=True)
@given(st.one_of(LATIN1, st.lists(PARTS, max_size=12).map("".join)))
def test_names_and_formats(text: str) -> None:
    for compiler in (parse_spec, compile_spec, compile_format):
        try:
            compiler(text)
        except PvError:
            pass


@settings(max_examples=500, deadline=None, derandomize=True)
@given(st.sampled_from(sorted(known_variables())), LATIN1, LATIN1)
def test_inner_names(name: str, inner: str, index: str) -> None:
    try:
        compile_spec(f"$({name}({inner})[{index}])")
    except PvError:
        pass


@settings(max_examples=2000, deadline=None, derandomize=True)
@given(st.sampled_from(known()), PARAMS, VALUES)
def test_transformations(name: str, params: str | None, value: str | int | None) -> None:
    text = name if params is None else f"{name},{params}"
    try:
        steps = compile_chain(parse_spec(f"$(x{{{text}}})").transformations)
    except PvError:
        return
    for step in steps:
        result = step(RUN, value)
        assert result is None or type(result) in (str, int)
        if isinstance(result, str):
            result.encode("latin-1")
        value = result
