"""Targets: pseudo-variables, formats and filters, on a proxy that has received the corpus."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from random import Random

from fuzz.holds import check
from fuzz.seeds import messages
from fuzz.world import World
from ksrcore.capture.where import WhereError, compile_where
from ksrcore.pv.accessor import compile_spec
from ksrcore.pv.errors import PvError
from ksrcore.pv.format import compile_format
from ksrcore.pv.state import Avps
from ksrcore.run import CORE_ONREPLY_ROUTE, REQUEST_ROUTE, Run


class _Sample:
    """A proxy without script that has received the corpus, and fresh runs on its messages."""

    def __init__(self) -> None:
        self.world = World(records=1000)
        for data in messages():
            self.world.receive(data)
        self.records = [record for record in self.world.proxy.recorder if not record.out and record.msg is not None]

    def close(self) -> None:
        self.world.close()

    def runs(self, count: int, random: Random) -> Iterator[Run]:
        proxy = self.world.proxy
        for record in random.sample(self.records, count):
            msg = record.fresh(proxy.listens)
            yield Run(proxy, msg, REQUEST_ROUTE if msg.is_request else CORE_ONREPLY_ROUTE, record, Avps())


@cache
def sample_proxy() -> _Sample:
    return _Sample()


def where(data: bytes) -> None:
    """A filter is refused with WhereError, or answers True or False for every record; warnings count as errors."""
    sample = sample_proxy()
    try:
        matches = compile_where(data.decode("latin-1"))
    except WhereError:
        return
    for record in Random(len(data)).sample(list(sample.world.proxy.recorder), 6):
        check(isinstance(matches(record, sample.world.proxy), bool), "a filter says yes or no")


def pv(data: bytes) -> None:
    """A pseudo-variable or format is refused with PvError, or reads as str, int or null, and writes or says PvError."""
    sample = sample_proxy()
    text = data.decode("latin-1")
    random = Random(len(data))
    runs = list(sample.runs(4, random))
    try:
        form = compile_format(text)
    except PvError:
        form = None
    try:
        accessor = compile_spec(text)
    except PvError:
        accessor = None
    for run in runs:
        if form is not None:
            try:
                check(isinstance(form(run), str), "a format gives text", text)
            except PvError:
                pass
        if accessor is not None:
            for value in (None, "x", "", 7, -1, "sip:a@b:99999;x", "a@b"):
                try:
                    accessor.set(run, value)
                except PvError:
                    pass
                try:
                    got = accessor.get(run)
                except PvError:
                    continue
                check(got is None or type(got) in (str, int), "a value is str, int or null", text, got)
