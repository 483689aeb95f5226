"""The parity table at the end of pytest's output."""

import pytest

from parity import suite, usage

RESULTS = pytest.StashKey[list[suite.Result]]()


@pytest.fixture(scope="session")
def results(request: pytest.FixtureRequest) -> dict[str, suite.Result]:
    """Every selected case, played once: servers are shared, several pairs run at a time."""
    cases = [
        item.callspec.params["case"]
        for item in request.session.items
        if isinstance(item, pytest.Function) and item.name.startswith("test_as_in_kamailio[") and "parity" in item.nodeid
    ]
    found = suite.run([case for case in cases if isinstance(case, suite.Case)])
    request.config.stash[RESULTS] = found
    return {result.case.name: result for result in found}


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    found = config.stash.get(RESULTS, [])
    if found:
        terminalreporter.section("parity with Kamailio")
        terminalreporter.write_line(suite.table(found))
        terminalreporter.write_line(usage.figures())
