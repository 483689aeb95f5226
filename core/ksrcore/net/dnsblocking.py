"""DNS questions that wait for their answer, for functions of a script; what sends messages asks :mod:`.dns` instead."""

from __future__ import annotations

from typing import Any

from .dnsbackend import Answer, DnsError, record_value

__all__ = ["BlockingDns"]


class BlockingDns:
    """dnspython on the system's resolv.conf, or on the name servers given.

    ``retr_time`` is the time for one try in seconds, ``retr_no`` the number of tries (Kamailio's dns_retr_time and
    dns_retr_no).
    """

    def __init__(
        self,
        nameservers: tuple[str, ...] = (),
        port: int = 53,
        *,
        retr_time: float = 2.0,
        retr_no: int = 2,
        resolv_conf: str = "/etc/resolv.conf",
    ) -> None:
        self._nameservers = nameservers
        self._port = port
        self._retr_time = retr_time
        self._lifetime = retr_time * max(retr_no, 1)
        self._resolv_conf = resolv_conf

    def ask(self, name: str, rtype: str) -> Answer:
        """The records of a complete name: A, AAAA, SRV, NAPTR or PTR (texts without final dot). Raises DnsError."""
        # Imported at the first question: it takes long, and most scripts ask none.
        from dns.exception import DNSException
        from dns.resolver import NXDOMAIN, NoAnswer, Resolver

        try:
            resolver = self._resolver(Resolver)
            answer = resolver.resolve(name, rtype, search=False, lifetime=self._lifetime)
        except (NXDOMAIN, NoAnswer):
            return Answer(())
        except (DNSException, OSError, ValueError, EOFError) as error:
            raise DnsError(f"{name} {rtype}: {str(error) or type(error).__name__}") from None
        if rtype == "PTR":
            names = tuple(str(record.target.to_text(omit_final_dot=True)) for record in answer)
            return Answer(names, float(answer.rrset.ttl))
        return Answer(tuple(record_value(rtype, record) for record in answer), float(answer.rrset.ttl))

    def _resolver(self, resolver_class: Any) -> Any:
        # Made for each question: reading resolv.conf costs less than the question, and the file may have changed.
        if self._nameservers:
            resolver = resolver_class(configure=False)
            resolver.nameservers = list(self._nameservers)
            resolver.port = self._port
        else:
            resolver = resolver_class(filename=self._resolv_conf)
        resolver.timeout = self._retr_time
        return resolver
