"""ksragent: lets ksrshell attach to a Kamailio that runs a KEMI script in Python (app_python3, app_python3s).

Standard library only, Python 3.9 and later. Two ways to put it in; this folder's parent has to be on Python's path:

- ``import ksragent`` as the last line of the script; or
- ``modparam("app_python3", "load", ".../ksragent.py")``, with the real script named by ``KSRAGENT_SCRIPT``: an
  environment variable of the server, or ``#!define KSRAGENT_SCRIPT "/etc/kamailio/script.py"`` in kamailio.cfg.

Imported anywhere else, also by a script on ksrshell's own core, it does nothing.
"""

import sys as _sys

if __name__ == "ksragent" and "KSR" in _sys.modules and "ksrcore" not in _sys.modules:
    from .install import install as _install

    _front = _install(_sys.modules[__name__])

    def __getattr__(name):  # type: ignore[no-untyped-def]
        if _front is None or name.startswith("__"):
            raise AttributeError(name)
        return getattr(_front, name)
