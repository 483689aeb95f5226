# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""Kamailio's KEMI interface."""

from typing import Any

from . import acc as acc
from . import acc_radius as acc_radius
from . import alias_db as alias_db
from . import app_jsdt as app_jsdt
from . import app_lua as app_lua
from . import app_python as app_python
from . import app_python3 as app_python3
from . import app_python3s as app_python3s
from . import app_ruby as app_ruby
from . import app_sqlang as app_sqlang
from . import auth as auth
from . import auth_db as auth_db
from . import auth_ephemeral as auth_ephemeral
from . import auth_radius as auth_radius
from . import auth_web3 as auth_web3
from . import auth_xkeys as auth_xkeys
from . import avpops as avpops
from . import benchmark as benchmark
from . import blst as blst
from . import call_control as call_control
from . import call_obj as call_obj
from . import carrierroute as carrierroute
from . import cdp as cdp
from . import cfgutils as cfgutils
from . import cnxcc as cnxcc
from . import corex as corex
from . import counters as counters
from . import crypto as crypto
from . import debugger as debugger
from . import dialog as dialog
from . import dialplan as dialplan
from . import dispatcher as dispatcher
from . import diversion as diversion
from . import dlgs as dlgs
from . import dmq as dmq
from . import domain as domain
from . import drouting as drouting
from . import enum as enum
from . import evapi as evapi
from . import exec as exec
from . import gcrypt as gcrypt
from . import geoip as geoip
from . import geoip2 as geoip2
from . import group as group
from . import hdr as hdr
from . import htable as htable
from . import http_async_client as http_async_client
from . import http_client as http_client
from . import imc as imc
from . import ims_charging as ims_charging
from . import ims_dialog as ims_dialog
from . import ims_diameter_server as ims_diameter_server
from . import ims_qos as ims_qos
from . import influxdbc as influxdbc
from . import ipops as ipops
from . import jansson as jansson
from . import jsonrpcs as jsonrpcs
from . import jwt as jwt
from . import jwt3 as jwt3
from . import kafka as kafka
from . import kazoo as kazoo
from . import keepalive as keepalive
from . import kex as kex
from . import kx as kx
from . import lcr as lcr
from . import ldap as ldap
from . import log_custom as log_custom
from . import log_systemd as log_systemd
from . import lwsc as lwsc
from . import maxfwd as maxfwd
from . import mediaproxy as mediaproxy
from . import microhttpd as microhttpd
from . import misc_radius as misc_radius
from . import mqtt as mqtt
from . import mqueue as mqueue
from . import msilo as msilo
from . import msrp as msrp
from . import mtree as mtree
from . import nat_traversal as nat_traversal
from . import nathelper as nathelper
from . import nats as nats
from . import ndb_mongodb as ndb_mongodb
from . import ndb_redis as ndb_redis
from . import nghttp2 as nghttp2
from . import path as path
from . import pdb as pdb
from . import pdt as pdt
from . import permissions as permissions
from . import phonenum as phonenum
from . import pike as pike
from . import pipelimit as pipelimit
from . import posops as posops
from . import prefix_route as prefix_route
from . import presence as presence
from . import presence_xml as presence_xml
from . import pua as pua
from . import pua_json as pua_json
from . import pv as pv
from . import pv_headers as pv_headers
from . import pvtpl as pvtpl
from . import pvx as pvx
from . import rabbitmq as rabbitmq
from . import ratelimit as ratelimit
from . import regex as regex
from . import registrar as registrar
from . import rls as rls
from . import rr as rr
from . import rtjson as rtjson
from . import rtpengine as rtpengine
from . import rtpproxy as rtpproxy
from . import ruxc as ruxc
from . import sanity as sanity
from . import sca as sca
from . import sdpops as sdpops
from . import secfilter as secfilter
from . import secsipid as secsipid
from . import sipcapture as sipcapture
from . import sipdump as sipdump
from . import sipjson as sipjson
from . import siprepo as siprepo
from . import sipt as sipt
from . import siptrace as siptrace
from . import siputils as siputils
from . import sl as sl
from . import slack as slack
from . import speeddial as speeddial
from . import sqlops as sqlops
from . import ss7ops as ss7ops
from . import sst as sst
from . import statistics as statistics
from . import statsc as statsc
from . import statsd as statsd
from . import stirshaken as stirshaken
from . import sworker as sworker
from . import tcpops as tcpops
from . import textops as textops
from . import textopsx as textopsx
from . import timer as timer
from . import tls as tls
from . import tm as tm
from . import tmrec as tmrec
from . import tmx as tmx
from . import topos as topos
from . import tsilo as tsilo
from . import uac as uac
from . import uac_redirect as uac_redirect
from . import uri_db as uri_db
from . import userblocklist as userblocklist
from . import utils as utils
from . import uuid as uuid
from . import websocket as websocket
from . import x as x
from . import xcap_server as xcap_server
from . import xhttp as xhttp
from . import xhttp_pi as xhttp_pi
from . import xhttp_prom as xhttp_prom
from . import xhttp_rpc as xhttp_rpc
from . import xlog as xlog
from . import xmlrpc as xmlrpc

def add_local_rport() -> bool:
    """Put ``rport`` into the Via that this proxy adds."""

def add_tcp_alias(port: int, /) -> int:
    """Let requests to the sender's address and ``port`` reuse this connection; 1 without effect over UDP."""

def add_tcp_alias_via() -> int:
    """Like ``add_tcp_alias`` with the port of the topmost Via; 0 when the alias was refused."""

def crit(text: str, /) -> None:
    """Log at level CRITICAL."""

def dbg(text: str, /) -> None:
    """Log at level DEBUG."""

def err(text: str, /) -> None:
    """Log at level ERROR."""

def force_rport() -> bool:
    """Reply to the address and port the request came from, even without ``rport`` in its Via (RFC 3581)."""

def forward() -> int:
    """Forward the request to its destination URI or Request-URI without a transaction. 1, or -1 when it cannot."""

def forward_uri(uri: str, /) -> int:
    """Forward the request to ``uri`` ('' its own destination), keeping no transaction. 1, or -1 when it cannot."""

def get_debug() -> int:
    """The finest level that is logged, as Kamailio's ``debug`` parameter: 3 dbg, 2 info ... -1 err, -2 crit."""

def info(text: str, /) -> None:
    """Log at level INFO."""

def is_ACK() -> bool:
    """Whether the request, or the one a reply answers (CSeq), is ACK."""

def is_BYE() -> bool:
    """Whether the request, or the one a reply answers (CSeq), is BYE."""

def is_CANCEL() -> bool:
    """Whether the request, or the one a reply answers (CSeq), is CANCEL."""

def is_DELETE() -> bool:
    """Whether the request, or the one a reply answers (CSeq), is DELETE."""

def is_GET() -> bool:
    """Whether the request, or the one a reply answers (CSeq), is GET."""

def is_INFO() -> bool:
    """Whether the request, or the one a reply answers (CSeq), is INFO."""

def is_INVITE() -> bool:
    """Whether the request, or the one a reply answers (CSeq), is INVITE."""

def is_IPv4() -> bool:
    """Whether the message came in over IPv4."""

def is_IPv6() -> bool:
    """Whether the message came in over IPv6."""

def is_KDMQ() -> bool:
    """Whether the request, or the one a reply answers (CSeq), is KDMQ."""

def is_MESSAGE() -> bool:
    """Whether the request, or the one a reply answers (CSeq), is MESSAGE."""

def is_NOTIFY() -> bool:
    """Whether the request, or the one a reply answers (CSeq), is NOTIFY."""

def is_OPTIONS() -> bool:
    """Whether the request, or the one a reply answers (CSeq), is OPTIONS."""

def is_POST() -> bool:
    """Whether the request, or the one a reply answers (CSeq), is POST."""

def is_PRACK() -> bool:
    """Whether the request, or the one a reply answers (CSeq), is PRACK."""

def is_PUBLISH() -> bool:
    """Whether the request, or the one a reply answers (CSeq), is PUBLISH."""

def is_PUT() -> bool:
    """Whether the request, or the one a reply answers (CSeq), is PUT."""

def is_REFER() -> bool:
    """Whether the request, or the one a reply answers (CSeq), is REFER."""

def is_REGISTER() -> bool:
    """Whether the request, or the one a reply answers (CSeq), is REGISTER."""

def is_SCTP() -> bool:
    """Whether the message came in over sctp."""

def is_SUBSCRIBE() -> bool:
    """Whether the request, or the one a reply answers (CSeq), is SUBSCRIBE."""

def is_TCP() -> bool:
    """Whether the message came in over tcp."""

def is_TCPX() -> bool:
    """Whether the message came in over tcp or tls or ws or wss."""

def is_TLS() -> bool:
    """Whether the message came in over tls."""

def is_UDP() -> bool:
    """Whether the message came in over udp."""

def is_UPDATE() -> bool:
    """Whether the request, or the one a reply answers (CSeq), is UPDATE."""

def is_WS() -> bool:
    """Whether the message came in over ws."""

def is_WSS() -> bool:
    """Whether the message came in over wss."""

def is_WSX() -> bool:
    """Whether the message came in over ws or wss."""

def is_dst_port(port: int, /) -> bool:
    """Whether the message came in on that port."""

def is_method(method: str, /) -> bool:
    """Whether the method is ``method`` or one of several (``INVITE|OPTIONS``), in any case; a reply has its CSeq's.

    As in Kamailio several are read only when it knows them all (the last may be empty): else it is False.
    """

def is_method_in(letters: str, /) -> bool:
    """Whether the method is one of those named by ``letters``.

    A ACK, B BYE, C CANCEL, D DELETE, E PRACK, F REFER, G GET, I INVITE, K KDMQ, M MESSAGE, N NOTIFY, O OPTIONS,
    P PUBLISH, R REGISTER, S SUBSCRIBE, T POST, U UPDATE, V PUT; INFO has no letter.
    """

def is_myself(uri: str, /) -> bool:
    """Whether a ``sip:``/``sips:`` URI (host, port and transport) or a bare host is one of our own."""

def is_myself_duri() -> bool:
    """Whether the destination URI is set and one of our own."""

def is_myself_furi() -> bool:
    """Whether the From URI is one of our own."""

def is_myself_nhuri() -> bool:
    """Whether the next hop, the destination URI or else the Request-URI, is one of our own."""

def is_myself_ruri() -> bool:
    """Whether the Request-URI, rewritten or as it came, is one of our own."""

def is_myself_srcip() -> bool:
    """Whether the source address is one of ours, on any port."""

def is_myself_suri() -> bool:
    """Whether source address, port and transport are those of a socket of ours."""

def is_myself_turi() -> bool:
    """Whether the To URI is one of our own."""

def is_proto(letters: str, /) -> bool:
    """Whether the transport is one of ``letters``: u UDP, t TCP, e TLS, s SCTP, w WS, v WSS, in any case."""

def is_src_port(port: int, /) -> bool:
    """Whether the message came from that port."""

def isbflagset(flag: int, /) -> bool:
    """Whether a flag of the main branch is set."""

def isbiflagset(flag: int, branch: int, /) -> bool:
    """Whether a flag of branch ``branch`` is set."""

def isdsturiset() -> bool:
    """Whether a destination URI is set."""

def isflagset(flag: int, /) -> bool:
    """Whether a message flag is set."""

def issflagset(flag: int, /) -> bool:
    """Whether a script flag is set."""

def log(level: str, text: str, /) -> None:
    """Log at ``level``: dbg, info, notice, warn, err or crit, in any case; any other is err."""

def notice(text: str, /) -> None:
    """Log at level NOTICE."""

def resetbflag(flag: int, /) -> bool:
    """Clear a flag of the main branch."""

def resetbiflag(flag: int, branch: int, /) -> bool:
    """Clear a flag of branch ``branch``."""

def resetdsturi() -> bool:
    """Forget the destination URI."""

def resetflag(flag: int, /) -> bool:
    """Clear a message flag."""

def resetsflag(flag: int, /) -> bool:
    """Clear a script flag."""

def route(name: str, /) -> int:
    """Call the script's callback ``name`` on this message and return its number; -1 when there is none.

    An exit in it ends that callback only.
    """

def set_advertised_address(host: str, /) -> int:
    """The host that the Via of this message's forwarded form names; '' goes back to the socket's own."""

def set_advertised_port(port: str, /) -> int:
    """The port that the Via of this message's forwarded form names; '' goes back to the socket's own."""

def set_drop() -> None:
    """When the callback has ended, drop the message: a reply is not forwarded, a branch not sent."""

def set_forward_close() -> bool:
    """Close the connection (TCP and kin) once the request was forwarded over it."""

def set_forward_no_connect() -> bool:
    """Forward over an existing connection only (TCP and kin)."""

def set_reply_close() -> bool:
    """Close the connection (TCP and kin) once the reply was sent over it."""

def set_reply_no_connect() -> bool:
    """Reply over an existing connection only (TCP and kin)."""

def setbflag(flag: int, /) -> bool:
    """Set a flag of the main branch, the Request-URI's."""

def setbiflag(flag: int, branch: int, /) -> bool:
    """Set a flag of branch ``branch``: 0 the main one, from 1 those of the destination set.

    True also when there is no such branch, as in Kamailio.
    """

def setdsturi(uri: str, /) -> bool:
    """Set the destination URI: where the request goes whatever its Request-URI says; '' takes it back."""

def setflag(flag: int, /) -> bool:
    """Set a message flag; it goes with the transaction."""

def sethost(host: str, /) -> bool:
    """Rewrite the host of the Request-URI; ``host:port`` rewrites the port too."""

def setsflag(flag: int, /) -> bool:
    """Set a script flag: it lasts until the callback ends."""

def seturi(uri: str, /) -> bool:
    """Rewrite the Request-URI. The text is not checked, as in Kamailio: what uses it later fails then."""

def setuser(user: str, /) -> bool:
    """Rewrite the user part of the Request-URI; '' removes it."""

def to_IPv4() -> bool:
    """In an onsend route: whether the message goes out over IPv4; elsewhere False."""

def to_IPv6() -> bool:
    """In an onsend route: whether the message goes out over IPv6; elsewhere False."""

def to_SCTP() -> bool:
    """In an onsend route: whether the message goes out over sctp; elsewhere False."""

def to_TCP() -> bool:
    """In an onsend route: whether the message goes out over tcp; elsewhere False."""

def to_TLS() -> bool:
    """In an onsend route: whether the message goes out over tls; elsewhere False."""

def to_UDP() -> bool:
    """In an onsend route: whether the message goes out over udp; elsewhere False."""

def to_WS() -> bool:
    """In an onsend route: whether the message goes out over ws; elsewhere False."""

def to_WSS() -> bool:
    """In an onsend route: whether the message goes out over wss; elsewhere False."""

def to_WSX() -> bool:
    """In an onsend route: whether the message goes out over ws or wss; elsewhere False."""

def warn(text: str, /) -> None:
    """Log at level WARNING."""
