"""``ksrshell agent``: what to change, so that the shell can attach to a Kamailio."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .doctor import DEFAULT_CFG, load

if TYPE_CHECKING:
    from ksrcore.kamailio.cfg import Config


@click.command()
@click.argument("cfg", required=False, default=DEFAULT_CFG, metavar="[KAMAILIO.CFG]", type=click.Path())
@click.option("-A", "--define", "defines", multiple=True, metavar="NAME[=VALUE]", help="As Kamailio's -A; repeatable.")
@click.option("--path", "only_path", is_flag=True, help="Only the path of the agent's folder.")
@click.option("--json", "as_json", is_flag=True, help="As JSON: the lines, and what else is needed.")
def agent(cfg: str, defines: tuple[str, ...], only_path: bool, as_json: bool) -> None:
    """Say what to change for a Kamailio's KAMAILIO.CFG, so that `ksrshell attach` finds the server. Nothing is changed.

    \b
    Examples:
      ksrshell agent
      ksrshell agent /etc/kamailio/kamailio.cfg -A WITH_CFGPYTHON3
    """
    from ksrcore.kamailio.checkup import AGENT, agent_in, check_config
    from ksrcore.kamailio.embed import real_script

    if only_path:
        click.echo(AGENT.parent)
        return
    config: Config = load(cfg, defines)
    script, param = real_script(config), config.script_param
    problems = [problem for problem in check_config(config) if problem.code != "no-agent"]
    installed = agent_in(config)
    script_line = f'import sys; sys.path.append("{AGENT.parent}"); import ksragent'
    module = config.python_module or "app_python3"
    cfg_lines = [f'#!define KSRAGENT_SCRIPT "{script}"', f'modparam("{module}", "load", "{AGENT}")']
    place = str(param.place) if param is not None else ""
    if as_json:
        answer: dict[str, Any] = {
            "cfg": config.path,
            "script": script,
            "installed": installed,
            "script_line": script_line,
            "cfg_place": place,
            "cfg_lines": cfg_lines,
            "agent": str(AGENT.parent / "ksragent"),
            "problems": [str(problem) for problem in problems],
        }
        click.echo(json.dumps(answer, indent=2))
        return
    if installed:
        click.echo(f"The agent is installed: {_where(config, script)}.")
    elif param is None or not script:
        click.echo(f"{config.path} loads no script in Python.")
    else:
        click.echo(f"{config.path} loads {script}. Do one of the two, then restart Kamailio:\n")
        click.echo(f"1. Add this as the last line of {script}:\n\n    {script_line}\n")
        click.echo(f"2. Or replace the line {place}\n")
        click.echo(f"    {_line(param.place.file, param.place.line)}\n\n   with\n")
        click.echo("\n".join(f"    {line}" for line in cfg_lines) + "\n")
        click.echo("The agent does nothing until somebody attaches: ksrshell attach " + Path(script).stem)
    if problems:
        click.echo("\nBesides:" if param is not None else "\nWhat is needed first:")
        for problem in problems:
            click.echo(f"  {problem}")


_ELSEWHERE = "the environment variable KSRAGENT_SCRIPT of the server names the script"


def _where(config: Config, script: str) -> str:
    if Path(config.script).name == "ksragent.py":
        return f"{config.path} loads {config.script}, {f'the script is {script}' if script else _ELSEWHERE}"
    return f"{script} imports it"


def _line(file: str, number: int) -> str:
    """That line of the file as it is."""
    try:
        return Path(file).read_text(errors="replace").splitlines()[number - 1].strip()
    except (OSError, IndexError):
        return "(not there any more)"
