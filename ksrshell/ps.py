"""``ksrshell ps``: the running proxies."""

from __future__ import annotations

import json
import os
from typing import Any

import click

from .errors import KsrShellError
from .proxies import Found, remove_stale, running


@click.command()
@click.option("--json", "as_json", is_flag=True, help="As JSON: a list of objects.")
def ps(as_json: bool) -> None:
    """The running proxies that can be attached to, and the Kamailio servers with the agent.

    The sockets of proxies that died are reported and, when they are yours, removed.

    \b
    Examples:
      ksrshell ps
      ksrshell ps --json
    """
    try:
        found = running()
    except KsrShellError as error:
        raise click.ClickException(str(error)) from None
    alive = [each for each in found if each.hello]
    if as_json:
        click.echo(json.dumps([{**each.hello, **each.stats, "path": str(each.path)} for each in alive]))
    elif alive:
        from .render.console import plain
        from .render.tables import proxies_table

        click.echo(plain(proxies_table([row(each) for each in alive])))
    else:
        click.echo("no proxy is running: start one with `ksrshell demo` or `ksrshell serve SCRIPT`")
    for each in found:
        if not each.problem:
            continue
        if remove_stale(each):
            click.echo(f"{each.name}: its process is gone; removed the stale socket {each.path}", err=True)
        else:
            click.echo(f"{each.name}: {each.problem}", err=True)


def row(found: Found) -> list[str]:
    from .render.tables import since

    hello: dict[str, Any] = found.hello
    return [
        str(hello.get("name") or found.name),
        str(hello.get("pid") or ""),
        since(float(hello.get("started") or 0.0)),
        "\n".join(map(str, hello.get("listens") or [])),
        os.path.basename(str(hello.get("script") or "")),
        engine(hello),
    ]


def engine(hello: dict[str, Any]) -> str:
    """What routes there: ``embedded``, or ``kamailio 5.6.3, 4 workers, attached``."""
    name = str(hello.get("engine") or "")
    if "workers" not in hello:
        return name
    count = int(hello["workers"])
    state = "attached" if hello.get("attached") else "not attached"
    return f"{name} {hello.get('version') or ''}, {count} worker{'' if count == 1 else 's'}, {state}"
