# All that a person or a machine runs on this project. `make` alone lists the targets.
PYTHON ?= python3
VENV ?= .venv
RUN := $(VENV)/bin/
READY := $(VENV)/.ready
WORKERS ?= 3
SCRIPTS := $(shell git ls-files '*.sh' .ci/run)
WORKFLOWS := $(wildcard .github/workflows/*.yml)

.DEFAULT_GOAL := help
.PHONY: help setup demo test check format s3-matrix image-test torture bench generate lock clean

help:
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(READY)  ## install all that development needs into .venv

$(READY): requirements/dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed; try: make PYTHON=python3.13" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)
	$(RUN)python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	$(RUN)python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

demo: $(READY)  ## run a pipeline, share it, change it, on an S3 server of its own
	$(RUN)python -m examples.demo

test: $(READY)  ## run all tests, on real S3 servers of their own
	$(RUN)python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(ARGS)

check: $(READY)  ## lint, formatting, types; workflows, action, image and shell scripts
	$(RUN)ruff check .
	$(RUN)ruff format --check .
	$(RUN)mypy
	$(RUN)yamllint --strict .
	$(RUN)shellcheck $(SCRIPTS)
	$(RUN)hadolint Dockerfile
	$(RUN)check-jsonschema --builtin-schema vendor.github-actions action.yml
	$(RUN)check-jsonschema --builtin-schema vendor.github-workflows $(WORKFLOWS)
	$(RUN)check-jsonschema --builtin-schema custom.github-workflows-require-timeout $(WORKFLOWS)
	$(RUN)check-jsonschema --builtin-schema vendor.dependabot .github/dependabot.yml
	sed '1,/^---$$/d' templates/pivot/template.yml | $(RUN)check-jsonschema --builtin-schema vendor.gitlab-ci --data-transform gitlab-ci --default-filetype yaml -
	$(RUN)zizmor --quiet --offline --strict-collection --persona pedantic action.yml .github

format: $(READY)  ## format the code
	$(RUN)ruff check --fix .
	$(RUN)ruff format .

s3-matrix: $(READY)  ## run the remotes' contract on every S3 server to be had here
	$(RUN)python -m tests.matrix

image-test: $(READY)  ## build the container image and test it, with Docker or where it can be had
	tests/image/with-engine.sh $(RUN)python -m pytest -v --timeout 300 tests/image $(ARGS)

torture: $(READY)  ## try all promises in full, for hours; writes tests/torture/RESULTS.md
	$(RUN)python -m tests.torture $(ARGS)

.venv-%/.ready: requirements/%.txt
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

# a tool that cannot be had here is told as missing
bench: $(READY)  ## measure this tool and its peers side by side; writes bench/RESULTS.md
	-$(MAKE) .venv-bench/.ready
	-$(MAKE) .venv-bench-dvc/.ready
	-$(RUN)python -c 'from tests.interop.conftest import find_python, install; install(find_python())'
	tests/image/with-engine.sh $(RUN)python -m bench $(ARGS)

generate: $(READY)  ## write action.yml, the GitLab template, tables of docs/ci.md and the help anew
	$(RUN)python -m tests.generated

lock: requirements/lock.txt  ## pin all requirements anew, with their hashes
	$(PYTHON) -m venv .venv-lock
	.venv-lock/bin/python -m pip install --quiet --require-hashes -r requirements/lock.txt
	set -e; for name in runtime image dev moto lock bench bench-dvc; do \
	    .venv-lock/bin/uv pip compile --quiet --universal --python-version 3.11 --upgrade \
	        --generate-hashes --no-emit-index-url --no-header requirements/$$name.in -o requirements/$$name.txt; \
	done
	set -e; for name in upstream upstream-0.1.0; do \
	    .venv-lock/bin/uv pip compile --quiet --universal --python-version 3.13 --upgrade \
	        --generate-hashes --no-emit-index-url --no-header requirements/$$name.in -o requirements/$$name.txt; \
	done
	set -e; for name in upstream-0.2.4 upstream-0.3.11 upstream-0.4.1; do \
	    .venv-lock/bin/uv pip compile --quiet --universal --python-version 3.13 --upgrade \
	        --excludes requirements/upstream-excludes.txt \
	        --generate-hashes --no-emit-index-url --no-header requirements/$$name.in -o requirements/$$name.txt; \
	done

clean:  ## remove what the other targets made
	rm -rf .venv .venv-* .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage
