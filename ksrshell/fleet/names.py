"""The names of a prompt on several nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from ..namespace import EXAMPLES, Command, Current, Line, Namespace
from .bynode import ByNode
from .fleet import LIVE, Fleet

if TYPE_CHECKING:
    from ..session import Session

_SWAP = ('swap(new_relay, canary="node1", for_=60)', 'swap(new_relay, canary="node1", abort_if="failed > 0.5%")')


class FleetNamespace(Namespace):
    """What the prompt has, for all nodes; ``nodes`` is the fleet, and each node has its own name where it can."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet
        # A fleet has what a session has: by node.
        super().__init__(cast("Session", fleet))

    def _make(self) -> dict[str, Any]:
        fleet = self.fleet
        names: dict[str, Any] = {name: session for name, session in zip(fleet, fleet.members(), strict=True)}
        names = {name.replace("-", "_").replace(".", "_"): session for name, session in names.items()}
        names = {name: session for name, session in names.items() if name.isidentifier()}
        for name, examples in EXAMPLES.items():
            names[name] = Command(getattr(fleet, name), _SWAP if name == "swap" else examples)
        step, trace = names["step"], names["trace"]

        def remember(command: Command) -> Command:
            made = command._function

            def call(*args: Any, **kwargs: Any) -> Any:
                found = made(*args, **kwargs)
                self.stepping = found.replay if command is trace else found
                return found

            call.__name__, call.__doc__ = command.__name__, command.__doc__
            call.__signature__ = command.__signature__  # type: ignore[attr-defined]
            return Command(call, command.examples)

        def use(*args: Any, **kwargs: Any) -> Any:
            if not args and not kwargs:
                return fleet.current
            given = ByNode(dict(zip(fleet, fleet.members(), strict=True)))
            found = given.use(*args, **kwargs)
            if found is None:
                return Line("no message in use")
            lines = {name: Line(f"using {m.id} {m.title}", m) for name, m in found.values_by_node().items()}
            return ByNode(lines, found.errors)

        used = names["use"]
        first, *rest = used.__signature__.parameters.values()
        signature = used.__signature__.replace(parameters=[first.replace(default=Current.CURRENT), *rest])
        use.__doc__, use.__signature__ = used.__doc__, signature  # type: ignore[attr-defined]
        names |= {"step": remember(step), "trace": remember(trace), "use": Command(use, used.examples)}
        return {**names, **{name: getattr(fleet, name) for name in LIVE}, "nodes": fleet}
