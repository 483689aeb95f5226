"""Every kind of callback, each leaving a mark where it can be seen.

Those that Kamailio calls by themselves: ksr_request_route, ksr_reply_route, ksr_onsend_route. Those that it calls
because the script armed them for a transaction: branch, onreply and failure routes.
"""

import KSR


def mod_init():
    return Router()


class Router:
    def child_init(self, rank):
        return 0

    # Each request that comes in.
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
        KSR.rr.record_route()
        if KSR.registrar.lookup("location") < 0:
            KSR.sl.send_reply(404, "Not Found")
            return 1
        self.ksr_route_relay(msg)
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

    # No callback: a function of ours. It says which callbacks are to run for this transaction.
    def ksr_route_relay(self, msg):
        KSR.tm.t_on_branch("ksr_branch_mark")
        KSR.tm.t_on_reply("ksr_onreply_mark")
        KSR.tm.t_on_failure("ksr_failure_mark")
        if KSR.tm.t_relay() < 0:
            KSR.sl.sl_reply_error()
        return 1

    # Each destination of the request, before it is sent there: what it changes is for that branch alone.
    def ksr_branch_mark(self, msg):
        KSR.hdr.append("X-Branch: " + str(KSR.pv.get("$T_branch_idx")) + "\r\n")
        return 1

    # Each reply that comes in, before tm looks for its transaction.
    def ksr_reply_route(self, msg):
        return 1

    # Each reply of this transaction's branches.
    def ksr_onreply_mark(self, msg):
        KSR.hdr.append("X-Onreply: " + str(KSR.pv.get("$rs")) + "\r\n")
        return 1

    # All branches have ended, none with a 2xx: the last place where the caller can still be helped.
    def ksr_failure_mark(self, msg):
        if KSR.tm.t_is_canceled() > 0:
            return 1
        KSR.info("failed with " + str(KSR.pv.get("$T_reply_code")) + "\n")
        return 1

    # What is relayed, the moment it leaves: it can be looked at, not changed.
    def ksr_onsend_route(self, msg):
        return 1
