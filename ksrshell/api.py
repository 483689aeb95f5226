"""``ksrshell api``: every KEMI function of Kamailio, with its types, versions and whether it is implemented here."""

from __future__ import annotations

import json
import sys
from fnmatch import fnmatchcase
from textwrap import wrap
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from ksrcore.kemi.catalog import Function


@click.command()
@click.argument("pattern", default="*")
@click.option("--status", type=click.Choice(["implemented", "known"]), help="Only those.")
@click.option("--json", "as_json", is_flag=True, help="A JSON list: module, name, ret, params, versions, status, doc.")
def api(pattern: str, status: str | None, as_json: bool) -> None:
    """Every KEMI function, or those that match PATTERN.

    PATTERN is a part of the name ("relay", "tm.t_") or has * and ? in it ("sl.*"); "KSR." may be left out. A function
    is implemented, or known: then calling it raises an error that says so. The versions are those of Kamailio that
    have it.

    \b
    Examples:
      ksrshell api relay
      ksrshell api 'dispatcher.*' --status implemented
      ksrshell api --json | jq -r '.[] | select(.status == "known") | .module' | sort | uniq -c
    """
    found = _matching(pattern, status)
    if as_json:
        click.echo(json.dumps([_view(function) for function in found], indent=1))
        return
    if not found:
        raise click.ClickException(_nothing(pattern, status))
    from .render.console import width

    # What reads a pipe takes lines: they are as long as they are.
    columns = max(width(), 40) if sys.stdout.isatty() else 10_000
    click.echo("\n".join(line for function in found for line in _lines(function, columns)))
    have = sum(function.implemented for function in found)
    click.echo(f"{len(found)} functions: {have} implemented, {len(found) - have} known", err=True)


def _matching(pattern: str, status: str | None) -> list[Function]:
    from ksrcore.kemi.catalog import kamailio

    wanted = pattern.removeprefix("KSR.").lower()
    if not any(mark in wanted for mark in "*?["):
        wanted = f"*{wanted}*"
    functions = kamailio().functions
    return [
        functions[path]
        for path in sorted(functions, key=lambda path: path.rpartition(".")[::2])
        if fnmatchcase(path.lower(), wanted)
        and (status is None or functions[path].implemented == (status == "implemented"))
    ]


def _nothing(pattern: str, status: str | None) -> str:
    from ksrcore.kemi.catalog import kamailio

    if status is not None and _matching(pattern, None):
        return f"no function that matches {pattern!r} is {status}"
    near = kamailio().nearest(pattern.removeprefix("KSR.").strip("*?"))
    return f"no KEMI function matches {pattern!r}" + (f"; nearest: {', '.join(near)}" if near else "")


def _view(function: Function) -> dict[str, Any]:
    decl = function.decl
    return {
        "module": decl.module,
        "name": decl.name,
        "ret": decl.ret,
        "params": list(decl.params),
        "versions": list(function.versions),
        "status": "implemented" if function.implemented else "known",
        "doc": decl.summary,
    }


def _lines(function: Function, columns: int) -> list[str]:
    decl = function.decl
    notes = [] if function.implemented else ["known"]
    if len(function.versions) == 1:
        notes.append(f"{function.versions[0]} only")
    elif not function.versions:
        notes.append("ksrshell only")
    lines = [decl.signature + (f"  [{', '.join(notes)}]" if notes else "")]
    return lines + wrap(decl.summary, columns, initial_indent="    ", subsequent_indent="    ")
