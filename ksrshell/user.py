"""`ksrshell user`: the subscribers in the database."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click

from ksrcore.state import StateError, default_db_url
from ksrcore.store.database import Database
from ksrcore.store.errors import StoreError
from ksrcore.store.subscribers import Subscribers

__all__ = ["user"]

_db_option = click.option("--db", "url", metavar="URL", help="Database; default: the one in the state folder.")


def _wire(text: str, what: str) -> str:
    """Terminal text to the core's wire text: one character for each UTF-8 byte."""
    try:
        return text.encode("utf-8").decode("latin-1")
    except UnicodeEncodeError:
        raise click.ClickException(f"the {what} is not valid UTF-8") from None


def _shown(text: str) -> str:
    return text.encode("latin-1").decode("utf-8", "backslashreplace")


@contextmanager
def _subscribers(url: str | None) -> Iterator[Subscribers]:
    try:
        with Database.open(default_db_url() if url is None else url) as db:
            yield Subscribers(db)
    except (StoreError, StateError) as error:
        # The core's text is wire text in places (a name) and terminal text in others (a path).
        raise click.ClickException(_readable(str(error))) from None


def _readable(text: str) -> str:
    try:
        return text.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return text


def _split(account: str) -> tuple[str, str]:
    name, at, domain = account.removeprefix("sip:").rpartition("@")
    if not at or not name or not domain:
        raise click.ClickException(f"expected NAME@DOMAIN, got {account!r}")
    return _wire(name, "name"), _wire(domain, "domain")


def _terminal() -> bool:
    return sys.stdin.isatty()


@click.group()
def user() -> None:
    """Subscribers, in the database.

    \b
    Examples:
      ksrshell user add alice@example.com
      ksrshell user list
      ksrshell user rm alice@example.com
    """


@user.command()
@click.argument("account", metavar="NAME@DOMAIN")
@click.option("--password", metavar="TEXT", help="When not given: asked for, or the first line of standard input.")
@_db_option
def add(account: str, password: str | None, url: str | None) -> None:
    """Add a subscriber who registers as NAME at DOMAIN.

    \b
    Examples:
      ksrshell user add alice@example.com
      ksrshell user add alice@example.com --db sqlite:///kamailio.db < password-file
    """
    name, domain = _split(account)
    with _subscribers(url) as subscribers:
        if subscribers.get(name, domain) is not None:
            raise StoreError(f"subscriber {name}@{domain} exists already; remove it first to change it")
        if password is None and not _terminal():
            password = sys.stdin.readline().rstrip("\r\n")
            if not password:
                raise click.ClickException("no password on standard input: give it there, or with --password")
        elif password is None:
            password = click.prompt("Password", hide_input=True, confirmation_prompt="Password again", err=True)
        subscribers.add(name, domain, _wire(str(password), "password"))
    click.echo(f"added {_shown(name)}@{_shown(domain)}")


@user.command()
@click.argument("account", metavar="NAME@DOMAIN")
@_db_option
def rm(account: str, url: str | None) -> None:
    """Remove a subscriber.

    \b
    Example:
      ksrshell user rm alice@example.com
    """
    name, domain = _split(account)
    with _subscribers(url) as subscribers:
        if not subscribers.remove(name, domain):
            raise StoreError(f"there is no subscriber {name}@{domain}; ksrshell user list shows all")
    click.echo(f"removed {_shown(name)}@{_shown(domain)}")


@user.command(name="list")
@click.option("--json", "as_json", is_flag=True, help="A JSON array of objects with username and domain.")
@_db_option
def list_(as_json: bool, url: str | None) -> None:
    """Show the subscribers, one NAME@DOMAIN a line; never their passwords.

    \b
    Example:
      ksrshell user list --json
    """
    with _subscribers(url) as subscribers:
        found = subscribers.list()
    if as_json:
        click.echo(json.dumps([{"username": _shown(s.username), "domain": _shown(s.domain)} for s in found]))
        return
    for subscriber in found:
        click.echo(f"{_shown(subscriber.username)}@{_shown(subscriber.domain)}")
