"""A first KEMI script: phones register here, and calls between them go through.

It asks nobody for a password: it is to learn on, on a machine of your own.
"""

import KSR


def mod_init():
    return Router()


class Router:
    def child_init(self, rank):
        return 0

    # Every request from the network enters here.
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

    # Requests of a call that is set up: the ACK of its 200, BYE.
    def ksr_route_dialog(self, msg):
        if KSR.rr.loose_route() > 0:
            KSR.tm.t_relay()
        elif KSR.is_ACK():
            if KSR.tm.t_check_trans() > 0:
                KSR.tm.t_relay()
        else:
            KSR.sl.send_reply(404, "Not here")
        return 1

    # Where is the callee? lookup() puts the registered contact into the Request-URI.
    def ksr_route_location(self, msg):
        if KSR.registrar.lookup("location") < 0:
            KSR.sl.send_reply(404, "Not Found")
            return 1
        if KSR.tm.t_relay() < 0:
            KSR.sl.sl_reply_error()
        return 1

    # Every reply, before its transaction is looked for.
    def ksr_reply_route(self, msg):
        return 1

    # What is relayed, the moment it leaves.
    def ksr_onsend_route(self, msg):
        return 1
