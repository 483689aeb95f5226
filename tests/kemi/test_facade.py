"""The KSR object: argument checks, records of calls, names that are not there."""

from __future__ import annotations

import inspect
import re
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from ksrcore.kemi import known
from ksrcore.kemi.declare import Decl, KsrArgumentError, KsrError, Module, Param, ParamError, Value, export
from ksrcore.kemi.facade import Env, KsrModule, KsrNotImplemented, KsrUnknown, build

if TYPE_CHECKING:
    from ksrcore.proxy import Proxy


_HALF = 2


class Sample(Module):
    name = "sample"
    limit = Param(3, "a number")
    label = Param("x", "a text")
    table = Param("", "one of many", multi=True)

    @export
    def reply(self, run: Any, code: int, reason: str) -> int:
        """Reply."""
        return code

    @export(name="print")
    def print_(self, run: Any) -> None:
        """A name that Python reserves elsewhere."""

    @export
    def echo(self, run: Any, text: str) -> Value:
        run.seen = text
        return text if text else None

    @export
    def fail(self, run: Any) -> bool:
        raise RuntimeError("no")

    @export(inline=True)
    def count(self, run: Any) -> None:
        self.limit += 1

    @export(inline=True)
    def half(self, run: Any, number: int) -> int:
        """Half of it."""
        run.halved = True
        return number // _HALF


@pytest.fixture
def env() -> Env:
    env = Env()
    env.run = SimpleNamespace(calls=[])  # type: ignore[assignment]
    return env


@pytest.fixture
def ksr(env: Env) -> KsrModule:
    later = [Decl("sample", "later", ("str",), "int"), Decl("", "info", ("str",), "none")]
    return build(env, [sample()], later)


def sample() -> Sample:
    return Sample(cast("Proxy", SimpleNamespace()))


def test_a_call_reaches_the_module_and_is_recorded(env: Env, ksr: KsrModule) -> None:
    assert ksr.sample.reply(404, "Not Found") == 404
    decl, *rest = env.run.calls
    assert (decl.path, rest) == ("KSR.sample.reply", [404, "Not Found", 404])


@pytest.mark.parametrize(
    ("args", "text"),
    [
        (("404", "x"), "KSR.sample.reply(code: int, reason: str) -> int: got ('404', 'x'); did you mean 404?"),
        ((404,), "KSR.sample.reply(code: int, reason: str) -> int: got (404,); it takes 2 arguments"),
        ((1, "x", 3), "KSR.sample.reply(code: int, reason: str) -> int: got (1, 'x', 3); it takes 2 arguments"),
        ((1, 2), "KSR.sample.reply(code: int, reason: str) -> int: got (1, 2); did you mean '2'?"),
        ((1, None), "KSR.sample.reply(code: int, reason: str) -> int: got (1, None); it is null: use KSR.pv.gete() to get '' for a null"),  # noqa: E501
    ],
)  # fmt: skip
def test_wrong_arguments_name_the_function_what_it_expects_and_what_came(
    env: Env, ksr: KsrModule, args: tuple[Any, ...], text: str
) -> None:
    with pytest.raises(KsrArgumentError) as caught:
        ksr.sample.reply(*args)
    assert str(caught.value) == text
    failed, given, error = env.run.calls
    assert (failed.decl.name, given, error) == ("reply", args, caught.value)


def test_a_bool_is_an_int_as_in_kamailio(ksr: KsrModule) -> None:
    assert ksr.sample.reply(True, "x") == 1


def test_text_crosses_as_utf8_bytes(env: Env, ksr: KsrModule) -> None:
    assert ksr.sample.echo("é") == "é"
    assert env.run.seen == "\xc3\xa9"  # type: ignore[attr-defined]
    assert ksr.sample.echo("\udcff") == "\udcff"
    assert env.run.seen == "\xff"  # type: ignore[attr-defined]
    assert ksr.sample.echo("") is None


def test_what_an_implementation_raises_is_recorded_and_raised(env: Env, ksr: KsrModule) -> None:
    with pytest.raises(RuntimeError):
        ksr.sample.fail()
    assert isinstance(env.run.calls[-1], RuntimeError)


def test_what_is_done_in_place_is_as_if_it_were_called(env: Env, ksr: KsrModule) -> None:
    assert (ksr.sample.half(7), sample().half(env.run, 7)) == (3, 3)
    assert env.run.calls[1:] == [7, 3]
    assert ksr.sample.count() is None
    assert ksr.sample.count.__ksr_decl__.path == "KSR.sample.count"
    assert str(inspect.signature(ksr.sample.half)) == "(number: int, /) -> int"
    with pytest.raises(KsrArgumentError, match=r"KSR\.sample\.half\(number: int\) -> int: got \('7',\)"):
        ksr.sample.half("7")


def test_what_returns_before_its_end_is_not_done_in_place(env: Env) -> None:
    class Bad(Module):
        name = "bad"

        @export(inline=True)
        def f(self, run: Any) -> int:
            if run.msg:
                return 1
            return 2

    with pytest.raises(TypeError, match=r"KSR\.bad\.f cannot be inline"):
        build(env, [Bad(cast("Proxy", SimpleNamespace()))], [])


def test_a_known_function_says_that_it_is_not_there(ksr: KsrModule) -> None:
    with pytest.raises(KsrNotImplemented, match=r"KSR\.sample\.later\(text1: str\) -> int: Kamailio has this function"):
        ksr.sample.later("x")


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        # Names that published scripts call and no Kamailio has.
        ("textopsx.remove_hf", "KSR.textops.remove_hf"),
        ("tm.is_method", "KSR.is_method"),
        ("pv.setw", "KSR.pv.sets"),
        ("sl.send_repli", "KSR.sl.send_reply"),
        ("registar.save", "KSR.registrar.save"),
        ("dispatcher.ds_selectdst", "KSR.dispatcher.ds_select_dst"),
    ],
)
def test_unknown_names_name_the_nearest(ksr: KsrModule, name: str, nearest: str) -> None:
    module, _, function = name.partition(".")
    root = build(Env(), [], [*known(), Decl("registar", "x", (), "int")])
    with pytest.raises(KsrUnknown, match=rf"KSR\.{re.escape(name)}: no Kamailio exports .*{re.escape(nearest)}"):
        getattr(getattr(root, module), function)
    assert not hasattr(ksr, "nothing")


def test_a_module_is_no_function(ksr: KsrModule) -> None:
    with pytest.raises(KsrUnknown, match=r"KSR\.xlog is a module, not a function: .* such as KSR\.xlog\.xinfo"):
        build(Env(), [], known()).xlog("text")
    with pytest.raises(KsrUnknown, match=r"KSR is a module"):
        ksr("text")


def test_ksr_cannot_be_assigned(ksr: KsrModule) -> None:
    with pytest.raises(KsrError, match="cannot be assigned"):
        ksr.sample.reply = None


def test_signatures_and_docs_are_for_completion(ksr: KsrModule) -> None:
    assert str(inspect.signature(ksr.sample.reply)) == "(code: int, reason: str, /) -> int"
    assert ksr.sample.reply.__doc__ == "Reply."
    assert str(inspect.signature(ksr.sample.echo)) == "(text: str, /) -> str | int | None"
    assert ksr.sample.print.__name__ == "print"


def test_the_hook_is_asked_first(env: Env, ksr: KsrModule) -> None:
    seen: list[tuple[str, tuple[Any, ...]]] = []
    env.hook = lambda decl, args: seen.append((decl.path, args))
    ksr.sample.reply("anything")
    assert seen == [("KSR.sample.reply", ("anything",))]
    assert env.run.calls == []


def test_the_hook_is_asked_for_what_is_not_there(env: Env, ksr: KsrModule) -> None:
    seen: list[str] = []
    env.hook = lambda decl, args: seen.append(decl.path)
    ksr.sample.later(1, 2)
    assert seen == ["KSR.sample.later"]


def test_a_function_without_parameters_does_not_look_at_what_it_gets(env: Env, ksr: KsrModule) -> None:
    """As Kamailio 5.6 does."""
    assert ksr.sample.print("x", 2) is None
    decl, result = env.run.calls
    assert decl.name == "print" and result is None


def test_parameters_have_their_type() -> None:
    module = sample()
    module.set_param("limit", "7")
    module.set_param("table", "a=>1")
    module.set_param("table", "b=>2")
    assert (module.limit, module.label, module.table) == (7, "x", ["a=>1", "b=>2"])
    with pytest.raises(ParamError, match="modparam sample:limit expects an integer, got 'many'"):
        module.set_param("limit", "many")
    with pytest.raises(ParamError, match="module sample has no parameter 'limits'; it has: label, limit, table"):
        module.set_param("limits", 1)


def test_a_declaration_needs_kemi_types() -> None:
    with pytest.raises(TypeError, match=r"bad\.f: a KEMI function needs annotations"):

        class Bad(Module):
            name = "bad"

            @export
            def f(self, run: Any, x: float) -> int:
                return 1
