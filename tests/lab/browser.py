"""The tour of jupyterlab.py in JupyterLab, looked at and clicked as a user would.

``make pictures`` also saves the pictures of the documentation there.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, expect, sync_playwright

from lab.jupyterlab import CELLS, jupyterlab

#: Milliseconds that anything may take: the machine may be busy.
PATIENCE = 90_000
#: What the documentation shows, in the light theme and the dark one.
PICTURES = {"": ("notebook", "ladder", "trace", "effects", "latency"), "-dark": ("trace",)}


def chromium() -> str | None:
    """The system's Chromium; None when there is none."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@contextmanager
def opened(folder: Path, book: Path | None = None, *, dark: bool = False) -> Iterator[Page]:
    """A notebook (default: the tour), opened, all its cells told to run."""
    with jupyterlab(folder, book, dark=dark) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox", "--disable-gpu"])
        try:
            context = browser.new_context(
                viewport={"width": 1280, "height": 1400}, color_scheme="dark" if dark else "light"
            )
            page = context.new_page()
            page.set_default_timeout(PATIENCE)
            page.goto(address)
            page.locator(".jp-Notebook").wait_for()
            page.locator("#jp-main-statusbar", has_text="| Idle").wait_for()
            page.keyboard.press("Control+b")  # the file browser, which is of no interest here
            page.locator("li.lm-MenuBar-item", has_text="Run").click()
            page.locator("li.lm-Menu-item", has_text="Run All Cells").first.click()
            yield page
        finally:
            browser.close()


@contextmanager
def tour(folder: Path, *, dark: bool = False) -> Iterator[Page]:
    """The tour, run to its end."""
    with opened(folder, dark=dark) as page:
        last = page.locator(".jp-CodeCell").nth(len(CELLS) - 1)
        expect(last.locator(".jp-InputPrompt")).to_have_text(f"[{len(CELLS)}]:", timeout=PATIENCE)
        yield page


def first_tutorial(page: Page) -> dict[str, int]:
    """The course's first notebook as a newcomer has it on the screen: the ladder and the run, both clicked."""
    call = page.locator(".jp-CodeCell", has_text="%send INVITE sip:bob@example.com").first
    call.scroll_into_view_if_needed()
    arrows = call.locator("svg.ladder .m")
    arrows.first.wait_for(timeout=PATIENCE)
    arrows.nth(1).click()
    expect(call.locator(".parts > details[open] pre.sip")).to_have_count(1)
    run = page.locator(".jp-CodeCell", has_text="trace(invite)").first
    run.scroll_into_view_if_needed()
    said = run.locator(".said")
    expect(said).to_contain_text("step 0 of", timeout=PATIENCE)
    run.get_by_role("button", name="next KSR call").click()
    expect(said).not_to_contain_text("step 0 of")
    run.get_by_role("button", name="last step").click()
    expect(run.locator(".scrub").get_by_text("the run has ended").first).to_be_visible()
    return {"arrows": arrows.count(), "calls": run.locator("ol.calls > li:not([hidden])").count()}


def cell(page: Page, number: int) -> Any:
    """The output of a cell, on the screen: JupyterLab draws only what is."""
    found = page.locator(".jp-CodeCell").nth(number)
    found.scroll_into_view_if_needed()
    output = found.locator(".jp-OutputArea-child").last
    output.scroll_into_view_if_needed()
    return output


def look(page: Page, pictures: Path | None = None, suffix: str = "") -> dict[str, Any]:
    """Click through the outputs; the assertions are Playwright's. Returns what was seen, in numbers."""
    seen: dict[str, Any] = {}

    def picture(name: str, where: Any) -> None:
        if pictures is not None and name in PICTURES[suffix]:
            pictures.mkdir(parents=True, exist_ok=True)
            where.screenshot(path=str(pictures / f"{name}{suffix}.png"))

    # The ladder: an arrow shows its message, another one its own, and keys do the same.
    output = cell(page, 1)
    arrows = output.locator("svg.ladder .m")
    seen["arrows"] = arrows.count()
    opened = output.locator(".parts > details[open]")
    expect(opened).to_have_count(0)
    arrows.nth(0).click()
    expect(opened).to_have_count(1)
    expect(opened.locator("pre.sip")).to_contain_text("INVITE sip:bob@demo.example SIP/2.0")
    expect(arrows.nth(0)).to_have_attribute("aria-expanded", "true")
    picture("ladder", output)
    arrows.nth(0).focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(opened.locator("pre.sip")).to_contain_text("407 Proxy Authentication Required")
    expect(opened).to_have_count(1)
    page.keyboard.press("Enter")
    expect(opened).to_have_count(0)

    # The scrubber: buttons, keys, the slider, a click on a call; each step shows its line.
    output = cell(page, 2)
    bar = output.locator(".scrub .bar")
    expect(bar).to_be_visible()
    said, here = output.locator(".said"), output.locator(".ln.here")
    expect(said).to_contain_text("step 0 of")
    bar.get_by_role("button", name="one step on").click()
    expect(said).to_contain_text("step 1 of")
    expect(here).to_have_count(1)
    output.locator("input[type=range]").focus()
    page.keyboard.press("ArrowRight")
    expect(said).to_contain_text("step 2 of")
    page.keyboard.press("PageDown")
    calls = output.locator("ol.calls > li:not([hidden])")
    seen["calls_at_first"] = calls.count()
    page.keyboard.press("End")
    expect(bar.get_by_role("button", name="one step on")).to_be_disabled()
    seen["calls"] = calls.count()
    seen["steps"] = int(str(said.text_content()).split(" of ")[1].split(",")[0])
    page.keyboard.press("Home")
    expect(said).to_contain_text("step 0 of")
    output.locator("input[type=range]").evaluate(
        "(e) => { e.value = Math.floor(e.max / 2); e.dispatchEvent(new Event('input')) }"
    )
    expect(said).to_contain_text(f"step {seen['steps'] // 2} of")
    expect(page.locator(".jp-mod-editMode")).to_have_count(0)
    picture("trace", output)

    # A table sorts by the column that is clicked.
    output = cell(page, 3)
    ids = output.locator("tbody tr td:first-child")
    first = ids.first.text_content()
    head = output.locator("th").first
    head.get_by_role("button").click()
    expect(head).to_have_attribute("aria-sort", "ascending")
    head.get_by_role("button").click()
    expect(head).to_have_attribute("aria-sort", "descending")
    expect(ids.first).not_to_have_text(str(first))

    picture("effects", cell(page, 4))
    expect(cell(page, 4).locator("ins", has_text="X-Test: <b>bold</b>")).to_have_count(1)
    # What came over the wire is text, whatever it looks like.
    expect(cell(page, 5).locator("pre.sip")).to_contain_text("<script>window.hacked = 1</script>")
    seen["hacked"] = page.evaluate("window.hacked")
    picture("latency", cell(page, 6))
    seen["bars"] = cell(page, 6).locator("svg.plot rect").count()
    seen["background"] = cell(page, 7).locator(".ksr").evaluate("(e) => getComputedStyle(e).backgroundColor")
    if pictures is not None:
        cell(page, 1)
        picture("notebook", page)
    return seen


def main() -> None:
    pictures = Path(sys.argv[1])
    for dark in (False, True):
        with tempfile.TemporaryDirectory(prefix="ksr-lab-") as folder, tour(Path(folder), dark=dark) as page:
            print(look(page, pictures, "-dark" if dark else ""))  # noqa: T201


if __name__ == "__main__":
    main()
