"""Runs the KEMI script named by ``KSR_LAB_SCRIPT`` with the callbacks that app_python3 of Kamailio 5.6 insists on.

Without ksr_onsend_route an AttributeError stays pending in the worker and the script's next KSR call fails with it.
"""

import importlib.util
import os
from typing import Any


def load(path: str) -> Any:
    """The script at ``path`` as a module; its own ``import KSR`` finds what the server put into sys.modules."""
    spec = importlib.util.spec_from_file_location("ksr_lab_script", path)
    if spec is None or spec.loader is None:
        raise ImportError(f"KSR_LAB_SCRIPT={path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def mod_init() -> Any:
    routes = load(os.environ["KSR_LAB_SCRIPT"]).mod_init()
    if not hasattr(routes, "ksr_onsend_route"):
        type(routes).ksr_onsend_route = lambda self, msg: 1
    return routes
