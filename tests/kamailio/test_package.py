"""The agent is self-contained: it runs on Python 3.9 and imports nothing but the standard library and itself."""

import ast
import glob
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import ksrcore.kamailio.ksragent as package

FOLDER = Path(package.__file__).parent
FILES = sorted(FOLDER.glob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_it_is_written_for_python_3_9(path: Path) -> None:
    tree = ast.parse(path.read_text(), path.name, feature_version=(3, 9))
    assert not [node for node in ast.walk(tree) if isinstance(node, getattr(ast, "Match", ()))]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_it_imports_only_the_standard_library_and_itself(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                assert node.level == 1, f"{path.name}:{node.lineno} imports from outside the package"
                continue
            names = [node.module or ""]
        else:
            continue
        for name in names:
            assert name.partition(".")[0] in sys.stdlib_module_names, f"{path.name}:{node.lineno}: {name}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_it_starts_no_thread_and_loads_no_library(path: Path) -> None:
    text = path.read_text()
    assert "import threading" not in text and "_thread" not in text and "CDLL" not in text


def interpreters() -> list[str]:
    """Pythons of other versions on this machine, from 3.9 on."""
    found = {}
    for minor in range(9, 16):
        name = f"python3.{minor}"
        places = [shutil.which(name), *glob.glob(os.path.expanduser(f"~/.pyenv/versions/3.{minor}.*/bin/{name}"))]
        if minor != sys.version_info.minor and (usable := [place for place in places if place]):
            found[minor] = usable[0]
    return list(found.values())


def test_it_is_imported_by_every_python_that_is_here() -> None:
    modules = [f"ksragent.{path.stem}" for path in FILES if path.stem != "__init__"]
    code = f"import sys; sys.path.insert(0, {str(FOLDER.parent)!r}); sys.dont_write_bytecode = True\n"
    code += f"import importlib; [importlib.import_module(name) for name in {modules!r}]"
    for python in interpreters():
        result = subprocess.run([python, "-I", "-c", code], capture_output=True, text=True, timeout=30, check=False)
        if "pyenv: " not in result.stderr:  # a name that leads to no Python
            assert (result.returncode, result.stderr) == (0, ""), python


def run(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    start = f"import sys, types; sys.path.insert(0, {str(FOLDER.parent)!r}); sys.dont_write_bytecode = True\n"
    return subprocess.run(
        [sys.executable, "-I", "-c", start + code], capture_output=True, text=True, timeout=30, env=environment
    )


def test_without_kamailio_the_import_does_nothing() -> None:
    done = run("import ksragent; print(sorted(m for m in sys.modules if m.startswith('ksragent')))")
    assert (done.stdout, done.stderr) == ("['ksragent']\n", "")


KSR = """
ksr = sys.modules["KSR"] = types.ModuleType("KSR"); ksr.pv = types.ModuleType("KSR.pv")
ksr.pv.get = lambda name: None; ksr.warn = print
"""


def test_loaded_in_the_scripts_place_it_says_which_script_is_missing() -> None:
    # A thread that begins with the import has no frame of Python around it, as Kamailio has none.
    done = run(
        KSR + "import _thread; done = _thread.allocate_lock(); done.acquire()\n"
        "sys.unraisablehook = lambda error: (print(repr(error.exc_value)), done.release())\n"
        "_thread.start_new_thread(__import__, ('ksragent',)); done.acquire(timeout=20)"
    )
    assert "KSRAGENT_SCRIPT" in done.stdout and "ImportError" in done.stdout


def test_the_last_line_of_a_script_wraps_its_callbacks(tmp_path: Path) -> None:
    (tmp_path / "route.py").write_text(
        "import KSR\n\ndef mod_init():\n    return kamailio()\n\n"
        "class kamailio:\n    def child_init(self, rank):\n        return 0\n"
        "    def ksr_request_route(self, msg):\n        return None\n\nimport ksragent\n"
    )
    done = run(
        KSR + f"sys.path.insert(0, {str(tmp_path)!r}); import route; made = route.mod_init(); made.child_init(1)\n"
        "print(made.ksr_request_route(None), made.ksr_onsend_route(None), 'ksragent' in sys.modules)",
        KSRSHELL_DIR=str(tmp_path),
    )
    assert (done.stdout, done.stderr) == ("1 1 False\n", "")
    assert (tmp_path / "route.kamailio" / "state").exists()


def test_a_script_of_functions_is_loaded_again(tmp_path: Path) -> None:
    """What is wrapped is what the new file has; of what it has no more the old stays, as Python leaves it."""
    path = tmp_path / "plain.py"
    text = "import KSR\n\n{}\n\nimport ksragent\n"
    both = "def ksr_request_route():\n    return 1\n\ndef ksr_reply_route():\n    return 5\n"
    path.write_text(text.format(both))
    done = run(
        KSR + f"sys.path.insert(0, {str(tmp_path)!r}); import importlib, plain\n"
        "print(plain.ksr_request_route(), plain.ksr_reply_route(), plain.ksr_onsend_route())\n"
        f"open({str(path)!r}, 'w').write({text.format('def ksr_request_route():' + chr(10) + '    return 22')!r})\n"
        "del sys.modules['ksragent']; importlib.reload(plain)\n"
        "print(plain.ksr_request_route(), plain.ksr_reply_route(), plain.ksr_onsend_route())",
        KSRSHELL_DIR=str(tmp_path),
    )
    assert (done.stdout, done.stderr) == ("1 5 1\n22 5 1\n", "")


def test_a_script_of_functions_has_its_callbacks_wrapped(tmp_path: Path) -> None:
    (tmp_path / "plain.py").write_text(
        "import KSR\n\ndef ksr_request_route():\n    return helper()\n\ndef helper():\n    return None\n\n"
        "def ksr_event(name):\n    return 7\n\ndef arm():\n    return 'ksr_event'\n\nimport ksragent\n"
    )
    done = run(
        KSR + f"sys.path.insert(0, {str(tmp_path)!r}); import plain\n"
        "print(plain.ksr_request_route(), plain.ksr_event('x'), plain.helper())",
        KSRSHELL_DIR=str(tmp_path),
    )
    assert (done.stdout, done.stderr) == ("1 7 None\n", "")
