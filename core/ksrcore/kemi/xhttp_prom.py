"""Kamailio's xhttp_prom: statistics, and metrics of the script's own, as a page that Prometheus reads.

The script calls ``KSR.xhttp_prom.dispatch()`` in xhttp's callback. A metric that is not used for ``xhttp_prom_timeout``
minutes is gone until it is used again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .declare import Module, Param, ParamError, RpcError, export, rpc
from .xhttp_prom_metrics import COUNTER, GAUGE, HISTOGRAM, Metric, MetricError, number_of, parse_metric

if TYPE_CHECKING:
    from ..proxy import Proxy
    from ..run import Run

__all__ = ["XhttpProm"]

log = logging.getLogger("ksrcore.xhttp_prom")

_TYPE = "text/plain; version=0.0.4"


class XhttpProm(Module):
    name = "xhttp_prom"

    xhttp_prom_buf_size = Param(0, "bytes a page may have, 0 any: int")
    xhttp_prom_timeout = Param(60, "minutes until a metric that is not used is gone, 0 never: int")
    xhttp_prom_stats = Param("", "statistics on the page: all, a group with its colon, a name; '' none: str")
    xhttp_prom_beginning = Param("kamailio_", "what names of metrics begin with: str")
    prom_counter = Param("", "name=NAME; label=A:B: a counter", multi=True)
    prom_gauge = Param("", "name=NAME; label=A:B: a gauge", multi=True)
    prom_histogram = Param("", "name=NAME; label=A:B; buckets=1:2.5:5: a histogram", multi=True)

    def __init__(self, proxy: Proxy) -> None:
        super().__init__(proxy)
        self._metrics: dict[str, Metric] = {}

    def set_param(self, name: str, value: int | str) -> None:
        super().set_param(name, value)
        kind = {"prom_counter": COUNTER, "prom_gauge": GAUGE, "prom_histogram": HISTOGRAM}.get(name)
        if kind is not None:
            try:
                metric = parse_metric(kind, str(value))
            except MetricError as error:
                raise ParamError(f"modparam xhttp_prom:{name}: {error}") from None
            self._metrics.setdefault(metric.name, metric)

    def start(self) -> None:
        if self.xhttp_prom_timeout < 0 or self.xhttp_prom_buf_size < 0:
            raise ParamError("modparam xhttp_prom: xhttp_prom_timeout and xhttp_prom_buf_size expect numbers from 0")

    def fork(self, proxy: Proxy) -> XhttpProm:
        new = super().fork(proxy)
        new._metrics = {name: metric.copy() for name, metric in self._metrics.items()}
        return new

    # -- the page -----------------------------------------------------------------------------------------------------

    def _expire(self) -> None:
        if self.xhttp_prom_timeout:
            before = self.proxy.wall() - 60 * self.xhttp_prom_timeout
            for metric in self._metrics.values():
                metric.expire(before)

    def _page(self) -> str:
        """Raises :class:`MetricError` when there is no such statistic, or it is too long."""
        from ..control.rpc_stats import StatsRpc

        self._expire()
        stamp = int(self.proxy.wall() * 1000)
        beginning = self.xhttp_prom_beginning
        lines = ["# User defined metrics"]
        for metric in self._metrics.values():
            lines += metric.lines(beginning, stamp)
        wanted = self.xhttp_prom_stats
        if wanted:
            found = list(StatsRpc(self.proxy).select([wanted], ""))
            if wanted == "all":
                lines += ["", "# Kamailio whole internal statistics"]
            elif wanted.endswith(":"):
                lines += ["", f"# Kamailio statistics for group: {wanted}"]
            elif found:
                lines += ["", f"# Kamailio statistics for: {wanted}"]
            else:
                raise MetricError(f"there is no statistic {wanted!r}")
            for name, value in found:
                group, _, rest = name.replace("-", "_").partition(":")
                lines.append(f"{beginning}{group}_{rest} {value} {stamp}")
        text = "\n".join(lines) + "\n"
        if self.xhttp_prom_buf_size and len(text) > self.xhttp_prom_buf_size:
            raise MetricError(f"the page has {len(text)} bytes, xhttp_prom_buf_size is {self.xhttp_prom_buf_size}")
        return text

    @export
    def dispatch(self, run: Run) -> int:
        """Answer the HTTP request with the page: 0; 1, and nothing is done, for a request that is not HTTP."""
        if not run.msg.http:
            return 1
        try:
            code, reason, page = 200, "OK", self._page()
        except MetricError as error:
            log.error("xhttp_prom: %s", error)
            code, reason = 500, "Internal Server Error"
            page = reason
        self.proxy.modules.xhttp.xhttp_reply(run, code, reason, _TYPE, page)
        return 0

    @export
    def check_uri(self, run: Run) -> int:
        """1 for an HTTP request for /metrics, else 0."""
        return int(run.msg.http and run.msg.ruri == "/metrics")

    # -- values -------------------------------------------------------------------------------------------------------

    def _change(self, kind: str, name: str, labels: tuple[str, ...], change: Callable[[Metric], object]) -> int:
        self._expire()
        metric = self._metrics.get(name)
        if metric is None or metric.kind != kind or "" in labels:
            log.error("xhttp_prom: there is no %s %r, or a label is empty", kind, name)
            return -1
        try:
            change(metric)
        except MetricError as error:
            log.error("xhttp_prom: %s", error)
            return -1
        return 1

    def _inc(self, name: str, number: int, labels: tuple[str, ...]) -> int:
        if number < 0:
            log.error("xhttp_prom: a counter does not go down: %d", number)
            return -1

        def add(metric: Metric) -> None:
            metric.value(labels, self.proxy.wall()).number += number

        return self._change(COUNTER, name, labels, add)

    def _put(self, kind: str, name: str, number: float, labels: tuple[str, ...]) -> int:
        def put(metric: Metric) -> None:
            metric.value(labels, self.proxy.wall()).number = number

        return self._change(kind, name, labels, put)

    def _raise(self, name: str, text: str, labels: tuple[str, ...]) -> int:
        if not text:
            return -1
        number = number_of(text)

        def add(metric: Metric) -> None:
            metric.value(labels, self.proxy.wall()).number += number

        return self._change(GAUGE, name, labels, add)

    def _reset(self, kind: str, name: str, labels: tuple[str, ...]) -> int:
        return self._put(kind, name, 0, labels)

    def _set(self, name: str, text: str, labels: tuple[str, ...]) -> int:
        return self._put(GAUGE, name, number_of(text), labels) if text else -1

    def _observe(self, name: str, text: str, labels: tuple[str, ...]) -> int:
        if not text:
            return -1
        number = number_of(text)
        return self._change(HISTOGRAM, name, labels, lambda m: m.observe(labels, number, self.proxy.wall()))

    # -- KEMI ---------------------------------------------------------------------------------------------------------

    @export
    def counter_inc_l0(self, run: Run, s_name: str, number: int) -> int:
        """Add a number, 0 or more, to a counter: 1, -1 for a wrong name, number or count of labels."""
        return self._inc(s_name, number, ())

    @export
    def counter_inc_l1(self, run: Run, s_name: str, number: int, l0: str) -> int:
        """Add to a counter with a label: see ``counter_inc_l0``."""
        return self._inc(s_name, number, (l0,))

    @export
    def counter_inc_l2(self, run: Run, s_name: str, number: int, l0: str, l1: str) -> int:
        """Add to a counter with two labels: see ``counter_inc_l0``."""
        return self._inc(s_name, number, (l0, l1))

    @export
    def counter_inc_l3(self, run: Run, s_name: str, number: int, l0: str, l1: str, l2: str) -> int:
        """Add to a counter with three labels: see ``counter_inc_l0``."""
        return self._inc(s_name, number, (l0, l1, l2))

    @export
    def counter_reset_l0(self, run: Run, s_name: str) -> int:
        """Set a counter to 0: 1, -1 for a wrong name or count of labels."""
        return self._reset(COUNTER, s_name, ())

    @export
    def counter_reset_l1(self, run: Run, s_name: str, l0: str) -> int:
        """Set a counter with a label to 0."""
        return self._reset(COUNTER, s_name, (l0,))

    @export
    def counter_reset_l2(self, run: Run, s_name: str, l0: str, l1: str) -> int:
        """Set a counter with two labels to 0."""
        return self._reset(COUNTER, s_name, (l0, l1))

    @export
    def counter_reset_l3(self, run: Run, s_name: str, l0: str, l1: str, l2: str) -> int:
        """Set a counter with three labels to 0."""
        return self._reset(COUNTER, s_name, (l0, l1, l2))

    @export
    def gauge_inc_l0(self, run: Run, s_name: str, s_number: str) -> int:
        """Add the number in a text to a gauge: 1, -1 for a wrong name or count of labels.

        Kamailio 6.1 and later.
        """
        return self._raise(s_name, s_number, ())

    @export
    def gauge_inc_l1(self, run: Run, s_name: str, s_number: str, l0: str) -> int:
        """Add to a gauge with a label: see ``gauge_inc_l0``."""
        return self._raise(s_name, s_number, (l0,))

    @export
    def gauge_inc_l2(self, run: Run, s_name: str, s_number: str, l0: str, l1: str) -> int:
        """Add to a gauge with two labels: see ``gauge_inc_l0``."""
        return self._raise(s_name, s_number, (l0, l1))

    @export
    def gauge_inc_l3(self, run: Run, s_name: str, s_number: str, l0: str, l1: str, l2: str) -> int:
        """Add to a gauge with three labels: see ``gauge_inc_l0``."""
        return self._raise(s_name, s_number, (l0, l1, l2))

    @export
    def gauge_set_l0(self, run: Run, s_name: str, s_number: str) -> int:
        """Set a gauge to the number in a text: 1, -1 for a wrong name or count of labels."""
        return self._set(s_name, s_number, ())

    @export
    def gauge_set_l1(self, run: Run, s_name: str, s_number: str, l0: str) -> int:
        """Set a gauge with a label: see ``gauge_set_l0``."""
        return self._set(s_name, s_number, (l0,))

    @export
    def gauge_set_l2(self, run: Run, s_name: str, s_number: str, l0: str, l1: str) -> int:
        """Set a gauge with two labels: see ``gauge_set_l0``."""
        return self._set(s_name, s_number, (l0, l1))

    @export
    def gauge_set_l3(self, run: Run, s_name: str, s_number: str, l0: str, l1: str, l2: str) -> int:
        """Set a gauge with three labels: see ``gauge_set_l0``."""
        return self._set(s_name, s_number, (l0, l1, l2))

    @export
    def gauge_reset_l0(self, run: Run, s_name: str) -> int:
        """Set a gauge to 0: 1, -1 for a wrong name or count of labels."""
        return self._reset(GAUGE, s_name, ())

    @export
    def gauge_reset_l1(self, run: Run, s_name: str, l0: str) -> int:
        """Set a gauge with a label to 0."""
        return self._reset(GAUGE, s_name, (l0,))

    @export
    def gauge_reset_l2(self, run: Run, s_name: str, l0: str, l1: str) -> int:
        """Set a gauge with two labels to 0."""
        return self._reset(GAUGE, s_name, (l0, l1))

    @export
    def gauge_reset_l3(self, run: Run, s_name: str, l0: str, l1: str, l2: str) -> int:
        """Set a gauge with three labels to 0."""
        return self._reset(GAUGE, s_name, (l0, l1, l2))

    @export
    def histogram_observe_l0(self, run: Run, s_name: str, s_number: str) -> int:
        """Count the number in a text in a histogram: 1, -1 for a wrong name or count of labels."""
        return self._observe(s_name, s_number, ())

    @export
    def histogram_observe_l1(self, run: Run, s_name: str, s_number: str, l0: str) -> int:
        """Count in a histogram with a label: see ``histogram_observe_l0``."""
        return self._observe(s_name, s_number, (l0,))

    @export
    def histogram_observe_l2(self, run: Run, s_name: str, s_number: str, l0: str, l1: str) -> int:
        """Count in a histogram with two labels: see ``histogram_observe_l0``."""
        return self._observe(s_name, s_number, (l0, l1))

    @export
    def histogram_observe_l3(self, run: Run, s_name: str, s_number: str, l0: str, l1: str, l2: str) -> int:
        """Count in a histogram with three labels: see ``histogram_observe_l0``."""
        return self._observe(s_name, s_number, (l0, l1, l2))

    # -- RPC ----------------------------------------------------------------------------------------------------------

    @staticmethod
    def _params(params: list[Any], kind: str, numbered: bool) -> tuple[str, str, tuple[str, ...], str]:
        """(name, number, labels, labels for people). Raises :class:`RpcError`."""
        words = [str(param) for param in params]
        if not words:
            raise RpcError(400, f"required {kind} identifier")
        if numbered and len(words) < 2:
            raise RpcError(400, "required number argument")
        first = 2 if numbered else 1
        labels = tuple(words[first : first + 3])
        return words[0], words[1] if numbered else "", labels, f" ({', '.join(labels)})" if labels else ""

    @rpc("xhttp_prom.counter_inc")
    def rpc_counter_inc(self, params: list[Any]) -> dict[str, Any]:
        """Counter, number, labels: add; a number that is none changes nothing."""
        name, number, labels, shown = self._params(params, "counter", True)
        if number.isdigit() and self._inc(name, int(number), labels) < 0:
            raise RpcError(500, f"Failed to add {number} to counter: {name}{shown}")
        return {}

    @rpc("xhttp_prom.counter_reset")
    def rpc_counter_reset(self, params: list[Any]) -> dict[str, Any]:
        """Counter, labels: set it to 0."""
        name, _, labels, shown = self._params(params, "counter", False)
        if self._reset(COUNTER, name, labels) < 0:
            raise RpcError(500, f"Failed to reset counter: {name}{shown}")
        return {}

    @rpc("xhttp_prom.gauge_set")
    def rpc_gauge_set(self, params: list[Any]) -> dict[str, Any]:
        """Gauge, number, labels: set it."""
        name, number, labels, shown = self._params(params, "gauge", True)
        if self._set(name, number, labels) < 0:
            to = " to" if labels else ""
            raise RpcError(500, f"Failed to assign {number_of(number):f}{to} gauge: {name}{shown}")
        return {}

    @rpc("xhttp_prom.gauge_reset")
    def rpc_gauge_reset(self, params: list[Any]) -> dict[str, Any]:
        """Gauge, labels: set it to 0."""
        name, _, labels, shown = self._params(params, "gauge", False)
        if self._reset(GAUGE, name, labels) < 0:
            raise RpcError(500, f"Failed to reset gauge: {name}{shown}")
        return {}

    @rpc("xhttp_prom.histogram_observe")
    def rpc_histogram_observe(self, params: list[Any]) -> dict[str, Any]:
        """Histogram, number, labels: count the number."""
        name, number, labels, shown = self._params(params, "histogram", True)
        if isinstance(params[1], str):
            number = "0"  # as in Kamailio, which reads no text here
        if self._observe(name, number, labels) < 0:
            raise RpcError(500, f"Failed to observe {number_of(number):f} in histogram: {name}{shown}")
        return {}

    @rpc("xhttp_prom.metric_list_print")
    def rpc_metric_list_print(self, params: list[Any]) -> str:
        """The page as text."""
        try:
            return self._page()
        except MetricError as error:
            raise RpcError(500, str(error)) from None
