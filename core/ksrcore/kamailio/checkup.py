"""What keeps ksrshell from attaching to a Kamailio, or would hurt it: in its kamailio.cfg, its script, its folder.

Nothing is changed and nothing is run but ``kamailio -v``; of a running server the state page and one RPC command.
"""

from __future__ import annotations

import ast
import glob
import os
import pwd
import re
import shlex
import shutil
import stat
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ..kemi import known
from ..script.check import check
from .agents import Server, user_name
from .cfg import PYTHON_MODULES, Config
from .dumping import hindrance
from .embed import real_script
from .info import Info
from .ksragent.state import Page, PageError
from .rpcclient import RpcClient, RpcError, Target, Unreachable, find

__all__ = ["AGENT", "Problem", "agent_in", "check_config", "check_server", "server_user"]

#: The folder that has to be on Python's path in the server, and what ``modparam("app_python3", "load", ...)`` names.
FOLDER = Path(__file__).parent
AGENT = FOLDER / "ksragent.py"
#: The oldest Kamailio and Python that the agent is for.
OLDEST, OLDEST_PYTHON = (5, 5), (3, 9)
_RANKS = ("error", "warning", "info")


@dataclass(frozen=True)
class Problem:
    """``text`` says what is wrong, ``remedy`` what to do; ``place`` is FILE:LINE or ''."""

    severity: Literal["error", "warning", "info"]
    code: str
    text: str
    remedy: str = ""
    place: str = ""

    def __str__(self) -> str:
        where = f"{self.place}: " if self.place else ""
        return f"{where}{self.severity}[{self.code}]: {self.text}" + (f"; {self.remedy}" if self.remedy else "")


def agent_in(config: Config) -> bool:
    """Whether the agent is in the server's cfg or script."""
    if Path(config.script).name == "ksragent.py":
        return True
    try:
        source = Path(real_script(config)).read_text(errors="replace")
    except OSError:
        return False
    return re.search(r"^\s*(?:[^#\n]*;\s*)?(?:import|from) ksragent\b", source, re.M) is not None


def server_user(config: Config) -> str:
    """The user the server runs as: what the cfg says, else Debian's, else the one who asks."""
    if config.user:
        return config.user
    if os.path.realpath(config.path).startswith("/etc/kamailio/"):
        try:
            return pwd.getpwnam("kamailio").pw_name
        except KeyError:
            pass
    return user_name(os.geteuid())


def check_config(config: Config, *, running: bool = False) -> list[Problem]:
    """What is wrong with a server as its kamailio.cfg has it. ``running``: its sockets should be there."""
    found = [
        *_modules(config),
        *_versions(config),
        *_script(config),
        *_agent(config),
        *_processes(config),
        *_sockets(config, running),
        *_sipdump(config),
    ]
    return sorted(found, key=lambda problem: _RANKS.index(problem.severity))


# -- modules ----------------------------------------------------------------------------------------------------------


def _modules(config: Config) -> Iterator[Problem]:
    module = config.python_module
    place = str(config.engine_place or config.path)
    if config.engine != "python":
        other = "Kamailio's own language" if config.engine == "native" else f'cfgengine "{config.engine}"'
        yield Problem(
            "error", "engine", f"routes are in {other}, ksrshell attaches to KEMI scripts in Python",
            'were all -A defines given? Else: loadmodule "app_python3.so", modparam("app_python3", "load", ...) and '
            'cfgengine "python"', place,
        )  # fmt: skip
    if not module:
        yield Problem(
            "error", "no-python", "no module that runs Python scripts is loaded", 'add: loadmodule "app_python3.so"',
            place,
        )  # fmt: skip
    elif module == "app_python":
        yield Problem("error", "python2", "app_python is for Python 2", "load app_python3 instead", place)
    for param in config.modparams:
        if param.module in PYTHON_MODULES and param.name == "threads_mode" and param.value not in (0, "0"):
            yield Problem(
                "error", "threads-mode",
                "threads_mode=1 lets a worker wait for ever in branch routes and reloads while Python threads run",
                "remove this line: the agent needs no threads", str(param.place),
            )  # fmt: skip
    if not (config.loads("jsonrpcs") or config.loads("ctl")):
        yield Problem(
            "warning", "no-rpc", "neither jsonrpcs nor ctl is loaded: rpc(), and what needs the list of processes "
            "(holds), does not work", 'add: loadmodule "jsonrpcs.so"', config.path,
        )  # fmt: skip
    elif not find(config):
        param_place = next((str(p.place) for p in config.modparams if p.module == "jsonrpcs"), config.path)
        yield Problem(
            "warning", "no-rpc", "jsonrpcs has neither its datagram socket nor its fifo",
            'write modparam("jsonrpcs", "transport", 6), or 7 for HTTP beside them', param_place,
        )  # fmt: skip


# -- versions ---------------------------------------------------------------------------------------------------------


def _versions(config: Config) -> Iterator[Problem]:
    kamailio = shutil.which("kamailio") or shutil.which("kamailio", path="/usr/sbin:/usr/local/sbin")
    if kamailio is None:
        yield Problem("info", "version", "no program kamailio on this machine: its version is not checked")
    else:
        try:
            said = subprocess.run([kamailio, "-v"], capture_output=True, text=True, timeout=5, check=False).stdout
        except (OSError, subprocess.TimeoutExpired) as error:
            said = str(error)
        number = re.search(r"version: kamailio (\d+)\.(\d+)", said)
        if number is None:
            yield Problem("info", "version", f"{kamailio} -v says no version: {said[:60]!r}")
        elif (int(number[1]), int(number[2])) < OLDEST:
            yield Problem(
                "error", "version", f"Kamailio {number[1]}.{number[2]} is too old",
                f"the agent is for {'.'.join(map(str, OLDEST))} and later",
            )  # fmt: skip
    path = module_path(config) if config.python_module else None
    if config.python_module and path is None:
        yield Problem("info", "python-version", f"{config.python_module}.so is not found: its Python is not checked")
    elif path is not None:
        python = linked_python(path)
        if python is not None and python < OLDEST_PYTHON:
            yield Problem(
                "error", "python-version", f"{path} is linked with Python {'.'.join(map(str, python))}",
                f"the agent is for Python {'.'.join(map(str, OLDEST_PYTHON))} and later",
            )  # fmt: skip


def module_path(config: Config) -> str | None:
    """The file of the module that runs Python."""
    name = f"{config.python_module}.so"
    folders = [folder for folder in config.mpath.split(":") if folder]
    folders += glob.glob("/usr/lib/*/kamailio/modules")
    folders += [f"{base}/{lib}/kamailio/modules" for base in ("/usr", "/usr/local") for lib in ("lib64", "lib")]
    return next((path for folder in folders if os.path.exists(path := os.path.join(folder, name))), None)


def linked_python(path: str) -> tuple[int, int] | None:
    """The version of the libpython that a shared object names."""
    try:
        found = re.search(rb"libpython(\d+)\.(\d+)", Path(path).read_bytes())
    except OSError:
        return None
    return (int(found[1]), int(found[2])) if found else None


# -- the script -------------------------------------------------------------------------------------------------------


def _script(config: Config) -> Iterator[Problem]:
    if not config.python_module:
        return
    param = config.script_param
    script = real_script(config)
    if param is None:
        yield Problem(
            "error", "no-script", f"no script is named for {config.python_module}",
            f'add: modparam("{config.python_module}", "load", "/path/script.py")', config.path,
        )  # fmt: skip
        return
    if not script:
        yield Problem(
            "warning",
            "no-script",
            "ksragent.py is loaded, and KSRAGENT_SCRIPT names no script in the cfg: is it in the server's environment?",
            'else add before it: #!define KSRAGENT_SCRIPT "/path/script.py"',
            str(param.place),
        )
        return
    try:
        source = Path(script).read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        yield Problem("error", "script", f"the script {script} cannot be read: {why}", place=str(param.place))
        return
    with_agent = agent_in(config)
    for finding in check(source, script):
        where = f"{script}:{finding.line}"
        if finding.severity == "error":
            yield Problem("error", f"script-{finding.code}", finding.text, place=where)
        elif finding.code in ("missing-callback", "callback-return") and not with_agent:
            yield Problem("warning", f"script-{finding.code}", finding.text, "the agent does that, too", where)
    yield from _modules_of(config, source, script)


def _modules_of(config: Config, source: str, script: str) -> Iterator[Problem]:
    """Modules whose functions the script calls and that are not loaded."""
    known_modules = {decl.module for decl in known()} - {""}
    provided = {load.name for load in config.modules} | _BUILT_IN
    for load in config.modules:
        provided |= _ALSO.get(load.name, frozenset())
    seen: dict[str, int] = {}
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError):
        return
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Attribute)
            and isinstance(node.value, ast.Attribute)
            and isinstance(node.value.value, ast.Name)
            and node.value.value.id == "KSR"
        ):
            seen.setdefault(node.value.attr, node.lineno)
    for module, line in sorted(seen.items()):
        if module in known_modules and module not in provided:
            yield Problem(
                "error", "module-not-loaded", f"the script calls KSR.{module}, whose module is not loaded",
                f'add: loadmodule "{_LOADED_AS.get(module, module)}.so"', f"{script}:{line}",
            )  # fmt: skip


#: Names below KSR that are there without a module, those that another module brings, and whose name is another.
_BUILT_IN = frozenset(("pv", "hdr", "x"))
_ALSO = {
    "kemix": frozenset(("kx",)),
    "tls": frozenset(("tls",)),
    "pv": frozenset(("pvx",)),
    "dialog": frozenset(("dialog",)),
}
_LOADED_AS = {"kx": "kemix", "pvx": "pv"}


# -- the agent --------------------------------------------------------------------------------------------------------


def _agent(config: Config) -> Iterator[Problem]:
    if not config.python_module or not config.script:
        return
    command = shlex.join(["ksrshell", "agent", config.path, *(word for each in config.given for word in ("-A", each))])
    if not agent_in(config):
        yield Problem("error", "no-agent", "the agent is not installed", f"`{command}` says what to change")
        return
    if Path(config.script).name == "ksragent.py":
        folder = Path(config.script).parent / "ksragent"
        if not (folder / "__init__.py").exists():
            yield Problem(
                "error", "agent-path", f"there is no agent in {folder.parent}", f"`{command}` says where it is",
                str(config.script_param.place) if config.script_param else "",
            )  # fmt: skip
            return
    else:
        folder = FOLDER / "ksragent"
    user = server_user(config)
    blocked = unreadable(folder / "__init__.py", user)
    if blocked:
        yield Problem(
            "error", "agent-path", f"the server's user {user} cannot read {blocked}",
            f"copy the agent to where that user can: cp -r {FOLDER / 'ksragent'} /etc/kamailio/",
        )  # fmt: skip


def unreadable(path: Path, user: str) -> str:
    """The first file or folder on the way to ``path`` that ``user`` may not read or enter, '' when there is none."""
    try:
        entry = pwd.getpwnam(user) if not user.isdigit() else pwd.getpwuid(int(user))
    except KeyError:
        return ""
    if entry.pw_uid == 0:
        return ""
    groups = set(os.getgrouplist(entry.pw_name, entry.pw_gid))
    real = Path(os.path.realpath(path))
    for each in [*reversed(real.parents), real]:
        try:
            status = each.stat()
        except OSError:
            return str(each)
        bit = 1 if stat.S_ISDIR(status.st_mode) else 4
        shift = 6 if status.st_uid == entry.pw_uid else 3 if status.st_gid in groups else 0
        if not status.st_mode >> shift & bit:
            return str(each)
    return ""


# -- processes and sockets --------------------------------------------------------------------------------------------


def _processes(config: Config) -> Iterator[Problem]:
    children = config.settings.get("children")
    if not config.fork:
        yield Problem(
            "warning", "fork", "fork=no: there is one process, which a hold would stop", "remove fork=no",
            str(config.settings["fork"].place),
        )  # fmt: skip
    elif children is not None and config.children < 2:
        yield Problem(
            "warning", "children", "children=1: a socket's only worker is never held", "write children=2 or more",
            str(children.place),
        )  # fmt: skip


def _sipdump(config: Config) -> Iterator[Problem]:
    why, remedy = hindrance(config)
    if why and config.python_module:
        yield Problem("info", "sipdump", why, remedy, config.path)


def _sockets(config: Config, running: bool) -> Iterator[Problem]:
    problems = []
    for target in find(config):
        if not target.path:
            continue
        why = _unusable(target)
        if not why:
            return
        problems.append(why)
    if problems and (running or any("permission" in why for why in problems)):
        yield Problem("warning", "rpc-socket", problems[0], "rpc() goes through the agent until then")


def _unusable(target: Target) -> str:
    try:
        status = os.stat(target.path)
    except FileNotFoundError:
        return f"{target} is not there: the server does not run"
    except OSError as error:
        return f"{target}: {error.strerror}: no permission to look there"
    if os.access(target.path, os.W_OK):
        return ""
    return (
        f"{target}: no permission: it belongs to {user_name(status.st_uid)} with mode "
        f"{stat.S_IMODE(status.st_mode):04o}"
    )


# -- a running server -------------------------------------------------------------------------------------------------


def check_server(server: Server) -> list[Problem]:
    """What is wrong with a server that has the agent, found by its folder; with its kamailio.cfg's problems."""
    if server.problem:
        text, attach, who = server.problem.partition(": attach as ")
        return [Problem("error", "folder", text, attach.removeprefix(": ") + who, str(server.folder))]
    if not server.alive:
        return [
            Problem(
                "warning", "stale-folder", "the server of this folder is gone", "`ksrshell ps` removes it",
                str(server.folder),
            )
        ]  # fmt: skip
    found: list[Problem] = []
    try:
        page = Page(str(server.folder / "state"))
    except (OSError, PageError) as error:
        return [Problem("error", "agent-version", str(error), "restart the server with this ksrshell's agent")]
    info = Info(page)
    page.close()
    uid = int(server.facts.get("uid", os.geteuid()))
    owner = server.folder.stat().st_uid
    if uid != owner:
        found.append(
            Problem(
                "error", "uid", f"the folder belongs to {user_name(owner)}, the server runs as {user_name(uid)}",
                f"chown {user_name(uid)} {server.folder}", str(server.folder),
            )
        )  # fmt: skip
    if server.workers == 0:
        found.append(
            Problem("warning", "no-worker", "no process with the agent receives SIP yet", "wait for its first message")
        )
    elif server.workers < 2:
        found.append(
            Problem("warning", "children", "one worker has the agent: it is never held", "write children=2 or more")
        )
    if info.config is None:
        found.append(Problem("warning", "config", info.problem))
    else:
        # Where it is in the server's environment, the server has said which script it loaded.
        info.config.defines.setdefault("KSRAGENT_SCRIPT", str(server.facts.get("script", "")))
        found += check_config(info.config, running=True)
    found += _asked(info.rpc)
    return sorted(found, key=lambda problem: _RANKS.index(problem.severity))


def _asked(client: RpcClient) -> Iterator[Problem]:
    if not client.targets:
        return
    try:
        client.call("core.version", timeout=2.0)
    except (Unreachable, RpcError) as error:
        yield Problem("warning", "rpc", f"the server's RPC does not answer: {error}")
