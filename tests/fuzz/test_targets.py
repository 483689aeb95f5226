"""The seed corpus, every input that once failed, and some thousand mutations, through every target."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fuzz.holds import patience
from fuzz.mutate import Mutator
from fuzz.run import main
from fuzz.seeds import found, messages, seeds
from fuzz.talk import decode, encode, generate
from fuzz.targets import TARGETS, finish

#: Mutations in a test run: seconds of it.
COUNTS = {
    "message": 3000,
    "stream": 1000,
    "frames": 1000,
    "capture": 1500,
    "datagram": 2000,
    "stock": 800,
    "calls": 1000,
    "talk": 150,
    "pv": 1500,
    "where": 1500,
    "control": 1500,
}


@pytest.fixture(params=list(TARGETS))
def target(request: pytest.FixtureRequest) -> Iterator[str]:
    name: str = request.param
    try:
        yield name
    finally:
        finish(name)


def test_seeds_and_mutations_hold(target: str) -> None:
    function = TARGETS[target][0]
    start = seeds(target)
    for data in start:
        with patience():
            function(data)
    mutator = Mutator(target, start, 1, generate if target == "talk" else None)
    for _ in range(COUNTS[target]):
        with patience():
            function(mutator.next())


@pytest.mark.parametrize(("target", "name"), [(t, p.name) for t in TARGETS for p in found(t)])
def test_what_once_failed(target: str, name: str) -> None:
    (path,) = [path for path in found(target) if path.name == name]
    with patience():
        TARGETS[target][0](path.read_bytes())
        finish(target)


def test_equal_seeds_give_equal_inputs() -> None:
    one, two, other = (Mutator("message", messages(), seed) for seed in (1, 1, 2))
    first = [one.next() for _ in range(50)]
    assert first == [two.next() for _ in range(50)]
    assert first != [other.next() for _ in range(50)]


def test_a_conversation_survives_its_text() -> None:
    script, steps = decode(text := encode("demo", [("advance", {"by": "1"}, b""), ("datagram", {}, b"x\n\r\n\xff")]))
    assert (script, steps[1][2]) == ("demo", b"x\n\r\n\xff")
    assert encode(script, steps) == text


def test_the_command_counts_and_measures(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--engine", "seeded", "--inputs", "200", "--target", "where"]) == 0
    out = capsys.readouterr().out
    assert "200 inputs, 0 failed, memory level" in out
