"""The proxy of a small company, as it ran on Monday when the capture was made: short numbers, callers' names."""

import KSR

PEOPLE = {"100": "reception", "101": "alice", "102": "bob"}


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
            self.ksr_route_caller(msg)
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

    # The phones show X-Caller on their displays.
    def ksr_route_caller(self, msg):
        name = KSR.pv.get("$fn")
        KSR.hdr.append("X-Caller: " + name.strip('"') + "\r\n")
        return 1

    def ksr_route_location(self, msg):
        dialled = KSR.pv.gete("$rU")
        if dialled in PEOPLE:
            KSR.pv.sets("$rU", PEOPLE[dialled])
        if KSR.registrar.lookup("location") < 0:
            KSR.sl.send_reply(404, "Not Found")
            return 1
        if KSR.tm.t_relay() < 0:
            KSR.sl.sl_reply_error()
        return 1

    def ksr_reply_route(self, msg):
        return 1

    def ksr_onsend_route(self, msg):
        return 1
