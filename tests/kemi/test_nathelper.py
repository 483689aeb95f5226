"""KSR.nathelper: every call as recorded from Kamailio 5.6.3, and what is another on purpose."""

from __future__ import annotations

import pytest

from lab.observed import Case, check, load

LAST = "Kamailio cannot read an alias that is the last parameter in this mode"
DAMAGED = "Kamailio leaves a changed Request-URI behind when it fails"
FAMILY = "Kamailio puts an IPv4 address behind IP6 and fails half way"
TWICE = "Kamailio writes both addresses one after the other"
DIFFERS: dict[str, dict[str, str]] = {
    "hra handle_ruri_alias_mode(1) alias": {
        "KSR.nathelper.handle_ruri_alias_mode(1)": LAST,
        "KSR.pv.get('$ru')": LAST,
        "KSR.pv.get('$du')": LAST,
    },
    "hra handle_ruri_alias_mode(1) tcp": {
        "KSR.nathelper.handle_ruri_alias_mode(1)": LAST,
        "KSR.pv.get('$ru')": LAST,
        "KSR.pv.get('$du')": LAST,
    },
    "hra handle_ruri_alias_mode(1) tls": {
        "KSR.nathelper.handle_ruri_alias_mode(1)": LAST,
        "KSR.pv.get('$ru')": LAST,
        "KSR.pv.get('$du')": LAST,
    },
    "hra handle_ruri_alias_mode(1) sctp": {
        "KSR.nathelper.handle_ruri_alias_mode(1)": LAST,
        "KSR.pv.get('$ru')": LAST,
        "KSR.pv.get('$du')": LAST,
    },
    "hra handle_ruri_alias_mode(1) ws": {
        "KSR.nathelper.handle_ruri_alias_mode(1)": LAST,
        "KSR.pv.get('$ru')": LAST,
        "KSR.pv.get('$du')": LAST,
    },
    "hra handle_ruri_alias_mode(1) wss": {
        "KSR.nathelper.handle_ruri_alias_mode(1)": LAST,
        "KSR.pv.get('$ru')": LAST,
        "KSR.pv.get('$du')": LAST,
    },
    "hra handle_ruri_alias_mode(1) v6": {
        "KSR.nathelper.handle_ruri_alias_mode(1)": LAST,
        "KSR.pv.get('$ru')": LAST,
        "KSR.pv.get('$du')": LAST,
    },
    "hra handle_ruri_alias_mode(1) two": {
        "KSR.nathelper.handle_ruri_alias_mode(1)": LAST,
        "KSR.pv.get('$ru')": LAST,
        "KSR.pv.get('$du')": LAST,
    },
    "hra handle_ruri_alias() 7": {"KSR.pv.get('$ru')": DAMAGED},
    "hra handle_ruri_alias_mode(0) 7": {"KSR.pv.get('$ru')": DAMAGED},
    "hra handle_ruri_alias_mode(1) 7": {"KSR.pv.get('$ru')": DAMAGED},
    "hra handle_ruri_alias() noproto": {"KSR.pv.get('$ru')": DAMAGED},
    "hra handle_ruri_alias_mode(0) noproto": {"KSR.pv.get('$ru')": DAMAGED},
    "fns ip bad": {"KSR.nathelper.fix_nated_sdp_ip(10,'x')": "x is no address", "sent": "x is no address"},
    "fns lf": {"sent": "Kamailio adds no a=direction to a body with bare line feeds"},
    "fns v6": {"KSR.nathelper.fix_nated_sdp(10)": FAMILY, "sent": FAMILY},
    "fns twice": {"KSR.nathelper.fix_nated_sdp(10)": TWICE, "sent": TWICE},
}


@pytest.mark.parametrize("case", load("nathelper"), ids=lambda case: str(case["name"]))
def test_as_in_kamailio(case: Case) -> None:
    check(case, DIFFERS)
