"""Targets: datagrams, KSR calls at random and conversations, on proxies that live for some thousand inputs."""

from __future__ import annotations

from pathlib import Path
from random import Random

from fuzz.talk import decode, play
from fuzz.world import CALLS, DEMO, STOCK, World, set_plan


class Streak:
    """A world that lives for some thousand inputs and then has to come to rest."""

    def __init__(self, script: Path, length: int = 2000) -> None:
        self.script = script
        self.length = length
        self.left = 0
        self.world: World | None = None

    def use(self) -> World:
        if self.world is not None and self.left <= 0:
            world, self.world = self.world, None
            try:
                world.settle()
            finally:
                world.close()
        if self.world is None:
            self.world = World(self.script)
            self.left = self.length
        self.left -= 1
        return self.world

    def drop(self) -> None:
        """Forget a world that failed."""
        if self.world is not None:
            self.world.close()
            self.world = None


def _datagram(streak: Streak, data: bytes) -> None:
    random = Random(data)
    world = streak.use()
    try:
        world.refuse = random.random() < 0.01
        world.receive(data, random.choice((5080, 5081)), random.choice(("udp", "udp", "tcp")))
        if random.random() < 0.05:
            world.advance(random.choice((0.1, 0.6, 5.0, 40.0)))
    except BaseException:
        streak.drop()
        raise


DEMO_STREAK = Streak(DEMO)
STOCK_STREAK = Streak(STOCK)
CALLS_STREAK = Streak(CALLS)
TALK_STREAKS = {"demo": Streak(DEMO), "stock": Streak(STOCK), "calls": Streak(CALLS)}


def datagram(data: bytes) -> None:
    """A datagram to the demo script: nothing is caught by a last-resort handler, what is sent parses, nothing stays."""
    _datagram(DEMO_STREAK, data)


def stock(data: bytes) -> None:
    """The same with Kamailio's stock script, where it is installed."""
    if STOCK.exists():
        _datagram(STOCK_STREAK, data)


def calls(data: bytes) -> None:
    """KSR functions with odd arguments in every callback raise nothing but KsrError, whatever the message."""
    streak = CALLS_STREAK
    world = streak.use()
    try:
        set_plan(world, Random(data))
    except BaseException:
        streak.drop()
        raise
    _datagram(streak, data)


def talk(data: bytes) -> None:
    """A conversation (see talk.py) leaves no transaction behind, and nothing else either that a datagram must not."""
    script, steps = decode(data)
    if script == "stock" and not STOCK.exists():
        script = "demo"
    streak = TALK_STREAKS[script]
    world = streak.use()
    try:
        play(world, steps)
        world.settle()
    except BaseException:
        streak.drop()
        raise
