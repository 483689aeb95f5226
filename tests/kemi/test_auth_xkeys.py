"""KSR.auth_xkeys: as recorded from Kamailio 5.6.3."""

from __future__ import annotations

from typing import Any

import pytest

from ksrcore.kemi.declare import ParamError
from lab.sequence import Bench, check, load


@pytest.mark.parametrize("scenario", load("auth_xkeys"), ids=lambda scenario: str(scenario["name"]))
def test_as_in_kamailio(scenario: dict[str, Any]) -> None:
    check(scenario)


@pytest.mark.parametrize("text", ["id=a;name=b", "id=a;value=c", "name=b;value=c", "id=a;name=b;value=c;zz=1"])
def test_keys_that_cannot_be(text: str) -> None:
    with pytest.raises(ParamError, match="auth_xkeys:xkey expects"):
        Bench([f"auth_xkeys:xkey={text}"])
