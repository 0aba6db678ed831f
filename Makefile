# Everything that a person or a machine runs on this project. `make` alone lists the targets.
PYTHON ?= python3
VENV ?= .venv
RUN := $(VENV)/bin/
READY := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help setup lock

help:
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: $(READY)  ## install everything that development needs into .venv

$(READY): requirements/dev.txt pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; try: make PYTHON=python3.13")'
	$(PYTHON) -m venv $(VENV)
	$(RUN)python -m pip install --quiet --require-hashes -r requirements/dev.txt
	$(RUN)python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@
