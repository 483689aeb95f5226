"""ksrcore.pv.state"""

from ksrcore.pv.state import Avps, XList


def test_avps_are_stacks() -> None:
    avps = Avps()
    for value in ("a", "b", 3):
        avps.add("x", value)
    assert avps.get_all("x") == [3, "b", "a"]
    assert [avps.get("x"), avps.get("x", 1), avps.get("x", -1)] == [3, "b", "a"]
    assert [avps.get("x", 3), avps.get("y")] == [None, None]
    assert avps.replace("x", "B", 1)
    assert not avps.replace("x", "B", 7)
    assert not avps.replace("y", "B")
    assert avps.remove("x")
    assert avps.get_all("x") == ["B", "a"]
    assert avps.remove("x", 1)
    assert not avps.remove("x", 1)
    assert avps.remove("x")
    assert not avps.remove("x")
    assert avps.avps == {}


def test_numbers_and_text_are_different_names() -> None:
    avps = Avps()
    avps.add(5, "number")
    avps.add("5", "text")
    assert [avps.get(5), avps.get("5")] == ["number", "text"]
    assert avps.remove_all(5)
    assert not avps.remove_all(5)


def test_xlists() -> None:
    items = XList()
    items.add("a", 1)
    items.add("b", 2)
    items.add("a", 3)
    items.append("a", 0)
    assert [(item.name, item.value) for item in items] == [("a", 3), ("b", 2), ("a", 1), ("a", 0)]
    assert [item.value for item in items.all("a")] == [3, 1, 0]
    oldest = items.get("a", -1)
    assert oldest is not None and oldest.value == 0
    assert items.get("a", 5) is None
    items.remove(oldest)
    items.set("b", 4)
    items.set("c", 5)
    assert len(items) == 4
    assert items.remove_all("a") == 2
    assert items.remove_all("A") == 0
    assert repr(items) == "XList([<XAvp c=5>, <XAvp b=4>])"


def test_xavis_ignore_case() -> None:
    items = XList(fold=True)
    items.add("Name", 1)
    assert items.get("nAME") is not None
    assert items.remove_all("NAME") == 1


def test_a_copy_is_independent() -> None:
    avps = Avps()
    avps.add("x", 1)
    children = XList()
    children.add("c", "old")
    avps.xavps.add("a", children)
    other = avps.copy()
    other.add("x", 2)
    children.set("c", "new")
    copied = other.xavps.get("a")
    assert copied is not None and isinstance(copied.value, XList)
    child = copied.value.get("c")
    assert child is not None and child.value == "old"
    assert avps.get_all("x") == [1]
