# Everything from a machine that has Python, pip and make:
#
#   make test    checks style and types, and runs the tests
#   make demo    trains the airplanes demonstration (DEMO_FLAGS=... for its flags)
#   make lint    checks style and types alone
#   make clean   removes what the others made
#
# PYTHON names the interpreter (3.10 to 3.13) that the virtual environment is made
# with, VENV the environment's folder.  uv installs, which is faster; where it
# cannot be had, pip does the same.

.DELETE_ON_ERROR:
.PHONY: test demo lint clean

VENV ?= .venv
PYTHON ?=
PYTHONS := python3 python3.13 python3.12 python3.11 python3.10
UV ?= $(shell command -v uv)
DEMO_FLAGS ?=
# Three processes, as some tests wait for programs of their own; the tests of a
# file stay together, as they share built models, and files come in the order of
# tests/conftest.py.
# Tests of several processes could wait for each other for ever, hence a limit; and
# xdist could after a process that died, unless it starts no other.
PYTEST_FLAGS ?= -n 3 --dist loadfile --no-loadscope-reorder --timeout 900 --max-worker-restart 0

ifneq ($(words $(VENV)),1)
$(error VENV must be one path without spaces, got "$(VENV)")
endif

INSTALLED := $(VENV)/.installed
# Beside the environment while it is being filled: one that was cut short is ours
# to delete, and one that someone else made is not.
INCOMPLETE := $(VENV).incomplete
RUN := $(VENV)/bin/python

test: lint
	$(RUN) -m pytest $(PYTEST_FLAGS)

demo: $(INSTALLED)
	$(RUN) tools/demo.py $(DEMO_FLAGS)

lint: $(INSTALLED)
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy

$(INSTALLED): pyproject.toml requirements.txt setup.py
	@set -e; found=; \
	if [ -e $(INCOMPLETE) ]; then rm -rf $(VENV) $(INCOMPLETE); fi; \
	if [ ! -e $(VENV) ]; then \
	  for python in $(or $(PYTHON),$(PYTHONS)); do \
	    if "$$python" -c 'import sys; \
	      sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))' \
	      2>/dev/null; then found=$$python; break; fi; \
	  done; \
	  if [ -z "$$found" ]; then \
	    echo "error: no Python 3.10 to 3.13 in:" \
	      "$(or $(PYTHON),$(PYTHONS));" \
	      "name one with 'make PYTHON=/path/to/python'" >&2; \
	    exit 1; \
	  fi; \
	  if ! "$$found" -c 'import ensurepip, venv' 2>/dev/null; then \
	    echo "error: $$found cannot make virtual environments (no ensurepip);" \
	      "on Debian and Ubuntu install python3-venv, or name another" \
	      "interpreter with 'make PYTHON=/path/to/python'" >&2; \
	    exit 1; \
	  fi; \
	  mkdir -p $(dir $(VENV)); \
	  touch $(INCOMPLETE); \
	  "$$found" -m venv $(VENV); \
	elif [ ! -x $(RUN) ]; then \
	  echo "error: $(VENV) exists and is no virtual environment;" \
	    "remove it, or name another folder with 'make VENV=...'" >&2; \
	  exit 1; \
	fi; \
	echo "Installing into $(VENV): some minutes and 3 GB the first time."; \
	uv="$(UV)"; \
	if [ -z "$$uv" ] && \
	  $(RUN) -m pip install --disable-pip-version-check --quiet uv; then \
	  uv="$(RUN) -m uv"; \
	fi; \
	if [ -z "$$uv" ] || \
	  ! $$uv pip install --compile-bytecode --python $(RUN) \
	    -e '.[test]'; then \
	  $(RUN) -m pip install --disable-pip-version-check -e '.[test]'; \
	fi; \
	rm -f $(INCOMPLETE); \
	touch $@

clean:
	rm -rf .venv .venv.incomplete .mypy_cache .pytest_cache .ruff_cache \
	  .hypothesis build dist grw_smoothing.egg-info
	find official_ext tests tools -name __pycache__ -type d -prune \
	  -exec rm -rf {} +
