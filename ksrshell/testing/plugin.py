"""The pytest plugin: the fixture ``ksr``, its marker, its options, and what a failed test prints (docs/testing.md).

pytest imports this file in every run on a machine that has ksrshell: the proxy is imported when a test asks for it.
"""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from .ksr import Ksr

__all__ = ["ksr"]

_MARKER = (
    "ksr(path, modparams=[...], aliases=[...], listen=[...], defines=..., now=..., allow_exceptions=False): "
    "the KEMI script that the fixture ksr loads, and what its proxy is made of"
)


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("ksr", "tests of KEMI scripts (ksrshell)")
    group.addoption("--ksr-update", action="store_true", help="write the snapshots of ksr.snapshot anew")
    group.addoption(
        "--ksr-trace", action="store_true", help="keep what the script did for tests that pass too: show it with -rP"
    )
    parser.addini("ksr_script", "the KEMI script that the fixture ksr loads, from pytest's root directory", default="")
    parser.addini("ksr_modparams", "module parameters, MODULE:NAME=VALUE, one a line", type="linelist")
    parser.addini("ksr_aliases", "domains that are the proxy's own, one a line", type="linelist")
    parser.addini("ksr_listen", "listen sockets, PROTO:ADDRESS:PORT, one a line", type="linelist")
    parser.addini("ksr_defines", "what #!define would, NAME or NAME=VALUE, one a line", type="linelist")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", _MARKER)


@pytest.fixture
def ksr(request: pytest.FixtureRequest) -> Generator[Ksr, None, None]:
    """A SIP proxy on a KEMI script, without sockets, clock or database file: docs/testing.md of ksrshell."""
    from .errors import TestingError

    problem = ""
    try:
        made = _make(request)
    except TestingError as error:
        problem = str(error)
    if problem:
        # One line of what to do; the traceback would be ours.
        pytest.fail(problem, pytrace=False)
    try:
        yield made
    finally:
        made.close()


def _make(request: pytest.FixtureRequest) -> Ksr:
    from .errors import UsageError
    from .ksr import Ksr
    from .options import Options
    from .snapshots import Snapshots

    config, node = request.config, request.node
    options = Options()
    ini = {name: config.getini(f"ksr_{name}") for name in ("modparams", "aliases", "listen", "defines")}
    options = options.with_({name: value for name, value in ini.items() if value}, "the ini file")
    script: str | Path = config.getini("ksr_script")
    if script:
        script = config.rootpath / script
    markers = list(node.iter_markers("ksr"))
    # The nearest marker has the last word: the function's before the class's before the module's.
    for marker in reversed(markers):
        if len(marker.args) > 1 or (marker.args and not isinstance(marker.args[0], str | Path)):
            raise UsageError(f'@pytest.mark.ksr takes the path of one script: @pytest.mark.ksr("router.py"), '
                             f"got {', '.join(map(repr, marker.args))}")  # fmt: skip
        if marker.args:
            script = marker.args[0]
        options = options.with_(marker.kwargs, "@pytest.mark.ksr")
    if markers and not script:
        raise UsageError(
            '@pytest.mark.ksr needs the path of a script: @pytest.mark.ksr("router.py"), '
            "or ksr_script = router.py in the ini file"
        )
    test = Path(request.path)
    name = node.nodeid.partition("::")[2].replace("::", ".")
    snapshots = Snapshots(test.parent / "__ksr__" / test.stem, name, config.getoption("--ksr-update"))
    made = Ksr((test.parent, config.rootpath), options, snapshots)
    if script:
        made.load(script)
    return made


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, Any]:
    report: pytest.TestReport = yield
    used = getattr(item, "funcargs", {}).get("ksr")
    if used is None or report.when != "call" or (report.passed and not item.config.getoption("--ksr-trace")):
        return report
    from .ksr import Ksr

    if isinstance(used, Ksr):
        text = used.report()
        if text:
            report.sections.append(("What the KEMI script did", text))
        # pytest shortens what an assertion says to eight lines.
        difference = used.snapshot.explanation
        if difference and report.failed:
            report.sections.append(("What differs from the snapshot", "\n".join(difference)))
    return report


def pytest_assertrepr_compare(op: str, left: object, right: object) -> list[str] | None:
    import sys

    if "ksrshell.testing.ksr" not in sys.modules:
        return None
    from .explain import explain

    return explain(op, left, right)
