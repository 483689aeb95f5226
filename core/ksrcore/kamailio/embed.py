"""What a kamailio.cfg asks of the embedded proxy: listen sockets, aliases, parameters, script, as ``serve`` takes them.

What has no meaning here is left out and told once (:attr:`Plan.warnings`).
"""

from __future__ import annotations

import fcntl
import os
import re
import socket
import struct
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from ..net.address import PROTOS, bracketed, canonical_ip
from .cfg import Config, Socket
from .lexer import CfgError, Place

__all__ = ["Plan", "local_addresses", "plan", "real_script"]

#: Modules whose work the core does anyway, or that only load the script.
_AT_HOME = frozenset((
    "app_python3", "app_python3s", "app_python", "kex", "kemix", "cfg_rpc", "counters", "db_sqlite", "tmx",
))  # fmt: skip
#: Settings about processes, memory and logs: a proxy in one process has no use for them.
_PROCESS = re.compile(
    r"(?:children|.*_children|socket_workers|fork(_delay)?|user|uid|group|gid|chroot|workdir|wdir|run_dir|mem.*|shm.*|"
    r"pkg.*|mlock_pages|real_time|rt_.*|disable_core_dump|open_files_limit|log_.*|latency_.*|debug|memlog|memdbg|"
    r"auto_aliases|auto_bind_ipv6|port|kemi\..*|disable_tcp|enable_tls|enable_sctp|tcp_async|advertised_.*|"
    r"server_id|pv_buffer_size|pv_cache_.*|version_table|max_while_loops|max_recursive_level|modparam|"
    r"async_.*|statistics|modinit_delay|wait_worker.*|http_reply_parse)\Z"
)
#: ioctl: the address of an interface (linux/sockios.h).
_SIOCGIFADDR = 0x8915


@dataclass
class Plan:
    """``listens``, ``aliases``, ``modparams``: as the options of ``ksrshell serve`` of these names."""

    script: str
    listens: list[str] = field(default_factory=list)
    aliases: list[str] = field(default_factory=list)
    modparams: list[str] = field(default_factory=list)
    defines: dict[str, str] = field(default_factory=dict)
    #: Custom parameters (``group.name = value``).
    custom: dict[tuple[str, str], int | str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    #: Listen sockets that are left out, because their host names are not looked up.
    names: list[str] = field(default_factory=list)


def real_script(config: Config) -> str:
    """The path of the user's script: the one the agent stands in for, when the agent is loaded in its place."""
    script = config.script
    if Path(script).name == "ksragent.py":
        script = config.defines.get("KSRAGENT_SCRIPT", os.environ.get("KSRAGENT_SCRIPT", "")).strip("\"'")
    if script and not os.path.isabs(script) and not os.path.exists(script):
        script = str(Path(config.path).parent / script)
    return script


def plan(
    config: Config, modules: Iterable[str], core: Iterable[str], *, keep_db: bool = True, lookup: bool = True
) -> Plan:
    """What the embedded proxy takes from a kamailio.cfg whose routes are a Python script.

    ``modules``: the names of the modules there are; ``core``: the settings the core knows. ``keep_db``: False leaves
    the parameters ``db_url`` and ``db_mode`` out; ``lookup``: False asks no DNS (:attr:`Plan.names`).

    Raises :class:`CfgError` for a cfg that has no Python script, and for an address that is none of this machine's.
    """
    _routes_in_python(config)
    result = Plan(real_script(config), defines=config.defines)
    result.listens = _listens(config, result.warnings, None if lookup else result.names)
    result.aliases = [_alias(alias) for alias in config.aliases]
    known, core = frozenset(modules), frozenset(core)
    missing = [load.name for load in config.modules if load.name not in known | _AT_HOME]
    if config.loads("db_mysql") or config.loads("db_postgres"):
        missing = [name for name in missing if name not in ("db_mysql", "db_postgres")]
        if keep_db:
            result.warnings.append("databases are SQLite files here: give one with --db sqlite:///FILE")
    if missing:
        result.warnings.append(
            f"{config.path}: not implemented here, their functions raise an error when they are called: "
            f"modules {', '.join(dict.fromkeys(missing))}"
        )
    for param in config.modparams:
        if param.module in known and (keep_db or param.name not in ("db_url", "db_mode")):
            result.modparams.append(f"{param.module}:{param.name}={param.value}")
    ignored = []
    for name, setting in config.settings.items():
        if name in core:
            result.modparams.append(f"core:{name}={setting.value}")
        elif "." in name and not name.startswith("kemi."):
            group, _, own = name.partition(".")
            result.custom[group, own] = setting.value
        elif not _PROCESS.match(name):
            ignored.append(name)
    advertised = str(config.setting("advertised_address"))
    if advertised:
        port = config.setting("advertised_port")
        listens = result.listens
        result.listens = [
            text if " advertise " in text else _advertising(text, f"{advertised}:{port}" if port else advertised)
            for text in listens
        ]
    events = [route for route in config.routes if route.kind == "event_route"]
    if events:
        result.warnings.append(
            "event routes in Kamailio's own language are not run here: "
            + ", ".join(f"{route} ({route.place})" for route in events)
        )
    callbacks = [name for name in config.settings if name.startswith("kemi.") and name.endswith("_callback")]
    if callbacks:
        result.warnings.append(f"callbacks have their usual names here: {', '.join(callbacks)} are ignored")
    if ignored:
        result.warnings.append(f"{config.path}: these settings have no effect here: {', '.join(ignored)}")
    return result


def _advertising(listen: str, address: str) -> str:
    """A listen address with an advertised one, which stands before its name."""
    base, name, rest = listen.partition(" name ")
    return f"{base} advertise {address}{name}{rest}"


def _routes_in_python(config: Config) -> None:
    """Raises :class:`CfgError` when the routes are not in a Python script."""
    place = config.engine_place
    if config.engine not in ("native", "python") and place is not None:
        raise CfgError(
            place, f'cfgengine "{config.engine}" is not run here; scripts are in Python (cfgengine "python")'
        )
    requests = [route for route in config.routes if str(route) in ("request_route", "route")]
    if requests:  # in Kamailio, too, they go before those of cfgengine
        raise CfgError(
            requests[0].place,
            f"{requests[0]} routes in Kamailio's own language, which is not run here: routes are Python functions "
            '(modparam("app_python3", "load", "FILE.py") and cfgengine "python")',
        )
    if config.script_param is None:
        raise CfgError(
            place or Place(config.path, 0),
            'no Python script: expected loadmodule "app_python3.so", modparam("app_python3", "load", "FILE.py") and '
            'cfgengine "python"; were all -A defines given?',
        )


def _alias(text: str) -> str:
    """``tcp:host:port`` as written; Kamailio's ``*`` for any is what is absent here."""
    return text.removeprefix("*:").removesuffix(":*")


# -- sockets ----------------------------------------------------------------------------------------------------------


def _listens(config: Config, warnings: list[str], unknown: list[str] | None) -> list[str]:
    """``unknown``: takes the host names, which are not looked up then."""
    any_proto = ["udp"] if config.number("disable_tcp", 0) else ["udp", "tcp"]
    listens: dict[str, None] = {}
    for each in config.listens or [Socket("", ip, 0) for ip in local_addresses()]:
        if each.virtual:
            warnings.append(f"{each.place}: the virtual socket {each.host} is left out")
            continue
        protos = [each.proto] if each.proto else any_proto
        if protos[0] not in PROTOS:
            raise CfgError(each.place, f"listen: {protos[0]} is not spoken here; there are {', '.join(PROTOS)}")
        for ip in _addresses(each, unknown):
            for proto in protos:
                port = each.port or (5061 if proto == "tls" else config.port)
                text = f"{proto}:{bracketed(ip)}:{port}"
                text += f" advertise {each.advertise}" if each.advertise else ""
                text += f" name {each.name}" if each.name else ""
                listens.setdefault(text)
    return list(listens)


def _addresses(listen: Socket, unknown: list[str] | None) -> list[str]:
    """The addresses of a ``listen``: its own, those of a network interface, or those of a host name."""
    if ip := canonical_ip(listen.host):
        return [ip]
    if listen.host in {name for _, name in socket.if_nameindex()}:
        found = [ip for name, ip in _interfaces() if name == listen.host]
        if found:
            return found
        raise CfgError(listen.place, f"listen: the interface {listen.host} has no IPv4 address")
    if unknown is not None:
        unknown.append(listen.host)
        return []
    try:
        # A host name is looked up as Kamailio does at its start.
        return [str(socket.getaddrinfo(listen.host, None, type=socket.SOCK_DGRAM)[0][4][0])]
    except OSError as error:
        raise CfgError(
            listen.place, f"listen: {listen.host!r} is no address, no interface and no known host: {error}"
        ) from None


def _interfaces() -> list[tuple[str, str]]:
    """(name, IPv4 address) of the network interfaces that have one."""
    found = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for _, name in socket.if_nameindex():
            try:
                answer = fcntl.ioctl(sock, _SIOCGIFADDR, struct.pack("256s", name.encode()[:15]))
            except OSError:
                continue
            found.append((name, socket.inet_ntoa(answer[20:24])))
    return found


def local_addresses() -> list[str]:
    """The IPv4 addresses of this machine, loopback first: where a Kamailio without ``listen`` receives."""
    found = [ip for _, ip in _interfaces()]
    return sorted(found, key=lambda ip: not ip.startswith("127.")) or ["127.0.0.1"]
