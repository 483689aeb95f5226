"""``python -m ksrkernel -f CONNECTION_FILE``: what Jupyter runs."""

from __future__ import annotations

import sys


def main() -> None:
    try:
        import ipykernel  # noqa: F401
    except ImportError:
        sys.exit("the KSR kernel needs ipykernel, which is not installed here: pip install 'ksrshell[kernel]'")
    from .app import KsrKernelApp

    KsrKernelApp.launch_instance()


if __name__ == "__main__":
    main()
