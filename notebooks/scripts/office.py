"""An office: short numbers for people, and a gateway for numbers that begin with 0."""

import KSR

PEOPLE = {"100": "reception", "101": "alice", "102": "bob"}
GATEWAY = "127.0.0.1:9"


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
        self.ksr_route_numbers(msg)
        self.ksr_route_target(msg)
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

    # Short numbers become users.
    def ksr_route_numbers(self, msg):
        dialled = KSR.pv.gete("$rU")
        user = PEOPLE.get(dialled, dialled)
        if user != dialled:
            KSR.pv.sets("$rU", user)
            KSR.hdr.append("X-Dialled: " + dialled + "\r\n")
        return 1

    # Outside numbers go to the gateway, users to their phones.
    def ksr_route_target(self, msg):
        user = KSR.pv.gete("$rU")
        if user.startswith("0"):
            KSR.setdsturi("sip:" + GATEWAY)
        elif KSR.registrar.lookup("location") < 0:
            KSR.sl.send_reply(404, "Not Found")
            return 1
        if KSR.tm.t_relay() < 0:
            KSR.sl.sl_reply_error()
        return 1

    def ksr_reply_route(self, msg):
        return 1

    def ksr_onsend_route(self, msg):
        return 1
