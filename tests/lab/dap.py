"""A client of the Debug Adapter Protocol over a real adapter's pipes; every message is checked by the schema."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import jsonschema

from ksrshell.dap.wire import read_message, write_message

Body = dict[str, Any]

SCHEMA: Body = json.loads((Path(__file__).parents[1] / "shell" / "dap" / "debugAdapterProtocol.json").read_text())


def check(definition: str, message: Body) -> None:
    """Raises when the message is not what that definition of the protocol says."""
    if definition not in SCHEMA["definitions"]:
        raise AssertionError(f"the protocol has no {definition}: {message}")
    schema = {"$ref": f"#/definitions/{definition}", "definitions": SCHEMA["definitions"]}
    validator = jsonschema.Draft4Validator(schema)
    errors = [f"{list(error.absolute_path)}: {error.message}" for error in validator.iter_errors(message)]
    assert not errors, f"{definition}: {errors}: {message}"


class DapError(Exception):
    """The adapter refused a request: its message."""


class DapClient:
    """``with DapClient(environment) as editor``: an adapter process and what it said."""

    def __init__(self, environment: dict[str, str] | None = None, timeout: float = 20.0) -> None:
        self.timeout = timeout
        self.process = subprocess.Popen(
            [sys.executable, "-m", "ksrshell", "dap"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, **(environment or {})},
        )
        self.events: queue.Queue[Body] = queue.Queue()
        self.seen: list[Body] = []
        self._answers: dict[int, queue.Queue[Body]] = {}
        self._seq = 0
        self._problems: list[str] = []
        self._reader = threading.Thread(target=self._read, name="dap-client", daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        while (message := read_message(self.process.stdout)) is not None:  # type: ignore[arg-type]
            try:
                if message["type"] == "event":
                    name = message["event"]
                    check(name[0].upper() + name[1:] + "Event", message)
                    self.events.put(message)
                else:
                    command = message["command"]
                    kind = "ErrorResponse" if not message["success"] else command[0].upper() + command[1:] + "Response"
                    check(kind, message)
                    self._answers[message["request_seq"]].put(message)
            except AssertionError as error:
                self._problems.append(str(error))
        self.events.put({"event": "<end>", "body": {}})

    def post(self, command: str, arguments: Body | None = None) -> int:
        """Send a request and do not wait for its answer; its number."""
        self._seq += 1
        message: Body = {"seq": self._seq, "type": "request", "command": command}
        if arguments is not None:
            message["arguments"] = arguments
        check(command[0].upper() + command[1:] + "Request", message)
        self._answers[self._seq] = queue.Queue()
        assert self.process.stdin is not None
        write_message(self.process.stdin, message)  # type: ignore[arg-type]
        return self._seq

    def answer(self, number: int) -> Body:
        """The body of the answer. Raises :class:`DapError` when the request was refused."""
        message = self._answers[number].get(timeout=self.timeout)
        assert not self._problems, self._problems
        if not message["success"]:
            raise DapError(message.get("message"))
        return dict(message.get("body") or {})

    def ask(self, command: str, arguments: Body | None = None) -> Body:
        return self.answer(self.post(command, arguments))

    def wait(self, name: str, fits: Callable[[Body], bool] = lambda body: True) -> Body:
        """The body of the next event of that name that fits; others are kept in ``seen``."""
        while True:
            try:
                message = self.events.get(timeout=self.timeout)
            except queue.Empty:
                raise AssertionError(f"no event {name!r} came; problems {self._problems}, seen {self.seen}") from None
            assert not self._problems, self._problems
            self.seen.append(message)
            if message["event"] == name and fits(message.get("body") or {}):
                return dict(message.get("body") or {})
            assert message["event"] != "<end>", f"the adapter ended before {name!r}: {self.seen}"

    def start(self, command: str, arguments: Body) -> Body:
        """initialize, attach or launch, and wait until breakpoints can be set; the capabilities."""
        able = self.ask("initialize", {"adapterID": "ksrshell", "clientID": "tests", "pathFormat": "path"})
        number = self.post(command, arguments)
        self.answer(number)
        self.wait("initialized")
        return able

    def output(self) -> str:
        """All that the debug console has shown so far."""
        while not self.events.empty():
            self.seen.append(self.events.get())
        return "".join(m["body"]["output"] for m in self.seen if m["event"] == "output")

    def close(self) -> int:
        """Close the adapter's input, as an editor that ends; its exit code."""
        assert self.process.stdin is not None and self.process.stdout is not None and self.process.stderr is not None
        self.process.stdin.close()
        try:
            code = self.process.wait(self.timeout)
        finally:
            self.process.kill()
            self._reader.join(5.0)
            errors = self.process.stderr.read().decode()
            self.process.stdout.close()
            self.process.stderr.close()
        assert not self._problems, self._problems
        assert "Traceback" not in errors, errors
        return code

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        if self.process.returncode is None:
            self.close()
