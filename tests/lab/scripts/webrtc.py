"""A proxy for browsers: SIP over WebSocket, aliases for contacts that name no address, calls between both worlds."""

import KSR


def ksr_xhttp_event(msg, evname):
    KSR.set_reply_close()
    KSR.set_reply_no_connect()
    if KSR.pv.get("$rm") == "GET" and "websocket" in (KSR.pv.get("$hdr(Upgrade)") or "").lower():
        if KSR.websocket.handle_handshake() > 0:
            return 1
    KSR.xhttp.xhttp_reply(404, "Not Found", "", "")
    return 1


def ksr_websocket_event(msg, evname):
    KSR.info(f"{evname}: {KSR.pv.get('$si')}:{KSR.pv.get('$sp')}\n")
    return 1


def ksr_request_route(msg):
    if KSR.maxfwd.process_maxfwd(10) < 0:
        KSR.sl.send_reply(483, "Too Many Hops")
        return 1
    if KSR.nathelper.nat_uac_test(64) > 0:
        KSR.force_rport()
        if KSR.is_REGISTER():
            KSR.nathelper.fix_nated_register()
        elif KSR.nathelper.add_contact_alias() < 0:
            KSR.sl.send_reply(400, "Bad Request")
            return 1
    if KSR.is_CANCEL():
        if KSR.tm.t_check_trans() > 0:
            relay()
        return 1
    if KSR.siputils.has_totag() > 0:
        if KSR.rr.loose_route() < 0:
            if KSR.is_ACK():
                if KSR.tm.t_check_trans() > 0:
                    KSR.tm.t_relay()
            else:
                KSR.sl.send_reply(404, "Not here")
            return 1
        if KSR.pv.is_null("$du") and KSR.nathelper.handle_ruri_alias() < 0:
            KSR.sl.send_reply(400, "Bad Request")
            return 1
        relay()
        return 1
    if KSR.is_REGISTER():
        KSR.registrar.save("location", 0)
        return 1
    if KSR.is_method_in("IS"):
        KSR.rr.record_route()
    if KSR.registrar.lookup("location") < 0:
        KSR.sl.send_reply(404, "Not Found")
        return 1
    relay()
    return 1


def relay():
    KSR.tm.t_on_reply("ksr_onreply")
    if KSR.tm.t_relay() < 0:
        KSR.sl.sl_reply_error()


def ksr_onreply(msg):
    if KSR.nathelper.nat_uac_test(64) > 0:
        KSR.nathelper.add_contact_alias()
    return 1
