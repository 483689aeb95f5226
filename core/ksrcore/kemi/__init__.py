"""KSR: Kamailio's modules, one file each, and the object scripts import."""

from __future__ import annotations

from .acc import Acc
from .auth import Auth
from .auth_db import AuthDb
from .core import Core
from .corex import Corex
from .declare import Module
from .dispatcher import Dispatcher
from .hdr import Hdr
from .htable import Htable
from .ipops import Ipops
from .known import known
from .kx import Kx
from .maxfwd import Maxfwd
from .nathelper import Nathelper
from .ndb_redis import NdbRedis
from .path import Path
from .permissions import Permissions
from .pike import Pike
from .pv import Pv
from .pvx import Pvx
from .registrar import Registrar
from .rr import Rr
from .rtpproxy import Rtpproxy
from .sanity import Sanity
from .sdpops import Sdpops
from .siputils import Siputils
from .sl import Sl
from .sqlops import Sqlops
from .textops import Textops
from .textopsx import Textopsx
from .tm import Tm
from .tmx import Tmx
from .usrloc import Usrloc
from .x import X
from .xhttp import Xhttp
from .xlog import Xlog

#: Every module there is, in the order they are started.
MODULES: list[type[Module]] = [
    Core,
    Pv,
    Pvx,
    X,
    Xlog,
    Sl,
    Tm,
    Tmx,
    Hdr,
    Maxfwd,
    Sanity,
    Rr,
    Corex,
    Siputils,
    Nathelper,
    Path,
    Kx,
    Textops,
    Textopsx,
    Auth,
    AuthDb,
    Usrloc,
    Registrar,
    Permissions,
    Htable,
    Pike,
    Acc,
    Rtpproxy,
    Dispatcher,
    Xhttp,
    NdbRedis,
    Ipops,
    Sdpops,
    Sqlops,
]

__all__ = ["MODULES", "known"]
