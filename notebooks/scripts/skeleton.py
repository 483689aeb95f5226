"""What every KEMI script in Python has, and nothing else: a place for the routes of a kamailio.cfg."""

import KSR


def mod_init():
    return Router()


class Router:
    def child_init(self, rank):
        return 0

    def ksr_request_route(self, msg):
        KSR.sl.send_reply(501, "Not Implemented")
        return 1

    def ksr_reply_route(self, msg):
        return 1

    def ksr_onsend_route(self, msg):
        return 1
