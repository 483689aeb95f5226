"""The kernel's process: connects as Jupyter says, and only to those who prove that they may."""

from __future__ import annotations

import sys
from typing import Any, cast

from ipykernel.kernelapp import IPKernelApp
from traitlets import Type

from .kernel import KsrKernel


class KsrKernelApp(IPKernelApp):
    """ipykernel's application with our kernel."""

    name = "ksr-kernel"
    kernel_class = cast(Any, Type)(KsrKernel, klass="ipykernel.kernelbase.Kernel")

    def init_connection_file(self) -> None:
        """Whoever sends a cell runs code as this user: by IPC, files of this user only; by TCP, with the key."""
        cast(Any, super()).init_connection_file()
        ours = cast(Any, self)
        if ours.transport != "ipc" and not ours.session.key:
            sys.exit(f"{ours.abs_connection_file}: no key, and {ours.transport} is open to everybody on this machine; "
                     "give the connection a key, or use IPC (--transport=ipc)")  # fmt: skip
