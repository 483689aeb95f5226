"""``ksrshell kernel``: tells Jupyter of other environments about the kernel."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

import click

NAME = "ksr"
NEEDS = "the KSR kernel needs ipykernel, which is not installed here: pip install 'ksrshell[kernel]'"


@click.group()
def kernel() -> None:
    """The Jupyter kernel: notebooks, VS Code, `jupyter console --kernel ksr`.

    In the environment that ksrshell is installed in it is there by itself.
    """


@kernel.command()
@click.option("--user", is_flag=True, help="For this user, in all environments (default).")
@click.option("--prefix", metavar="FOLDER", default="", help="For the environment in FOLDER, such as a venv.")
@click.option("--sys-prefix", is_flag=True, help="For the environment that this command runs in.")
def install(user: bool, prefix: str, sys_prefix: bool) -> None:
    """Make "KSR (SIP routing)" appear in the Jupyter of another environment; it runs the ksrshell of this one.

    `jupyter kernelspec remove ksr` takes it out again.

    \b
    Examples:
      ksrshell kernel install
      ksrshell kernel install --prefix ~/jupyter-venv
    """
    if user + bool(prefix) + sys_prefix > 1:
        raise click.UsageError("--user, --prefix and --sys-prefix exclude each other")
    if find_spec("ipykernel") is None or find_spec("jupyter_client") is None:
        raise click.ClickException(NEEDS)
    from jupyter_client.kernelspec import KernelSpecManager

    where = sys.prefix if sys_prefix else str(Path(prefix).expanduser()) if prefix else None
    with tempfile.TemporaryDirectory(prefix="ksrshell-kernel-") as folder:
        resources(Path(folder), sys.executable)
        try:
            manager = KernelSpecManager()
            target = manager.install_kernel_spec(folder, NAME, user=where is None, prefix=where)
        except OSError as error:
            raise click.ClickException(
                f"cannot write {error.filename or where}: {error.strerror or error}; --user needs no rights of others"
            ) from None
    click.echo(f"installed {target}")


def resources(folder: Path, python: str) -> None:
    """The kernelspec's files, for the interpreter at ``python``."""
    import ksrkernel

    source = Path(str(ksrkernel.__file__)).parent / "resources"
    for path in source.iterdir():
        shutil.copy(path, folder)
    spec = json.loads((source / "kernel.json").read_text())
    spec["argv"][0] = python
    (folder / "kernel.json").write_text(json.dumps(spec, indent=1) + "\n")
