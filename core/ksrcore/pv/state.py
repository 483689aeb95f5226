"""The variables that travel with a transaction: AVPs, XAVPs, XAVIs and XAVUs.

All are stacks: what was added last is found first (index 0). A name of an AVP is text or, for ``$avp(i:5)``, a number.
An XAVP holds a value or a list of named children, themselves XAVPs. The names of XAVIs ignore case. An XAVU has one
value: setting it again replaces it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

__all__ = ["Avps", "Pointer", "XAvp", "XList"]

Value = str | int | None


class Pointer(str):
    """A value that is an object of the core: scripts see Kamailio's text for a pointer, modules the ``target``."""

    target: object

    @classmethod
    def to(cls, target: object) -> Pointer:
        new = cls(f"<<vptr:{id(target):#x}>>")
        new.target = target
        return new


class XAvp:
    """One XAVP: its name and its value, or its children in ``value`` (an :class:`XList`)."""

    __slots__ = ("name", "value")

    def __init__(self, name: str, value: Value | XList) -> None:
        self.name = name
        self.value = value

    def copy(self) -> XAvp:
        return XAvp(self.name, self.value.copy() if isinstance(self.value, XList) else self.value)

    def __repr__(self) -> str:
        return f"<XAvp {self.name}={self.value!r}>"


class XList:
    """XAVPs, the newest first. With ``fold`` (XAVIs) names are compared without case."""

    __slots__ = ("items", "fold")

    def __init__(self, fold: bool = False) -> None:
        self.items: list[XAvp] = []
        self.fold = fold

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[XAvp]:
        return iter(self.items)

    def __repr__(self) -> str:
        return f"XList({self.items!r})"

    def _matcher(self, name: str) -> Callable[[XAvp], bool]:
        if self.fold:
            lower = name.lower()
            return lambda item: item.name.lower() == lower
        return lambda item: item.name == name

    def all(self, name: str) -> list[XAvp]:
        """Every one of that name, the newest first."""
        if not self.items:
            return []
        return list(filter(self._matcher(name), self.items))

    def get(self, name: str, index: int = 0) -> XAvp | None:
        """The one at ``index`` among those of that name; negative indexes count from the oldest. None: no such."""
        found = self.all(name)
        return found[index] if -len(found) <= index < len(found) else None

    def add(self, name: str, value: Value | XList) -> XAvp:
        """Put a new one on top."""
        new = XAvp(name, value)
        self.items.insert(0, new)
        return new

    def append(self, name: str, value: Value | XList) -> XAvp:
        """Put a new one below all others."""
        new = XAvp(name, value)
        self.items.append(new)
        return new

    def set(self, name: str, value: Value | XList) -> XAvp:
        """Replace the value of the newest of that name, or add one."""
        found = self.get(name)
        if found is None:
            return self.add(name, value)
        found.value = value
        return found

    def remove(self, item: XAvp) -> None:
        """Take out this very object."""
        self.items = [other for other in self.items if other is not item]

    def remove_all(self, name: str) -> int:
        """Take out every one of that name; how many there were."""
        before = len(self.items)
        matches = self._matcher(name)
        self.items = [item for item in self.items if not matches(item)]
        return before - len(self.items)

    def copy(self) -> XList:
        new = XList(self.fold)
        new.items = [item.copy() for item in self.items]
        return new


_LISTS = ("xavps", "xavis", "xavus")


class Avps:
    """The lists of one transaction (of one message until it has a transaction).

    ``avps`` maps a name to its values, the newest last. The lists are made when first used: few transactions have any.
    """

    __slots__ = ("avps", "made", "xavps", "xavis", "xavus")
    xavps: XList
    xavis: XList
    xavus: XList

    def __init__(self) -> None:
        self.avps: dict[str | int, list[str | int]] = {}
        #: Whether one of the lists was made.
        self.made = False

    def __getattr__(self, name: str) -> XList:
        if name not in _LISTS:
            raise AttributeError(f"Avps has no {name!r}")
        made = XList(name == "xavis")
        setattr(self, name, made)
        self.made = True
        return made

    def in_use(self) -> bool:
        """Whether there is anything in it."""
        return bool(self.avps or self.made and (self.xavps.items or self.xavis.items or self.xavus.items))

    # -- AVPs -----------------------------------------------------------------------------------------------------

    def get(self, name: str | int, index: int = 0) -> Value:
        """The value at ``index``, 0 being the newest and -1 the oldest; None when there is none."""
        values = self.avps.get(name)
        if values is None:
            return None
        return values[-1 - index] if -len(values) <= index < len(values) else None

    def get_all(self, name: str | int) -> list[str | int]:
        """All values, the newest first."""
        return self.avps.get(name, [])[::-1]

    def add(self, name: str | int, value: str | int) -> None:
        """Put a value on top."""
        self.avps.setdefault(name, []).append(value)

    def replace(self, name: str | int, value: str | int, index: int = 0) -> bool:
        """Put ``value`` in the place of the one at ``index``; False when there is none."""
        values = self.avps.get(name)
        if values is None or not -len(values) <= index < len(values):
            return False
        values[-1 - index] = value
        return True

    def remove(self, name: str | int, index: int = 0) -> bool:
        """Take out the value at ``index``; False when there was none."""
        values = self.avps.get(name)
        if values is None or not -len(values) <= index < len(values):
            return False
        del values[-1 - index]
        if not values:
            del self.avps[name]
        return True

    def remove_all(self, name: str | int) -> bool:
        """Take out all values; False when there were none."""
        return self.avps.pop(name, None) is not None

    def copy(self) -> Avps:
        """An independent copy."""
        new = Avps.__new__(Avps)
        new.avps = {name: list(values) for name, values in self.avps.items()}
        new.made = self.made
        if self.made:
            new.xavps = self.xavps.copy()
            new.xavis = self.xavis.copy()
            new.xavus = self.xavus.copy()
        return new
