# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module kx."""

from typing import Any

def get_au() -> Any | None:
    """The user of the digest credentials (Authorization, else Proxy-Authorization), None without one."""

def get_body() -> Any | None:
    """The body, None without one."""

def get_bodylen() -> int:
    """The length of the body in bytes."""

def get_callid() -> Any | None:
    """Call-ID, None without one."""

def get_conid() -> int:
    """The id of the connection it came by, -1 for UDP."""

def get_cturi() -> Any | None:
    """The URI of the last Contact of the first field, None without one."""

def get_def(name: str, /) -> Any | None:
    """The value of a define, '' when there is none."""

def get_defn(name: str, /) -> int:
    """The value of a define as a number, 0 when there is none or it is no number."""

def get_duri() -> Any | None:
    """The destination URI, None without one."""

def get_env(name: str, /) -> Any | None:
    """An environment variable of the proxy, '' when there is none."""

def get_envn(name: str, /) -> int:
    """An environment variable as a number, 0 when there is none or it is no number."""

def get_fhost() -> Any | None:
    """The host of the From URI, None without one."""

def get_furi() -> Any | None:
    """The From URI."""

def get_fuser() -> Any | None:
    """The user of the From URI, None without one."""

def get_method() -> Any | None:
    """The method; for a reply that of its CSeq."""

def get_msgbuf() -> Any | None:
    """The message as it came."""

def get_msglen() -> int:
    """The length of the message in bytes."""

def get_msgtype() -> int:
    """1 for a request, 2 for a reply."""

def get_nhuri() -> Any | None:
    """The URI of the next hop: the destination URI, else the Request-URI; None for a reply."""

def get_ouri() -> Any | None:
    """The Request-URI as it came, None for a reply."""

def get_proto() -> Any | None:
    """The transport it came by: udp, tcp, tls ..."""

def get_protoid() -> int:
    """The number of the transport: 1 udp, 2 tcp, 3 tls, 4 sctp, 5 ws, 6 wss; 0 for none."""

def get_rcv_sock_name() -> Any | None:
    """The name of the receiving socket, None without one."""

def get_rcvaddr_sock() -> Any | None:
    """The receiving socket as ``proto:ip:port``."""

def get_rcvadvip() -> Any | None:
    """The address that the receiving socket advertises, or its own."""

def get_rcvadvport() -> Any | None:
    """The port that the receiving socket advertises, or its own."""

def get_rcvip() -> Any | None:
    """The local address it came in at."""

def get_rcvport() -> Any | None:
    """The local port it came in at."""

def get_rhost() -> Any | None:
    """The host of the Request-URI, None without one."""

def get_ruri() -> Any | None:
    """The Request-URI as the script has it, None for a reply."""

def get_ruser() -> Any | None:
    """The user of the Request-URI, None without one."""

def get_send_sock() -> Any | None:
    """The socket set to send from, ``proto:ip:port``, None when none is set."""

def get_send_sock_name() -> Any | None:
    """The name of the socket set to send from, None without one."""

def get_send_sock_port() -> int:
    """The port of the socket set to send from, 0 when none is set."""

def get_srcaddr_sock() -> Any | None:
    """The source as ``proto:ip:port``."""

def get_srcip() -> Any | None:
    """The source address."""

def get_srcport() -> Any | None:
    """The source port."""

def get_srcuri() -> Any | None:
    """The source as a URI: ``sip:ip:port;transport=tcp``, without transport for UDP."""

def get_status() -> int:
    """The status code of a reply, -1 for a request."""

def get_thost() -> Any | None:
    """The host of the To URI, None without one."""

def get_timestamp() -> int:
    """When the message came, unix time in seconds."""

def get_turi() -> Any | None:
    """The To URI."""

def get_tuser() -> Any | None:
    """The user of the To URI, None without one."""

def get_ua() -> Any | None:
    """User-Agent, None without one."""

def gete_au() -> Any:
    """The user of the digest credentials (Authorization, else Proxy-Authorization), '' without one."""

def gete_body() -> Any:
    """The body, '' without one."""

def gete_cturi() -> Any:
    """The URI of the last Contact of the first field, '' without one."""

def gete_duri() -> Any:
    """The destination URI, '' without one."""

def gete_fhost() -> Any:
    """The host of the From URI, '' without one."""

def gete_fuser() -> Any:
    """The user of the From URI, '' without one."""

def gete_rhost() -> Any:
    """The host of the Request-URI, '' without one."""

def gete_ruser() -> Any:
    """The user of the Request-URI, '' without one."""

def gete_thost() -> Any:
    """The host of the To URI, '' without one."""

def gete_tuser() -> Any:
    """The user of the To URI, '' without one."""

def gete_ua() -> Any:
    """User-Agent, '' without one."""

def gets_status() -> Any | None:
    """The status code of a reply as text, None for a request."""

def getw_au() -> Any:
    """The user of the digest credentials (Authorization, else Proxy-Authorization), '<null>' without one."""

def getw_body() -> Any:
    """The body, '<null>' without one."""

def getw_cturi() -> Any:
    """The URI of the last Contact of the first field, '<null>' without one."""

def getw_duri() -> Any:
    """The destination URI, '<null>' without one."""

def getw_fhost() -> Any:
    """The host of the From URI, '<null>' without one."""

def getw_fuser() -> Any:
    """The user of the From URI, '<null>' without one."""

def getw_rhost() -> Any:
    """The host of the Request-URI, '<null>' without one."""

def getw_ruser() -> Any:
    """The user of the Request-URI, '<null>' without one."""

def getw_thost() -> Any:
    """The host of the To URI, '<null>' without one."""

def getw_tuser() -> Any:
    """The user of the To URI, '<null>' without one."""

def getw_ua() -> Any:
    """User-Agent, '<null>' without one."""

def ifdef(name: str, /) -> bool:
    """Whether the configuration defines ``name``."""

def ifndef(name: str, /) -> bool:
    """Whether the configuration does not define ``name``."""
