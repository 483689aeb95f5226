"""What is known of each pseudo-variable without compiling it."""

import pytest

import ksrcore.kemi  # noqa: F401  (modules declare variables too)
from ksrcore.pv import registry
from ksrcore.pv.accessor import compile_spec
from ksrcore.pv.errors import PvError
from ksrcore.pv.known import doc_of, module_of


def test_each_variable_has_a_line_that_says_what_it_is() -> None:
    for name, inner in registry.known().items():
        doc = doc_of(name)
        assert doc and len(doc) <= 120, name
        # One with a name in parentheses shows it.
        assert doc.startswith("$") == inner, name
    assert doc_of("rm") == "The method; of a reply that of its CSeq."
    assert doc_of("nope") == ""


def test_modules() -> None:
    assert module_of("RANDOM") == "cfgutils"
    assert module_of("nope") == ""


@pytest.mark.parametrize("name", ["$body", "$myself", "$bitval(x)"])
def test_names_that_only_scripts_have(name: str) -> None:
    with pytest.raises(PvError, match="no Kamailio has it; .+"):
        compile_spec(name)
