"""Reason phrases of replies, for those that are given none (RFC 3261 21 and the RFCs that added codes)."""

from __future__ import annotations

__all__ = ["REASONS", "reason_for"]

REASONS = {
    100: "Trying", 180: "Ringing", 181: "Call Is Being Forwarded", 183: "Session Progress", 200: "OK", 202: "Accepted",
    300: "Multiple Choices", 301: "Moved Permanently", 302: "Moved Temporarily", 400: "Bad Request",
    401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed",
    407: "Proxy Authentication Required", 408: "Request Timeout", 410: "Gone", 415: "Unsupported Media Type",
    480: "Temporarily Unavailable", 481: "Call/Transaction Does Not Exist", 482: "Loop Detected", 483: "Too Many Hops",
    484: "Address Incomplete", 486: "Busy Here", 487: "Request Terminated", 488: "Not Acceptable Here",
    500: "Server Internal Error", 501: "Not Implemented", 503: "Service Unavailable", 504: "Server Time-out",
    600: "Busy Everywhere", 603: "Decline", 604: "Does Not Exist Anywhere", 606: "Not Acceptable",
}  # fmt: skip

#: What a code that nobody knows is to be taken for: the x00 of its class (RFC 3261 8.1.3.2).
_CLASSES = {1: 183, 2: 200, 3: 300, 4: 400, 5: 500, 6: 600}


def reason_for(code: int) -> str:
    """The phrase of that code (100 to 699), or of its class."""
    return REASONS.get(code) or REASONS[_CLASSES[code // 100]]
