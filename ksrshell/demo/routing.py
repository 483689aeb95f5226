"""A small KEMI script to learn on: registrar, location service, calls between registered users.

Kamailio runs the same file: app_python3 loads it, calls mod_init(), and then the methods of the object that
mod_init() returned, one for each kind of event. Change a method while calls flow:

    %%swap
    def ksr_route_location(self, msg):
        ...

and the next call takes the new path.
"""

import KSR

# Message flags: numbers that routes and modules agree on. A flag travels with the request's transaction.
FLT_MISSED = 3


def mod_init():
    KSR.info("demo script loaded\n")
    return Router()


class Router:
    def child_init(self, rank):
        # Kamailio calls this once in each of its processes.
        return 0

    # Every request from the network enters here. Returning ends the route; it does not answer the request.
    def ksr_request_route(self, msg):
        if self.ksr_route_checks(msg) == -255:
            return 1

        # A CANCEL follows its INVITE: tm knows where that went.
        if KSR.is_CANCEL():
            if KSR.tm.t_check_trans() > 0:
                KSR.tm.t_relay()
            return 1

        # Requests inside a dialog carry the path that record_route() wrote when it was set up.
        if KSR.siputils.has_totag() > 0:
            self.ksr_route_dialog(msg)
            return 1

        # A retransmission of a request we are working on: the transaction answers it.
        if KSR.tmx.t_precheck_trans() > 0:
            KSR.tm.t_check_trans()
            return 1
        if KSR.tm.t_check_trans() == 0:
            return 1

        if self.ksr_route_auth(msg) == -255:
            return 1

        if KSR.is_REGISTER():
            # Keeps the Contact under the user's address of record, and answers 200.
            if KSR.registrar.save("location", 0) < 0:
                KSR.sl.sl_reply_error()
            return 1

        # Stay in the path of the dialog's later requests.
        if KSR.is_method_in("IS"):
            KSR.rr.record_route()

        self.ksr_route_location(msg)
        return 1

    # What every request must pass. -255 means: answered, stop here.
    def ksr_route_checks(self, msg):
        if KSR.maxfwd.process_maxfwd(10) < 0:
            KSR.sl.sl_send_reply(483, "Too Many Hops")
            return -255
        if KSR.sanity.sanity_check(17895, 7) < 0:
            KSR.warn("malformed request from " + KSR.pv.gete("$si") + "\n")
            return -255
        if KSR.is_OPTIONS() and KSR.is_myself_ruri() and KSR.corex.has_ruri_user() < 0:
            KSR.sl.sl_send_reply(200, "Keepalive")
            return -255
        return 1

    def ksr_route_dialog(self, msg):
        if KSR.rr.loose_route() > 0:
            self.ksr_route_relay(msg)
            return -255
        if KSR.is_ACK():
            # The ACK of a reply that we generated ourselves ends here.
            if KSR.tm.t_check_trans() > 0:
                self.ksr_route_relay(msg)
            return -255
        KSR.sl.sl_send_reply(404, "Not here")
        return -255

    # Digest authentication against the subscriber table.
    def ksr_route_auth(self, msg):
        if KSR.is_REGISTER() or KSR.is_myself_furi():
            if KSR.auth_db.auth_check(KSR.pv.gete("$fd"), "subscriber", 1) < 0:
                KSR.auth.auth_challenge(KSR.pv.gete("$fd"), 0)
                return -255
            if not KSR.is_REGISTER():
                # The next hop has no business with the credentials.
                KSR.auth.consume_credentials()
            return 1
        if not KSR.is_myself_ruri():
            KSR.sl.sl_send_reply(403, "Not relaying")
            return -255
        return 1

    # Where is the callee? lookup() rewrites the Request-URI to the registered contact.
    def ksr_route_location(self, msg):
        if KSR.registrar.lookup("location") < 0:
            KSR.sl.send_reply(404, "Not Found")
            return -255
        if KSR.is_INVITE():
            KSR.setflag(FLT_MISSED)
        self.ksr_route_relay(msg)
        return -255

    # Send the request on, statefully, and say which callbacks want to see what happens to it.
    def ksr_route_relay(self, msg):
        if KSR.is_INVITE():
            KSR.tm.t_on_branch("ksr_branch_log")
            KSR.tm.t_on_reply("ksr_onreply_log")
            KSR.tm.t_on_failure("ksr_failure_missed")
        if KSR.tm.t_relay() < 0:
            KSR.sl.sl_reply_error()
        return -255

    # Once for each destination, just before the request leaves for it.
    def ksr_branch_log(self, msg):
        KSR.dbg("branch to " + KSR.pv.gete("$ru") + "\n")
        return 1

    # Each reply of those destinations.
    def ksr_onreply_log(self, msg):
        KSR.dbg("reply " + str(KSR.pv.get("$rs")) + "\n")
        return 1

    # All destinations have failed: this is the place to try others.
    def ksr_failure_missed(self, msg):
        if KSR.tm.t_is_canceled() > 0:
            return 1
        KSR.info("call to " + KSR.pv.gete("$ou") + " failed\n")
        return 1

    # Every reply, before tm looks at it.
    def ksr_reply_route(self, msg):
        return 1

    # Every request just before it leaves. Kamailio asks for it each time, and logs an error where it is missing.
    def ksr_onsend_route(self, msg):
        return 1
