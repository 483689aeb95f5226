"""Calls that ring in several places at once, and go elsewhere when nobody takes them."""

import KSR

RING = 2000  # milliseconds until a call that is not answered goes elsewhere


def mod_init():
    return Router()


class Router:
    def child_init(self, rank):
        return 0

    def ksr_request_route(self, msg):
        if KSR.maxfwd.process_maxfwd(10) < 0:
            KSR.sl.send_reply(483, "Too Many Hops")
            return 1
        if KSR.is_CANCEL():
            if KSR.tm.t_check_trans() > 0:
                KSR.tm.t_relay()
            return 1
        if KSR.siputils.has_totag() > 0:
            self.ksr_route_dialog(msg)
            return 1
        if KSR.tm.t_check_trans() == 0:
            return 1
        if KSR.is_REGISTER():
            KSR.registrar.save("location", 0)
            return 1
        if KSR.is_INVITE():
            KSR.rr.record_route()
        self.ksr_route_location(msg)
        return 1

    def ksr_route_dialog(self, msg):
        if KSR.rr.loose_route() > 0:
            KSR.tm.t_relay()
        elif KSR.is_ACK():
            if KSR.tm.t_check_trans() > 0:
                KSR.tm.t_relay()
        else:
            KSR.sl.send_reply(404, "Not here")
        return 1

    # All contacts of the callee ring at once.
    def ksr_route_location(self, msg):
        if KSR.registrar.lookup("location") < 0:
            KSR.sl.send_reply(404, "Not Found")
            return 1
        KSR.tm.t_set_fr(RING, 2000)
        KSR.tm.t_on_failure("ksr_failure_office")
        if KSR.tm.t_relay() < 0:
            KSR.sl.sl_reply_error()
        return 1

    # Nobody took it: reception does, when the callee was busy or did not answer.
    def ksr_failure_office(self, msg):
        if KSR.tm.t_is_canceled() > 0:
            return 1
        if KSR.tm.t_check_status("486|408") > 0:
            KSR.pv.sets("$ru", "sip:reception@" + KSR.pv.gete("$od"))
            if KSR.registrar.lookup("location") > 0:
                KSR.tm.t_relay()
        return 1

    def ksr_reply_route(self, msg):
        return 1

    def ksr_onsend_route(self, msg):
        return 1
