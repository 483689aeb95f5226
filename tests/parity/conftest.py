"""The parity table at the end of pytest's output."""

import pytest

from parity import suite, usage
from parity.casefile import Case

RESULTS = pytest.StashKey[list[suite.Result]]()


@pytest.fixture(scope="session")
def results(request: pytest.FixtureRequest) -> dict[str, suite.Result]:
    """Every selected case, played once: servers are shared, several pairs run at a time."""
    callspecs = [getattr(item, "callspec", None) for item in request.session.items if "parity" in item.nodeid]
    cases = [callspec.params.get("case") for callspec in callspecs if callspec is not None]
    found = suite.run([case for case in cases if isinstance(case, Case)])
    request.config.stash[RESULTS] = found
    return {result.case.name: result for result in found}


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    found = config.stash.get(RESULTS, [])
    if found:
        terminalreporter.section("parity with Kamailio")
        terminalreporter.write_line(suite.table(found))
        terminalreporter.write_line(usage.figures())
