"""KSR: Kamailio's modules, one file each, and the object scripts import."""

from __future__ import annotations

from .acc import Acc
from .alias_db import AliasDb
from .async_ import Async
from .auth import Auth
from .auth_db import AuthDb
from .auth_ephemeral import AuthEphemeral
from .auth_xkeys import AuthXkeys
from .cfgutils import Cfgutils
from .core import Core
from .corex import Corex
from .declare import Module
from .dialog import Dialogs
from .dialplan import Dialplan
from .dispatcher import Dispatcher
from .diversion import Diversion
from .dmq import Dmq
from .domain import Domain
from .drouting import Drouting
from .evapi import Evapi
from .group import Group
from .hdr import Hdr
from .htable import Htable
from .http_async_client import HttpAsyncClient
from .http_client import HttpClientModule
from .ipops import Ipops
from .jsonrpcs import Jsonrpcs
from .known import known
from .kx import Kx
from .log_systemd import LogSystemd
from .maxfwd import Maxfwd
from .mqueue import Mqueue
from .mtree import Mtree
from .nathelper import Nathelper
from .nats import Nats
from .ndb_redis import NdbRedis
from .path import Path
from .pdt import Pdt
from .permissions import Permissions
from .pike import Pike
from .pipelimit import Pipelimit
from .pv import Pv
from .pvx import Pvx
from .ratelimit import Ratelimit
from .regex import Regex
from .registrar import Registrar
from .rr import Rr
from .rtpengine import Rtpengine
from .rtpproxy import Rtpproxy
from .ruxc import Ruxc
from .sanity import Sanity
from .sdpops import Sdpops
from .sipdump import Sipdump
from .sipjson import Sipjson
from .siptrace import Siptrace
from .siputils import Siputils
from .sl import Sl
from .sqlops import Sqlops
from .statistics import Statistics
from .statsd import Statsd
from .textops import Textops
from .textopsx import Textopsx
from .tm import Tm
from .tmrec import Tmrec
from .tmx import Tmx
from .uac import Uac
from .uri_db import UriDb
from .userblocklist import Userblocklist
from .usrloc import Usrloc
from .uuid import Uuid
from .websocket import Websocket
from .x import X
from .xhttp import Xhttp
from .xhttp_prom import XhttpProm
from .xlog import Xlog
from .xmlrpc import Xmlrpc

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
    Dmq,
    Htable,
    Pike,
    Dialogs,
    Acc,
    Rtpproxy,
    Rtpengine,
    Dispatcher,
    Uac,
    Siptrace,
    Sipdump,
    Sipjson,
    Xhttp,
    Websocket,
    Jsonrpcs,
    Xmlrpc,
    NdbRedis,
    XhttpProm,
    HttpClientModule,
    HttpAsyncClient,
    Ruxc,
    Evapi,
    Nats,
    Ipops,
    Sdpops,
    Sqlops,
    Mqueue,
    Cfgutils,
    Regex,
    AuthXkeys,
    AuthEphemeral,
    AliasDb,
    Uuid,
    Domain,
    Group,
    Statistics,
    Diversion,
    Dialplan,
    Mtree,
    Pdt,
    Pipelimit,
    Ratelimit,
    Statsd,
    LogSystemd,
    Async,
    Drouting,
    Userblocklist,
    Tmrec,
    UriDb,
]

__all__ = ["MODULES", "known"]
