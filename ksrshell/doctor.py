"""``ksrshell doctor``: what keeps the shell from attaching to a Kamailio, one line each with the remedy."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

if TYPE_CHECKING:
    from ksrcore.kamailio.checkup import Problem

#: The cfg of Debian's package.
DEFAULT_CFG = "/etc/kamailio/kamailio.cfg"
UNUSABLE = 2


@click.command()
@click.argument("target", required=False, default="", metavar="[KAMAILIO.CFG | NAME]")
@click.option("-A", "--define", "defines", multiple=True, metavar="NAME[=VALUE]", help="As Kamailio's -A; repeatable.")
@click.option("--json", "as_json", is_flag=True, help="A JSON list of what was found.")
def doctor(target: str, defines: tuple[str, ...], as_json: bool) -> None:
    """Say what is wrong with a Kamailio that the shell shall attach to, by its kamailio.cfg or its name in `ps`.

    Without either: every running server that has the agent, and else /etc/kamailio/kamailio.cfg. Exits with 0 when
    there is no error (warnings may be), 1 when there is one, 2 when it cannot be looked at.

    \b
    Examples:
      ksrshell doctor /etc/kamailio/kamailio.cfg -A WITH_CFGPYTHON3
      ksrshell doctor routes --json
    """
    found: list[tuple[str, Problem]] = []
    looked = _look(target, defines)
    for name, problems in looked:
        found += [(name, problem) for problem in problems]
    if as_json:
        click.echo(json.dumps([_view(name, problem) for name, problem in found], indent=2))
    else:
        for name, problem in found:
            click.echo(str(problem) if problem.place else f"{name}: {problem}")
        names = ", ".join(name for name, _ in looked)
        click.echo(f"{_summary([problem for _, problem in found])} in {names}", err=True)
    sys.exit(int(any(problem.severity == "error" for _, problem in found)))


def _look(target: str, defines: tuple[str, ...]) -> list[tuple[str, list[Problem]]]:
    """(what was looked at, what was found), each; ends the program when there is nothing to look at."""
    from ksrcore.kamailio import agents, checkup

    servers = agents.servers()
    if target and not _is_path(target):
        named = [server for server in servers if server.name == target]
        if not named:
            known = ", ".join(sorted({server.name for server in servers})) or "none"
            _unusable(f"no Kamailio named {target!r} has the agent (there are: {known}), and no file has that name")
        return [(target, checkup.check_server(server)) for server in named]
    found: list[tuple[str, list[Problem]]] = []
    if not target:
        found = [(server.name, checkup.check_server(server)) for server in servers]
        if any(server.alive for server in servers):
            return found
    config = load(target or DEFAULT_CFG, defines)
    return [*found, (config.path, checkup.check_config(config))]


def _is_path(target: str) -> bool:
    return "/" in target or target.endswith(".cfg") or Path(target).is_file()


def load(path: str, defines: tuple[str, ...]) -> Any:
    """The kamailio.cfg; ends the program with one line when it cannot be read."""
    from ksrcore.kamailio.cfg import CfgError, read

    try:
        return read(path, defines)
    except CfgError as error:
        _unusable(str(error))
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="-A") from None


def _unusable(text: str) -> NoReturn:
    click.echo(f"Error: {text}", err=True)
    sys.exit(UNUSABLE)


def _view(name: str, problem: Problem) -> dict[str, Any]:
    return {
        "server": name,
        "severity": problem.severity,
        "code": problem.code,
        "text": problem.text,
        "remedy": problem.remedy,
        "place": problem.place,
    }


def _summary(found: list[Problem]) -> str:
    counts = [(name, sum(problem.severity == name for problem in found)) for name in ("error", "warning", "info")]
    parts = [f"{n} {name}{'s' if n != 1 and name != 'info' else ''}" for name, n in counts if n]
    return ", ".join(parts) or "nothing wrong"
