"""The router of a small office: phones that register, a trunk to the outside, voicemail for calls nobody takes."""

import KSR

FLT_OFFICE = 1  # the callee is one of ours
TRUNK_GROUP = 1  # of permissions' address table
FR_INV_RINGING = 20000  # milliseconds a phone may ring


def mod_init():
    return Router()


class Router:
    def child_init(self, rank):
        return 0

    def ksr_request_route(self, msg):
        if self.ksr_route_checks() == -255:
            return 1
        if KSR.is_CANCEL():
            if KSR.tm.t_check_trans() > 0:
                KSR.tm.t_relay()
            return 1
        if KSR.siputils.has_totag() > 0:
            self.ksr_route_dialog()
            return 1
        if KSR.tm.t_check_trans() == 0:
            return 1
        if self.ksr_route_caller() == -255:
            return 1
        if KSR.is_REGISTER():
            if KSR.registrar.save("location", 0) < 0:
                KSR.sl.sl_reply_error()
            return 1
        if KSR.is_INVITE():
            KSR.rr.record_route()
        if KSR.is_myself_ruri():
            self.ksr_route_office()
        else:
            self.ksr_route_outside()
        return 1

    def ksr_route_checks(self):
        if KSR.htable.sht_get("banned", KSR.pv.gete("$si")) is not None:
            KSR.notice("request from banned " + KSR.pv.gete("$si") + "\n")
            return -255
        if KSR.maxfwd.process_maxfwd(10) < 0:
            KSR.sl.sl_send_reply(483, "Too Many Hops")
            return -255
        return 1

    def ksr_route_dialog(self):
        if KSR.rr.loose_route() > 0:
            KSR.tm.t_relay()
        elif KSR.is_ACK():
            if KSR.tm.t_check_trans() > 0:
                KSR.tm.t_relay()
        else:
            KSR.sl.sl_send_reply(404, "Not here")
        return 1

    def ksr_route_caller(self):
        """The trunk is known by its address, everybody else by a password."""
        if KSR.permissions.allow_source_address(TRUNK_GROUP) > 0:
            return 1
        realm = KSR.pv.gete("$fd")
        if KSR.auth_db.auth_check(realm, "subscriber", 1) < 0:
            KSR.auth.auth_challenge(realm, 0)
            if KSR.pv.get("$au") is not None:
                KSR.htable.sht_inc("failures", KSR.pv.gete("$si"))
            return -255
        KSR.auth.consume_credentials()
        return 1

    def ksr_route_office(self):
        if KSR.registrar.lookup("location") < 0:
            KSR.sl.send_reply(404, "Not Found")
            return
        KSR.setflag(FLT_OFFICE)
        KSR.tm.t_set_fr(FR_INV_RINGING, 5000)
        KSR.tm.t_on_failure("ksr_failure_voicemail")
        KSR.tm.t_on_reply("ksr_onreply_office")
        if KSR.tm.t_relay() < 0:
            KSR.sl.sl_reply_error()

    def ksr_route_outside(self):
        if KSR.pv.gete("$rU").startswith("0900"):
            KSR.sl.send_reply(403, "Premium numbers are blocked")
            return
        KSR.hdr.append("X-Account: " + KSR.pv.gete("$fU") + "\r\n")
        KSR.hdr.remove("X-Internal")
        KSR.setdsturi("sip:trunk.example.net;transport=tcp")
        if KSR.tm.t_relay() < 0:
            KSR.sl.sl_reply_error()

    def ksr_onreply_office(self, msg):
        if KSR.kx.get_status() == 183:
            KSR.set_drop()  # our phones have no early announcements
        return 1

    def ksr_failure_voicemail(self, msg):
        if KSR.tm.t_is_canceled() > 0:
            return 1
        if KSR.tm.t_check_status("486|408|480") > 0:
            KSR.seturi("sip:vm-" + KSR.pv.gete("$oU") + "@10.0.0.90:5060")
            KSR.tm.t_relay()
        return 1

    def ksr_htable_event(self, msg, evname):
        if evname == "htable:expired:banned":
            KSR.pvx.shv_seti("forgiven", KSR.pvx.shv_get("forgiven") + 1)
        return 1
