# Two commands set everything up: `make demo` and `make test`.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: demo test lint bench bench-agent load fuzz pictures clean

demo: $(VENV)/demo.stamp
	$(BIN)/ksrshell demo

test: $(VENV)/test.stamp
	$(BIN)/pytest $(PYTEST_ARGS)

lint: $(VENV)/test.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# The stock KEMI script on the embedded core and on Kamailio, side by side: CPU per call, time in each callback.
bench: $(VENV)/test.stamp
	$(BIN)/python tests/bench/calls.py $(ARGS)

# What the agent costs a Kamailio: nobody attached, somebody attached, a hold armed, beside a server without it.
bench-agent: $(VENV)/test.stamp
	$(BIN)/python tests/bench/agent.py $(ARGS)

# 100 users register with digest, then 1,000 calls at 100 a second, over UDP and over TCP.
load: $(VENV)/test.stamp
	$(BIN)/python tests/bench/load.py $(ARGS)

# A million inputs for the parser, the datagram entry point and all else that takes bytes or text of others. Guided by
# coverage with atheris; where pip has no atheris for this system, seeded mutations.
fuzz: $(VENV)/fuzz.stamp
	$(BIN)/python tests/fuzz/run.py $(ARGS)

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("ksrshell needs Python 3.11 or later, this is " + sys.version.split()[0] + "; try: make PYTHON=python3.13 ...")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/demo.stamp: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/test.stamp: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test]'
	@touch $@ $(VENV)/demo.stamp

$(VENV)/fuzz.stamp: $(VENV)/test.stamp
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --only-binary :all: 'atheris>=3' || echo 'no atheris here: seeded mutations'
	@touch $@

# The pictures of the documentation: JupyterLab in Chromium, looked at and clicked.
pictures: $(VENV)/test.stamp
	cd tests && ../$(BIN)/python -m lab.browser ../docs/images

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis
