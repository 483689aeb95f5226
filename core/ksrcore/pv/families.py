"""Declares the variables of Kamailio's core, pv, xlog, ipops and cfgutils modules: one file a family."""

from . import (  # noqa: F401
    address,
    auth,
    avp,
    branch,
    flags,
    headers,
    identity,
    message,
    misc,
    request,
    times,
    variables,
    via,
    xavp,
)
