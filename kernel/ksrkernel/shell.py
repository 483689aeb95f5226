"""ipykernel's shell with our names, magics and errors."""

from __future__ import annotations

import shlex
import sys
from collections import deque
from typing import Any, cast

from ipykernel.displayhook import ZMQShellDisplayHook
from ipykernel.zmqshell import ZMQInteractiveShell
from traitlets import Type

from ksrshell import magics, progress
from ksrshell.errors import UsageError
from ksrshell.holds import HoldNews
from ksrshell.namespace import Namespace
from ksrshell.news import News
from ksrshell.view import View

from . import errors
from .bar import Bar
from .host import USAGE, Host

#: Magics of the terminal that have no meaning in a notebook, and what to do instead.
_NOT_HERE = {
    "view": "%view is for terminals; trace(m) shows a run with a slider here",
    "edit": "%edit is for terminals; %%swap with the function below it swaps here",
}
#: Lines of news that are kept for the next cell's end.
_NEWS = 50


class KsrDisplayHook(ZMQShellDisplayHook):
    """Shows the value of a cell. A value of ours that cannot be shown is the cell's error, not a note beside it."""

    def compute_format_data(self, result: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        if not isinstance(result, View):
            made: tuple[dict[str, Any], dict[str, Any]] = cast(Any, super()).compute_format_data(result)
            return made
        try:
            return result._repr_mimebundle_(), {}
        except BaseException:
            self.msg = None
            raise


class KsrKernelShell(ZMQInteractiveShell):
    """The shell of one kernel. ``host`` has the proxy and the names."""

    host: Host
    displayhook_class = cast(Any, Type)(KsrDisplayHook)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        cast(Any, super()).__init__(*args, **kwargs)
        ours = cast(Any, self)
        ours.Completer.use_jedi = False  # it knows nothing of KSR, and guesses slowly
        self._news: deque[str] = deque(maxlen=_NEWS)
        host = self.host
        host.listeners += [News(self.notice), HoldNews(self.notice)]
        ours.events.register("post_run_cell", self._tell)
        for table, kind in ((magics.LINE, "line"), (magics.CELL, "cell")):
            for name, function in table.items():
                theirs = ours.find_line_magic(name) if kind == "line" else None
                ours.register_magic_function(_magic(host.namespace, function, name, theirs), kind, name)
        ours.register_magic_function(self._proxy, "line", "proxy")
        progress.report = Bar()

    def _proxy(self, line: str) -> Any:
        """%proxy: which proxy this notebook has. %proxy demo, %proxy start SCRIPT, %proxy attach NAME, %proxy stop."""
        try:
            words = shlex.split(line)
        except ValueError as error:
            raise UsageError(f"usage: {USAGE}: {error}") from None
        return self.host.magic(words)

    def init_user_ns(self) -> None:
        """At the start, and after ``%reset`` has taken all names out: ours are there."""
        cast(Any, super()).init_user_ns()
        self.host.namespace.restore()

    # -- errors ---------------------------------------------------------------------------------------------------

    def showtraceback(self, exc_tuple: Any = None, *args: Any, **kwargs: Any) -> None:
        kind, error, tb = exc_tuple or sys.exc_info()
        if error is None:
            cast(Any, super()).showtraceback(exc_tuple, *args, **kwargs)
            return
        ended = self.host.ended() if isinstance(error, ConnectionError) else ""
        made = errors.lines(error, ended)
        if made is not None:
            cast(Any, self)._showtraceback(kind, error, made)
            return
        kept = errors.pruned(tb)
        kwargs["tb_offset"] = 0  # the frames of IPython are gone already
        cast(Any, super()).showtraceback((kind, error, kept) if kept is not None else exc_tuple, *args, **kwargs)

    # -- news -----------------------------------------------------------------------------------------------------

    def notice(self, text: str, style: str = "") -> None:
        """A line that did not come from a cell: it is shown below the next one, not in the middle of another's."""
        self._news.append(text)

    def _tell(self, result: Any = None) -> None:
        while self._news:
            sys.stdout.write(f"{errors.DIM}{self._news.popleft()}{errors.END}\n")


def _magic(namespace: Namespace, function: magics.Magic, name: str, theirs: Any) -> Any:
    """``theirs``: IPython's own magic of that name, which runs where the arguments are for it."""

    def run(line: str, cell: str | None = None) -> Any:
        if theirs is not None and not magics.ours(namespace, name, line):
            return theirs(line)
        if name in _NOT_HERE:
            raise UsageError(_NOT_HERE[name])
        return function(namespace, line, cell)

    run.__name__ = function.__name__
    run.__doc__ = function.__doc__
    return run
