"""Every KSR function with every pseudo-variable as its argument, read-only ones included: KsrError, nothing else."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from random import Random

import pytest

from fuzz.seeds import messages
from fuzz.world import CALLS, NUMBERS, TEXTS, World, left_out
from ksrcore.capture.recorder import Record
from ksrcore.kemi.declare import Decl, KsrError
from ksrcore.pv.registry import known
from ksrcore.pv.state import Avps
from ksrcore.run import CORE_ONREPLY_ROUTE, REQUEST_ROUTE, Run
from ksrcore.sip.errors import SipError

VARIABLES = [form.format(name) for name in known() for form in ("${}", "$({}(x))", "$({}(a=>b))", "$({}[-1])")]


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    world = World(CALLS)
    world.planned = True
    logging.disable(logging.CRITICAL)
    for data in messages():
        world.receive(data)
    yield world
    logging.disable(logging.NOTSET)
    world.close()


def routable(world: World) -> list[Record]:
    """What the proxy would give to a script: the topmost Via can be read."""
    found = []
    for record in world.proxy.recorder:
        msg = record.msg
        try:
            if msg is not None and not record.out and msg.error is None and msg.via is not None:
                found.append(record)
        except SipError:
            continue
    return found


def test_functions_raise_nothing_but_ksr_errors(world: World) -> None:
    proxy = world.proxy
    random = Random(1)
    records = routable(world)

    def call(decl: Decl) -> None:
        record = random.choice(records)
        msg = record.fresh(proxy.listens)
        run = Run(proxy, msg, REQUEST_ROUTE if msg.is_request else CORE_ONREPLY_ROUTE, record, Avps())
        proxy.env.run = run
        args: list[str | int] = []
        for kind in decl.params:
            texts = VARIABLES if random.random() < 0.7 else TEXTS
            text = random.choice(texts).encode("utf-8", "surrogateescape").decode("latin-1")
            args.append(text if kind == "str" else random.choice(NUMBERS))
        try:
            getattr(proxy.modules[decl.module], decl.attr)(run, *args)
        except (KsrError, SystemExit):
            pass
        except Exception as error:
            raise AssertionError(f"{decl.path}{(*args,)!r} on message {record.id}") from error

    for module in proxy.modules.values():
        for decl in module.exports.values():
            if not left_out(decl.path.removeprefix("KSR.")):
                for _ in range(12 if decl.params else 1):
                    call(decl)
