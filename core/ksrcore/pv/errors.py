"""Errors of pseudo-variables."""

__all__ = ["PvError"]

_SHOWN = 80


class PvError(ValueError):
    """A pseudo-variable that cannot be read, written or understood.

    ``text`` is what was written, ``position`` the offset in it where the trouble is, or -1 when it is the whole.
    """

    def __init__(self, problem: str, text: str, position: int = -1) -> None:
        shown = text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."
        at = f" at offset {position}" if position >= 0 else ""
        super().__init__(f"{shown}: {problem}{at}")
        self.problem = problem
        self.text = text
        self.position = position

    def __reduce__(self) -> "tuple[type[PvError], tuple[str, str, int]]":
        return (PvError, (self.problem, self.text, self.position))
