"""``python -m ksrshell``."""

from .main import main

main(prog_name="ksrshell")
