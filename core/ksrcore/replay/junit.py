"""A replay as JUnit XML: a test case for each message, as Jenkins, GitLab and GitHub's reporters read it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from xml.etree.ElementTree import Element, ElementTree, SubElement, indent

from .result import Result, Summary

__all__ = ["junit_xml", "write_junit"]


def _clean(text: str) -> str:
    """Without what XML 1.0 cannot have; bytes that are no UTF-8 stay the characters that they are as latin-1."""
    return "".join(
        char
        if char in "\t\n" or " " <= char < "\x7f" or "\xa0" <= char < "\ud800" or "\ue000" <= char < "\ufffe"
        else "?"
        for char in text
    )


def junit_xml(summary: Summary, strict: bool) -> Element:
    """``strict``: what differs fails; without, it is in the case's output."""
    failures = sum(1 for each in summary.results if strict and each.differences and not each.raised)
    seconds = sum(each.seconds for each in summary.results)
    counts = {
        "tests": str(len(summary.results)),
        "failures": str(failures),
        "errors": str(len(summary.raised)),
        "time": f"{seconds:.6f}",
    }
    root = Element("testsuites", {"name": "ksrshell replay", **counts})
    begin = min((each.time for each in summary.results), default=0.0)
    suite = SubElement(
        root,
        "testsuite",
        {
            "name": _clean(Path(summary.script).name),
            "skipped": "0",
            "timestamp": datetime.fromtimestamp(begin, UTC).strftime("%Y-%m-%dT%H:%M:%S"),
            "hostname": "localhost",
            **counts,
        },
    )
    for each in summary.results:
        _case(suite, each, summary, strict)
    return root


def _case(suite: Element, result: Result, summary: Summary, strict: bool) -> None:
    name = f"{result.number} {result.title} from {result.source}"
    case = SubElement(
        suite,
        "testcase",
        {"classname": _clean(result.callid or "no call"), "name": _clean(name), "time": f"{result.seconds:.6f}"},
    )
    if result.raised:
        first = result.raised[0]
        error = SubElement(
            case, "error", {"message": _clean(first.text), "type": _clean(first.error.partition(":")[0])}
        )
        error.text = _clean("\n\n".join(each.traceback or each.text for each in result.raised))
    elif strict and result.differences:
        failure = SubElement(case, "failure", {"message": _clean(result.differences[0]), "type": "difference"})
        failure.text = _clean("\n".join(result.differences))
    lines = [result.outcome]
    if result.differences and not (strict and not result.raised):
        lines += [f"differs from {summary.against}: {each}" for each in result.differences]
    SubElement(case, "system-out").text = _clean("\n".join(lines))


def write_junit(path: Path, summary: Summary, strict: bool) -> None:
    """Raises OSError."""
    tree = ElementTree(junit_xml(summary, strict))
    indent(tree)
    tree.write(path, encoding="utf-8", xml_declaration=True)
