"""Running code without a terminal: ``attach -c CODE`` and ``demo -c CODE``."""

from __future__ import annotations

import ast
import json
import linecache
import sys
import traceback
from types import TracebackType
from typing import Any, TextIO

from .errors import KsrShellError, RemoteError, UsageError
from .magics import CELL, LINE, explain
from .namespace import Namespace
from .view import View, to_json

#: The file name of the code in tracebacks.
FILE = "<code>"


class _Magics:
    """What ``get_ipython()`` is in transformed code: the magics and nothing else of IPython."""

    def __init__(self, namespace: Namespace) -> None:
        self._namespace = namespace

    def run_line_magic(self, name: str, line: str) -> Any:
        if name in ("pinfo", "pinfo2"):
            return explain(self._namespace, line)
        if name not in LINE:
            raise UsageError(
                f"no magic %{name} without a terminal; there are: {', '.join('%' + each for each in LINE)}"
            )
        return LINE[name](self._namespace, line, None)

    def run_cell_magic(self, name: str, line: str, cell: str) -> Any:
        if name not in CELL:
            raise UsageError(
                f"no magic %%{name} without a terminal; there are: {', '.join('%%' + each for each in CELL)}"
            )
        return CELL[name](self._namespace, line, cell)

    def __getattr__(self, name: str) -> Any:
        raise UsageError("shell commands (!command) need the prompt")


def parse(code: str) -> tuple[ast.Module, bool]:
    """The code as a syntax tree, magics translated; and whether a final semicolon asks for silence."""
    try:
        tree = ast.parse(code, FILE)
        # A function defined here can be given to swap().
        linecache.cache[FILE] = (len(code), None, code.splitlines(keepends=True), FILE)
    except SyntaxError as error:
        from IPython.core import inputtransformer2

        transformer: Any = inputtransformer2.TransformerManager
        try:
            tree = ast.parse(transformer().transform_cell(code), FILE)
        except SyntaxError:
            raise error from None
    return tree, code.rstrip().endswith(";")


def evaluate(namespace: Namespace, code: str) -> Any:
    """Run the statements of ``code``; the value of the last one when it is an expression, else None."""
    tree, quiet = parse(code)
    namespace.setdefault("get_ipython", lambda: _Magics(namespace))
    namespace.setdefault("__name__", "__main__")
    last: ast.Expression | None = None
    if tree.body and isinstance(tree.body[-1], ast.Expr):
        statement = tree.body.pop()
        assert isinstance(statement, ast.Expr)
        last = ast.Expression(statement.value)
    exec(compile(tree, FILE, "exec"), namespace)
    value = eval(compile(last, FILE, "eval"), namespace) if last is not None else None
    return None if quiet else value


def show(value: Any, as_json: bool, out: TextIO) -> None:
    """Print ``value`` as the prompt would (nothing for None), or as JSON."""
    if as_json:
        out.write(json.dumps(to_json(value), ensure_ascii=False) + "\n")
        return
    if value is None:
        return
    if isinstance(value, View):
        from .render.console import coloured, plain

        text = (coloured if out.isatty() else plain)(value)
    elif isinstance(value, list | dict | tuple | set):
        from IPython.lib import pretty

        pretty_text: Any = pretty.pretty
        text = pretty_text(value)
    else:
        text = repr(value)
    out.write(text + "\n")


def run(namespace: Namespace, code: str, *, as_json: bool = False, out: TextIO | None = None) -> int:
    """Run ``code`` and show the last expression's value. The exit code: 0, or 1 after one line on standard error."""
    out = sys.stdout if out is None else out
    if (out.encoding or "utf-8").lower().replace("-", "") != "utf8" and hasattr(out, "reconfigure"):
        out.reconfigure(errors="replace")
    try:
        show(evaluate(namespace, code), as_json, out)
        out.flush()
    except SystemExit as error:
        return error.code if isinstance(error.code, int) else int(error.code is not None)
    except BrokenPipeError:
        raise
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        return 130
    except Exception as error:
        sys.stderr.write(describe(error) + "\n")
        return 1
    return 0


def describe(error: BaseException, file: str = FILE) -> str:
    """An error in one line, with the line of the user's code where it has several; a routing script's frames below."""
    from .render.console import clean

    if isinstance(error, SyntaxError) and error.filename == file:
        return f"Error: line {error.lineno}: {error.msg}"
    text = clean(str(error))
    if not isinstance(error, KsrShellError):
        text = f"{type(error).__name__}: {text}" if text else type(error).__name__
    where = user_line(error.__traceback__, file)
    text = f"Error: {text}{where}"
    if isinstance(error, RemoteError) and error.traceback:
        text += "\n" + "\n".join(clean(line) for line in error.traceback.rstrip("\n").split("\n"))
    return text


def user_line(tb: TracebackType | None, file: str) -> str:
    """`` (line 3, in f)``: where in ``file`` the error arose; empty for its first line outside of functions."""
    frames = [frame for frame in traceback.extract_tb(tb) if frame.filename == file]
    if not frames or (frames[-1].lineno in (None, 1) and frames[-1].name == "<module>"):
        return ""
    inside = "" if frames[-1].name == "<module>" else f", in {frames[-1].name}"
    return f" (line {frames[-1].lineno}{inside})"
