"""The transaction machines as tables: RFC 3261 section 17 with the corrections of RFC 6026, on Kamailio's timers.

A proxy has a *server transaction* towards whoever sent the request and a *client transaction* per branch towards
whoever gets it. Each is in one state; an event takes it to another and asks for actions. The tables hold all of it;
:mod:`~ksrcore.tm.server` and :mod:`~ksrcore.tm.client` carry the actions out and know nothing of states.

Server, INVITE (17.2.1, RFC 6026 7.1)::

              request            3xx-6xx reply                ACK
      ----> PROCEEDING --------------------------> COMPLETED ------> CONFIRMED --wait--> TERMINATED
                 |                                  | retr: resend                           ^
                 | 2xx reply                        '- fr: no ACK came ---> CONFIRMED        |
                 '-------------> ACCEPTED --------------wait---------------------------------'

Kamailio's names for the timers: ``fr`` is H (fr_timer), ``retr`` is G (retr_timer1 doubling up to retr_timer2),
``wait`` is I, J and L in one (wt_timer). A 2xx that the script itself sent (``R2XX_LOCAL``) is retransmitted until its
ACK comes, over any transport, because no other UAS does it (13.3.1.4). A 2xx that comes after a negative reply was
sent (408, mostly) still is passed on (16.7 step 5).

Server, non-INVITE (17.2.2)::

      ----> PROCEEDING --- final reply ---> COMPLETED --wait--> TERMINATED

Client, INVITE (17.1.1, RFC 6026 7.2)::

      send            1xx                 3xx-6xx / ACK
      ----> CALLING -------> PROCEEDING ----------------> COMPLETED
              |  \\_______________|   2xx                    3xx-6xx again: ACK again
              |                  '---------> ACCEPTED       2xx again: pass it on
              '-- fr / error --> TERMINATED                 2xx later: pass it on

``retr`` is A (UDP only), ``fr`` is B (fr_timer) before and C (fr_inv_timer) after the first provisional reply. Client
transactions are freed with their server transaction, so timers D, K and M do not exist.

Client, non-INVITE (17.1.2)::

      send            1xx                 final
      ----> CALLING -------> PROCEEDING -------> COMPLETED
              |                   |   retr goes on at T2 in PROCEEDING
              '-- fr / error -----'--> TERMINATED
"""

from __future__ import annotations

from typing import Final

Table = dict[int, dict[int, tuple[int, int]]]

# States.
RESOLVING: Final = -1  # client: its host name is being looked up, nothing was sent
PROCEEDING: Final = 0
COMPLETED: Final = 1
CONFIRMED: Final = 2
ACCEPTED: Final = 3
TERMINATED: Final = 4
CALLING: Final = 5
ACCEPTED_LOCAL: Final = 6

STATE_NAMES: Final = {
    RESOLVING: "resolving",
    PROCEEDING: "proceeding",
    COMPLETED: "completed",
    CONFIRMED: "confirmed",
    ACCEPTED: "accepted",
    TERMINATED: "terminated",
    CALLING: "calling",
    ACCEPTED_LOCAL: "accepted (local)",
}

# Events. Replies are those going up (server) or coming in (client).
REQUEST: Final = 0  # a retransmission of the request
R1XX: Final = 1
R2XX: Final = 2
RFINAL: Final = 3  # 3xx-6xx
ACK: Final = 4
RETR: Final = 5
FR: Final = 6
WAIT: Final = 7
R2XX_LOCAL: Final = 8
ERROR: Final = 9  # the transport or the resolver gave up

EVENT_NAMES: Final = {
    REQUEST: "request", R1XX: "1xx", R2XX: "2xx", RFINAL: "3xx-6xx", ACK: "ACK", RETR: "retr", FR: "fr",
    WAIT: "wait", R2XX_LOCAL: "local 2xx", ERROR: "error",
}  # fmt: skip

# Actions, a sum of them.
SEND: Final = 1  # server: send the reply in hand and keep it. client: pass the reply to the core
RESEND: Final = 2  # send again what was sent last
SET_RETR: Final = 4  # server: on UDP. client: next interval
SET_RETR_ALWAYS: Final = 8  # server: on streams too
SET_FR: Final = 16
SET_WAIT: Final = 32
STOP: Final = 64  # stop all timers
FREE: Final = 128
SEND_ACK: Final = 256
TIMEOUT: Final = 512  # client: 408 in place of a reply
SLOW: Final = 1024  # client: retransmit at T2 from now on
STOP_RETR: Final = 2048

SERVER_INVITE: Final[Table] = {
    PROCEEDING: {
        REQUEST: (PROCEEDING, RESEND),
        R1XX: (PROCEEDING, SEND),
        R2XX: (ACCEPTED, SEND | SET_WAIT),
        R2XX_LOCAL: (ACCEPTED_LOCAL, SEND | SET_RETR_ALWAYS | SET_FR),
        RFINAL: (COMPLETED, SEND | SET_RETR | SET_FR),
        WAIT: (TERMINATED, FREE),
    },
    COMPLETED: {
        REQUEST: (COMPLETED, RESEND),
        ACK: (CONFIRMED, STOP | SET_WAIT),
        RETR: (COMPLETED, RESEND),
        FR: (CONFIRMED, STOP | SET_WAIT),
        R2XX: (ACCEPTED, SEND | STOP | SET_WAIT),
    },
    CONFIRMED: {
        R2XX: (ACCEPTED, SEND | SET_WAIT),
        WAIT: (TERMINATED, FREE),
    },
    ACCEPTED: {
        R2XX: (ACCEPTED, SEND),
        WAIT: (TERMINATED, FREE),
    },
    ACCEPTED_LOCAL: {
        REQUEST: (ACCEPTED_LOCAL, RESEND),
        RETR: (ACCEPTED_LOCAL, RESEND),
        ACK: (ACCEPTED, STOP | SET_WAIT),
        FR: (ACCEPTED, STOP | SET_WAIT),
    },
    TERMINATED: {},
}

SERVER_OTHER: Final[Table] = {
    PROCEEDING: {
        REQUEST: (PROCEEDING, RESEND),
        R1XX: (PROCEEDING, SEND),
        R2XX: (COMPLETED, SEND | SET_WAIT),
        R2XX_LOCAL: (COMPLETED, SEND | SET_WAIT),
        RFINAL: (COMPLETED, SEND | SET_WAIT),
        WAIT: (TERMINATED, FREE),
    },
    COMPLETED: {
        REQUEST: (COMPLETED, RESEND),
        WAIT: (TERMINATED, FREE),
    },
    # An INVITE that became our own on its way is in one of these at most: they know no events.
    CONFIRMED: {},
    ACCEPTED: {},
    ACCEPTED_LOCAL: {},
    TERMINATED: {},
}

CLIENT_INVITE: Final[Table] = {
    RESOLVING: {
        ERROR: (TERMINATED, STOP),
        FR: (TERMINATED, STOP | TIMEOUT),
    },
    CALLING: {
        R1XX: (PROCEEDING, STOP_RETR | SET_FR | SEND),
        R2XX: (ACCEPTED, STOP | SEND),
        RFINAL: (COMPLETED, STOP | SEND_ACK | SEND),
        RETR: (CALLING, RESEND | SET_RETR),
        FR: (TERMINATED, STOP | TIMEOUT),
        ERROR: (TERMINATED, STOP),
    },
    PROCEEDING: {
        R1XX: (PROCEEDING, SET_FR | SEND),
        R2XX: (ACCEPTED, STOP | SEND),
        RFINAL: (COMPLETED, STOP | SEND_ACK | SEND),
        FR: (TERMINATED, STOP | TIMEOUT),
        ERROR: (TERMINATED, STOP),
    },
    ACCEPTED: {
        R2XX: (ACCEPTED, SEND),
    },
    COMPLETED: {
        RFINAL: (COMPLETED, SEND_ACK),
        R2XX: (ACCEPTED, SEND),
    },
    TERMINATED: {
        RFINAL: (TERMINATED, SEND_ACK),
        R2XX: (ACCEPTED, SEND),
    },
}

CLIENT_OTHER: Final[Table] = {
    RESOLVING: {
        ERROR: (TERMINATED, STOP),
        FR: (TERMINATED, STOP | TIMEOUT),
    },
    CALLING: {
        R1XX: (PROCEEDING, SLOW | SEND),
        R2XX: (COMPLETED, STOP | SEND),
        RFINAL: (COMPLETED, STOP | SEND),
        RETR: (CALLING, RESEND | SET_RETR),
        FR: (TERMINATED, STOP | TIMEOUT),
        ERROR: (TERMINATED, STOP),
    },
    PROCEEDING: {
        R1XX: (PROCEEDING, SEND),
        R2XX: (COMPLETED, STOP | SEND),
        RFINAL: (COMPLETED, STOP | SEND),
        RETR: (PROCEEDING, RESEND | SET_RETR),
        FR: (TERMINATED, STOP | TIMEOUT),
        ERROR: (TERMINATED, STOP),
    },
    COMPLETED: {},
    TERMINATED: {},
}
