"""``ksrshell check``: mistakes in KEMI scripts, found without running them."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from ksrcore.script.check import Finding

#: The languages of scripts that cannot be checked yet, by the ending of their files.
_OTHER = {".lua": "Lua", ".js": "JavaScript", ".sq": "Squirrel", ".rb": "Ruby", ".cfg": "native configuration"}

UNUSABLE = 2


class Unusable(Exception):
    """A file that cannot be checked: which, and why."""


def _list_codes(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if not value or ctx.resilient_parsing:
        return
    from ksrcore.script.check import CODES

    for code, (severity, text) in CODES.items():
        click.echo(f"{code:18} {severity:8} {text}")
    ctx.exit()


@click.command()
@click.argument("scripts", nargs=-1, required=True, type=click.Path())
@click.option("--json", "as_json", is_flag=True, help="A JSON list of the findings.")
@click.option("--strict", is_flag=True, help="Exit with 1 for warnings too.")
@click.option("--kamailio", metavar="VERSION", default="", help="The Kamailio it shall run on: 5.6 or 6.2.")
@click.option(
    "--list-codes", is_flag=True, is_eager=True, expose_value=False, callback=_list_codes, help="All codes."
)  # fmt: skip
def check(scripts: tuple[str, ...], as_json: bool, strict: bool, kamailio: str) -> None:
    """Check SCRIPTS, KEMI scripts in Python, without running them.

    Prints file:line:column: severity[code]: text. Exits with 0 when there is no error, with 1 when there is one, with
    2 when a file cannot be checked. "-" is the standard input. A comment "# ksr: ignore[code]" at the end of a line
    silences it there.
    """
    from ksrcore.script.check import release

    try:
        version = release(kamailio) if kamailio else ""
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--kamailio") from None
    found: list[tuple[str, Finding]] = []
    unusable = 0
    files = 0
    for path in scripts:
        try:
            findings = _check(path, version)
        except Unusable as error:
            click.echo(f"ksrshell check: {error}", err=True)
            unusable += 1
            continue
        files += 1
        found.extend((path, finding) for finding in findings)
    if as_json:
        click.echo(json.dumps([_view(path, finding) for path, finding in found], indent=2))
    else:
        for line in _lines(found):
            click.echo(line)
        if files:
            click.echo(_summary([finding for _, finding in found], files), err=True)
    failing = {"error", "warning"} if strict else {"error"}
    sys.exit(UNUSABLE if unusable else int(any(finding.severity in failing for _, finding in found)))


def _check(path: str, version: str) -> list[Finding]:
    from ksrcore.script.check import check as check_source

    ending = Path(path).suffix.lower()
    if ending in _OTHER:
        raise Unusable(f"{path}: {_OTHER[ending]}: only scripts in Python can be checked so far")
    try:
        data = sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
    except OSError as error:
        raise Unusable(f"{path}: {error.strerror or error}") from None
    try:
        source = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Unusable(f"{path}: not UTF-8: {error.reason} at byte {error.start}") from None
    return check_source(source, path, version=version)


def _lines(found: list[tuple[str, Finding]]) -> Iterator[str]:
    for path, f in found:
        yield f"{path}:{f.line}:{f.column}: {f.severity}[{f.code}]: {f.text}"


def _view(path: str, f: Finding) -> dict[str, Any]:
    return {
        "file": path,
        "line": f.line,
        "column": f.column,
        "end_line": f.end_line,
        "end_column": f.end_column,
        "severity": f.severity,
        "code": f.code,
        "text": f.text,
    }


def _summary(found: list[Finding], files: int) -> str:
    counts = [(name, sum(f.severity == name for f in found)) for name in ("error", "warning", "info")]
    parts = [f"{n} {name}{'s' if n != 1 and name != 'info' else ''}" for name, n in counts if n]
    return f"{', '.join(parts) or 'nothing found'} in {files} file{'' if files == 1 else 's'}"
