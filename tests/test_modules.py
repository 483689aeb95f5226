"""Modules by name and by typed attribute."""

from __future__ import annotations

import pytest

from ksrcore.assemble import make_proxy
from ksrcore.kemi import MODULES
from ksrcore.modules import Modules
from ksrcore.net.address import Listen


def test_typed_attributes_are_the_modules_of_their_names() -> None:
    proxy, _ = make_proxy(transmit=lambda data, dest: True, listens=[Listen("udp", "127.0.0.1", 5060)])
    kinds = {module.name: module.__name__ for module in MODULES}
    for name, kind in Modules.__annotations__.items():
        assert getattr(proxy.modules, name) is proxy.modules[name]
        assert kinds[name] == kind, "annotated with its class"


def test_what_was_not_put_in_is_not_there() -> None:
    modules = Modules()
    with pytest.raises(AttributeError):
        modules.tm  # noqa: B018
    with pytest.raises(KeyError):
        modules["tm"]
