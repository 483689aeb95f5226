"""The modules of a proxy, by name and, for those that other parts of the core call, by typed attribute."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .kemi.declare import Module

if TYPE_CHECKING:
    from .kemi.acc import Acc
    from .kemi.auth import Auth
    from .kemi.dialog import Dialogs
    from .kemi.dmq import Dmq
    from .kemi.htable import Htable
    from .kemi.jsonrpcs import Jsonrpcs
    from .kemi.pv import Pv
    from .kemi.registrar import Registrar
    from .kemi.rr import Rr
    from .kemi.sl import Sl
    from .kemi.tm import Tm
    from .kemi.usrloc import Usrloc
    from .kemi.x import X
    from .kemi.xhttp import Xhttp
    from .kemi.xmlrpc import Xmlrpc


class Modules(dict[str, Module]):
    """Modules by Kamailio's name ('' for the core), in the order they were put in.

    ``modules.tm`` is ``modules["tm"]`` with its type, for the names below; like that one it is there once the module
    is (AttributeError before).
    """

    acc: Acc
    auth: Auth
    dialog: Dialogs
    dmq: Dmq
    htable: Htable
    jsonrpcs: Jsonrpcs
    pv: Pv
    registrar: Registrar
    rr: Rr
    sl: Sl
    tm: Tm
    usrloc: Usrloc
    x: X
    xhttp: Xhttp
    xmlrpc: Xmlrpc

    def __setitem__(self, name: str, module: Module) -> None:
        super().__setitem__(name, module)
        if name in Modules.__annotations__:
            setattr(self, name, module)
