"""The script that both servers run for the parity suite: it executes the case that is being played.

Who plays the cases writes ``NUMBER STEP`` into the file ``current`` of the folder ``KSR_PARITY_DIR``; case-NUMBER.py
beside it is the case's script. What happened goes to the socket ``notes`` there, a datagram of JSON each: callbacks
entered and left, the result of every KSR call, what the script notes.
"""

import json
import os
import socket
import sys
import types

import KSR

DIR = os.environ["KSR_PARITY_DIR"]
CURRENT = os.open(f"{DIR}/current", os.O_RDONLY)
NOTES = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
NOTES.connect(f"{DIR}/notes")

#: Functions that only log: their results say nothing.
SILENT = {"dbg", "info", "notice", "warn", "err", "crit", "alert", "log", "xinfo", "xwarn", "xerr", "xdbg", "xnotice"}


def tell(kind, *values):
    try:
        NOTES.send(json.dumps([kind, *values], default=repr).encode())
    except OSError as error:
        NOTES.send(json.dumps([kind, *(str(value)[:200] for value in values[:-1]), f"!{error}"]).encode())


def kind_of(error):
    """The kind of an exception by Python's own name for it: ours derive from these."""
    return next(kind.__name__ for kind in type(error).__mro__ if kind.__module__ == "builtins")


def where():
    """Case and step that are being played."""
    number, step = os.pread(CURRENT, 64, 0).split()
    return int(number), int(step)


class Told:
    """The KSR object, or a module of it, telling the result of each call."""

    def __init__(self, real, path):
        self.__dict__.update(_real=real, _path=path, _made={})

    def __getattr__(self, name):
        made = self._made.get(name)
        if made is None:
            path = f"{self._path}.{name}"
            try:
                real = getattr(self._real, name)
            except AttributeError:
                tell("call", path, "!AttributeError")
                raise
            if isinstance(real, types.ModuleType):
                made = Told(real, path)
            elif name in SILENT:
                made = real
            else:
                made = told(real, path)
            self._made[name] = made
        return made


def told(function, path):
    def call(*args):
        text = f"{path}({', '.join(map(repr, args))})"
        try:
            result = function(*args)
        except BaseException as error:
            tell("call", text, f"!{kind_of(error)}")
            raise
        tell("call", text, result)
        return result

    return call


class Case:
    """The script of one case."""

    def __init__(self, number):
        self.number = number
        self.step = 0
        path = f"{DIR}/case-{number}.py"
        with open(path, encoding="utf-8") as file:
            source = file.read()
        module = types.ModuleType(f"case_{number}")
        module.__file__ = path
        module.KSR = Told(KSR, "KSR")
        module.note = lambda *values: tell("note", *values)
        module.evaluate = self.evaluate
        self.names = {"KSR": KSR, "note": module.note}
        before = sys.modules.get("KSR")
        sys.modules["KSR"] = module.KSR
        try:
            exec(compile(source, path, "exec"), module.__dict__)
            init = getattr(module, "mod_init", None)
            handler = init() if init is not None else module
            if hasattr(handler, "child_init"):
                handler.child_init(1)
        finally:
            sys.modules["KSR"] = before
        self.handler = handler
        self.evals = getattr(module, "EVALS", {})

    def evaluate(self, msg=None):
        """The case's ``eval`` lines for this step: each is told with its result."""
        self.names["msg"] = msg
        for line in self.evals.get(self.step, ()):
            try:
                code, value = compile(line, "<eval>", "eval"), True
            except SyntaxError:
                code, value = compile(line, "<eval>", "exec"), False
            try:
                result = eval(code, self.names)
            except SystemExit:
                tell("call", line, "!SystemExit")
                raise
            except Exception as error:
                tell("call", line, f"!{kind_of(error)}")
            else:
                if value:
                    tell("call", line, result)
        return 1


class Handler:
    """The object with the callbacks: each is the one of the case at hand."""

    def __init__(self):
        self.case = None

    def current(self):
        number, step = where()
        if self.case is None or self.case.number != number:
            try:
                self.case = Case(number)
            except Exception as error:
                tell("note", "the script does not load", f"{type(error).__name__}: {error}")
                raise
        self.case.step = step
        return self.case

    def child_init(self, rank):
        return 1

    def run(self, name, msg, args):
        case = self.current()
        function = getattr(case.handler, name, None)
        if function is None:
            if name in ("ksr_request_route", "ksr_reply_route") and case.evals:
                return case.evaluate(msg)
            if name in ("ksr_reply_route", "ksr_onsend_route"):
                return 1
            raise AttributeError(name)
        tell("enter", name, *args)
        try:
            result = function(msg, *args)
        except BaseException as error:
            tell("leave", name, f"!{kind_of(error)}")
            raise
        tell("leave", name, result)
        return result if type(result) is int else 1

    def ksr_request_route(self, msg):
        if KSR.pv.get("$rm") == "PARITY":
            tell("barrier", KSR.pv.get("$ru"))
            return 1
        return self.run("ksr_request_route", msg, ())

    def ksr_reply_route(self, msg):
        return self.run("ksr_reply_route", msg, ())

    def ksr_onsend_route(self, msg):
        return self.run("ksr_onsend_route", msg, ())

    def __getattr__(self, name):
        if name.startswith("_") or name in ("case", "mod_init"):
            raise AttributeError(name)
        # Events of the server's start come before the first case.
        if where()[0] and not hasattr(self.current().handler, name):
            raise AttributeError(name)
        return lambda msg, *args: self.run(name, msg, args) if where()[0] else 1


def mod_init():
    return Handler()
