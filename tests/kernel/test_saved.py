"""Outputs as a saved notebook has them, in Chromium, with no kernel and no JupyterLab: with scripts, and without."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.needs import need


@pytest.fixture(scope="module")
def saved(jupyter: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page with the HTML of two cells of a notebook that was run: a ladder, a trace."""
    import nbformat
    from nbclient import NotebookClient

    new: Any = nbformat.v4
    cells = ("%proxy demo", "call = %send INVITE sip:bob@demo.example\ncall", "trace(call.flow.messages[3])")
    book = new.new_notebook(cells=[new.new_code_cell(source) for source in cells])
    NotebookClient(book, kernel_name="ksr", timeout=60).execute()
    parts = [cell.outputs[-1].data["text/html"] for cell in book.cells[1:]]
    # A cell was copied: there are two of it.
    path = tmp_path_factory.mktemp("saved") / "page.html"
    path.write_text("<!doctype html><meta charset=utf-8>" + "".join([*parts, parts[-1]]), encoding="utf-8")
    return path


@pytest.fixture(params=[True, False], ids=["scripts", "no scripts"])
def page(request: pytest.FixtureRequest, saved: Path) -> Iterator[tuple[Any, bool]]:
    need("chromium", "chromium")
    from playwright.sync_api import sync_playwright

    from lab.browser import chromium

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox", "--disable-gpu"])
        context = browser.new_context(java_script_enabled=request.param, offline=True)
        page = context.new_page()
        page.set_default_timeout(20_000)
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        wrong: list[str] = []
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.goto(saved.as_uri())
        yield page, request.param
        assert asked == [saved.as_uri()], "an output asked the network for something"
        assert not wrong
        browser.close()


def test_it_works_without_a_kernel(page: tuple[Any, bool]) -> None:
    from playwright.sync_api import expect

    found, scripts = page
    messages = found.locator(".parts > details")
    if not scripts:
        # All that the scripts would pick from is there, behind lines that open by themselves.
        expect(messages).to_have_count(16)
        messages.nth(1).locator("summary").first.click()
        expect(messages.nth(1).locator("pre.sip")).to_be_visible()
        expect(found.locator("button[data-go]")).to_have_count(0)
        expect(found.locator(".src").first).to_contain_text("def ksr_request_route(self, msg):")
        found.locator("summary", has_text="all steps as a list").first.click()
        expect(found.locator("details[open] pre", has_text="end, result").first).to_be_visible()
        return
    found.locator("svg.ladder .m").nth(2).click()
    expect(found.locator(".parts > details[open] pre.sip")).to_contain_text("ACK sip:bob@demo.example SIP/2.0")
    first, second = found.locator(".scrub").all()
    first.get_by_role("button", name="next KSR call").click()
    expect(first.locator(".said")).to_contain_text("step 3 of")
    expect(second.locator(".said")).to_contain_text("step 0 of")
    # A click on a call goes to it, a click on a line to where it ran.
    second.get_by_role("button", name="last step").click()
    second.locator("ol.calls button").nth(1).click()
    expect(second.locator("ol.calls > li:not([hidden])")).to_have_count(2)
    second.locator(".ln.ran").last.click()
    expect(second.locator(".ln.here")).to_have_count(1)
