"""A script that calls what the fuzz run tells it to: ``PLAN`` holds (path of a KSR function, arguments) in order.

It routes requests without authentication, forks, and arms every callback, so that replies come back through all of
them.
"""

import KSR

from ksrcore.kemi.declare import KsrError

PLAN = []


def play():
    for path, args in PLAN:
        function = KSR
        for part in path.split("."):
            function = getattr(function, part)
        try:
            function(*args)
        except KsrError:
            # A wrong argument is the script's business; whatever else comes out is a defect of the function.
            pass


def ksr_request_route(msg):
    play()
    if KSR.is_method_in("A") or KSR.siputils.has_totag() > 0:
        KSR.rr.loose_route()
        KSR.tm.t_relay()
        return 1
    if KSR.is_CANCEL():
        if KSR.tm.t_check_trans() > 0:
            KSR.tm.t_relay()
        return 1
    if KSR.tm.t_check_trans() == 0:
        return 1
    if KSR.is_REGISTER():
        KSR.registrar.save("location", 0)
        return 1
    KSR.rr.record_route()
    KSR.registrar.lookup("location")
    if KSR.is_INVITE():
        KSR.corex.append_branch_uri("sip:fork@10.3.0.1")
    KSR.tm.t_on_branch("ksr_branch")
    KSR.tm.t_on_reply("ksr_onreply")
    KSR.tm.t_on_failure("ksr_failure")
    KSR.tm.t_on_branch_failure("ksr_branch_failure")
    if KSR.tm.t_relay() < 0:
        KSR.sl.sl_reply_error()
    return 1


def ksr_branch(msg):
    play()
    return 1


def ksr_onreply(msg):
    play()
    return 1


def ksr_failure(msg):
    play()
    if KSR.tm.t_check_status("486") > 0:
        KSR.corex.append_branch_uri("sip:second@10.3.0.2")
        KSR.tm.t_relay()
    return 1


def ksr_branch_failure(msg):
    play()
    return 1


def ksr_reply_route(msg):
    play()
    return 1


def ksr_onsend_route(msg):
    play()
    return 1
