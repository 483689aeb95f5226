# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module http_client."""

from typing import Any

def curl_connect(con: str, url: str, dpv: str, /) -> int:
    """GET ``url`` behind the URL of the connection ``con`` (httpcon) into ``dpv``, all of it; -1: no connection."""

def curl_connect_post(con: str, url: str, ctype: str, data: str, dpv: str, /) -> int:
    """POST ``data`` of the type ``ctype`` behind the URL of a connection: see ``curl_connect``."""

def get_hdrs(url: str, body: str, hdrs: str, dpv: str, /) -> int:
    """GET a URL, with a body unless that is '', and header fields divided by CR LF: see ``query``."""

def query(url: str, dpv: str, /) -> int:
    """GET a URL into the variable ``dpv`` (its first line, see query_result): the status, or libcurl's number."""

def query_post(url: str, post: str, dpv: str, /) -> int:
    """POST ``post`` to a URL, GET it when that is '': see ``query``."""

def query_post_hdrs(url: str, post: str, hdrs: str, dpv: str, /) -> int:
    """``query_post`` with header fields, divided by CR LF."""

def query_request(met: str, url: str, body: str, hdrs: str, respv: str, /) -> int:
    """Ask a URL by any method, with body and header fields ('' none): see ``query`` (Kamailio 6.0 and later)."""

def query_request_v2pk(text1: str, text2: str, text3: str, text4: str, text5: str, /) -> int:
    """Like query_request, over HTTP/2 without an upgrade."""
