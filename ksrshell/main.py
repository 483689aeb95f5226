"""``ksrshell``: the command line. A command's module is imported only when it runs."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import click

#: Command, "module:function" in this package, and its line in ``ksrshell --help``, which imports none of them.
COMMANDS: dict[str, tuple[str, str]] = {
    "demo": ("demo.command:demo", "A proxy on the bundled script, calls through it, and the shell on it."),
    "run": ("run:run", "Run SCRIPT as a SIP proxy and open the shell on it."),
    "serve": ("serve:serve", "Run SCRIPT as a SIP proxy in the foreground."),
    "attach": ("attach:attach", "The shell on a running proxy; -c runs CODE and exits."),
    "replay": ("replay:replay", "A script on the messages of a capture: outcomes, exceptions, differences."),
    "open": ("open:open_", "The shell on a recorded run (FILE.ksr), without a proxy."),
    "dap": ("dap.command:dap", "A debug adapter: editors step the script on live or captured messages."),
    "agent": ("install:agent", "What to change in a kamailio.cfg or its script, so that attach finds the server."),
    "doctor": ("doctor:doctor", "What keeps the shell from attaching to a Kamailio, with remedies."),
    "ps": ("ps:ps", "The running proxies that can be attached to."),
    "check": ("check:check", "Check KEMI scripts for mistakes, without running them."),
    "api": ("api:api", "Every KEMI function: what it does, types, versions, whether it is implemented."),
    "kernel": ("kernel:kernel", "The Jupyter kernel: install it for other environments."),
    "user": ("user:user", "Subscribers, in the database: add, rm, list."),
}


class LazyGroup(click.Group):
    """A group that knows its commands by name and imports them when they are needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, function = COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(import_module(f"ksrshell.{module}"), function)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        if args and args[0] not in COMMANDS:
            import difflib

            near = difflib.get_close_matches(args[0], COMMANDS, 1)
            hint = f" Did you mean {near[0]!r}?" if near else f" Commands: {', '.join(COMMANDS)}."
            ctx.fail(f"No such command {args[0]!r}.{hint}")
        return super().resolve_command(ctx, args)


def _version(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        from ksrcore import __version__

        click.echo(f"ksrshell {__version__}")
        ctx.exit()


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Show the version.")
def main() -> None:
    """A live SIP proxy for Kamailio KEMI scripts that you can talk to while it routes."""
