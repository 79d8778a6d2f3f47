# Every target does its own set-up: a virtual environment, the C libraries, the packages, the build. tools/bootstrap.sh
# performs the set-up; the files under $(VENV)/stamps record which of its steps are done, so a second run is quick.
#
#   make test                      with python3, in .venv
#   make test PYTHON=python3.12    with another interpreter, in .venv-3.12

PYTHON ?= python3
ifndef VENV
VENV := $(if $(filter python3,$(PYTHON)),.venv,.venv-$(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null))
endif
BIN := $(VENV)/bin
STAMPS := $(VENV)/stamps
BOOTSTRAP := PYTHON='$(PYTHON)' VENV='$(VENV)' tools/bootstrap.sh
SOURCES := $(shell find hubcore \( -name '*.py' -o -name '*.pxd' \) -print)

.PHONY: help demo test test-all test-newest cpython-tests interplay interplay-gevent interplay-gevent-jobs fuzz-http simulate plugin-backends plugin-backends-packages plugin-backends-tests ecosystem lint docs bench wheel wheels soak build clean
.NOTPARALLEL: # two pips in one environment interfere with each other

help:
	@echo "demo             fetch pages concurrently on each backend"
	@echo "test             run the tests on every backend; PYTHON=python3.12 chooses the interpreter"
	@echo "test-all         run the tests with every CPython from 3.11 up on this machine"
	@echo "test-newest      run the tests with the newest CPythons, from Debian unstable (as root); NEWEST=3.15 chooses"
	@echo "cpython-tests    run CPython's own tests on hubcore (takes hours)"
	@echo "interplay        run the tests with real libraries and servers"
	@echo "interplay-gevent run packages that live on gevent on hubcore under its name (also part of interplay)"
	@echo "fuzz-http        compare random HTTP requests with h11's reading; SECONDS=600 says for how long"
	@echo "simulate         run generated programs twice and compare; SEEDS=10000 says how many"
	@echo "plugin-backends  run tests on the example backends, pyev and pyuv"
	@echo "ecosystem        run other projects' test suites plain and on hubcore (takes hours); PROJECTS='urllib3 redis' chooses"
	@echo "soak             run the long tests"
	@echo "lint             run ruff, mypy and pyright"
	@echo "docs             build the documentation site into docs/_build/html"
	@echo "bench            measure hubcore, gevent, asyncio and uvloop"
	@echo "wheel            build a wheel that contains libev and libuv, and try it in a bare environment"
	@echo "wheels           the same for every CPython from 3.11 up on this machine"
	@echo "build            compile the modules in place"
	@echo "clean            remove everything that was built"

demo: $(STAMPS)/quick $(STAMPS)/group-cli
	$(BIN)/hubcore demo

# Runs in two processes on two or more cores; PARTS=1 runs plain pytest.
test: $(STAMPS)/build $(STAMPS)/group-test $(STAMPS)/group-wheel
	$(BIN)/python -m tests.parts --hub-backend=all

soak: $(STAMPS)/build $(STAMPS)/group-test
	$(BIN)/python -m pytest -m soak --hub-backend=all

test-all:
	tools/test-all.sh

# Runs the tests, without the slow ones and the interplay, with CPythons that tools/newest.sh installs under .newest/.
test-newest:
	tools/test-newest.sh $(NEWEST)

# Runs CPython's own tests with every CPython on the machine and with the newest ones: with hubcore's modules in place of
# the standard library's, and after patch_all. Takes hours; python -m tests.cpython runs a part.
cpython-tests:
	tools/cpython-tests.sh

# Runs the tests with real servers and programs from the system's packages, and with libraries from PyPI. `make test` runs
# those for which it finds both.
interplay: $(STAMPS)/build $(STAMPS)/services $(STAMPS)/group-interplay
	$(BIN)/python -m pytest --hub-backend=all -rs tests/interplay
	@$(MAKE) --no-print-directory PYTHON='$(PYTHON)' VENV='$(VENV)' interplay-gevent

# Runs packages that live on gevent on hubcore under its name, in an environment of its own, and writes docs/gevent.md.
# JOBS=celery runs some of them.
interplay-gevent:
	@$(MAKE) --no-print-directory PYTHON='$(PYTHON)' VENV='$(VENV)-gevent' interplay-gevent-jobs

interplay-gevent-jobs: $(STAMPS)/build $(STAMPS)/services $(STAMPS)/group-gevent
	$(BIN)/python -m tests.interplay.dropin $(JOBS)

# Builds pyev and pyuv in an environment of its own, and runs tests on the backends of examples/backends.
# With ALLOW_OFFLINE=1 a download that fails is said, and fails nothing.
plugin-backends:
	@if $(MAKE) --no-print-directory PYTHON='$(PYTHON)' VENV='$(VENV)-plugin-backends' plugin-backends-packages; then \
	    $(MAKE) --no-print-directory PYTHON='$(PYTHON)' VENV='$(VENV)-plugin-backends' plugin-backends-tests; \
	else \
	    echo 'plug-in backends: the packages that their tests need cannot be had here, so pyev and pyuv were not tried'; \
	    [ '$(ALLOW_OFFLINE)' = 1 ]; \
	fi

plugin-backends-packages: $(STAMPS)/system $(STAMPS)/install $(STAMPS)/group-build $(STAMPS)/group-plugin-backends

plugin-backends-tests: plugin-backends-packages $(STAMPS)/build
	@VENV='$(VENV)' tools/plugin-backends.sh

# Other projects' own test suites, plain and patched, compared test by test; writes docs/ecosystem.md. Takes hours.
ecosystem: $(STAMPS)/build $(STAMPS)/services $(STAMPS)/group-ecosystem
	$(BIN)/python -m tools.ecosystem $(PROJECTS)

# Random requests, read by hubcore.pywsgi and by h11, until one is read in two ways.
SECONDS ?= 60
fuzz-http: $(STAMPS)/build $(STAMPS)/group-test
	$(BIN)/python -m tests.http.fuzz $(SECONDS)

# Generated programs replay in other processes, mended versions of planted bugs do not fail, histories are judged right.
SEEDS ?= 1000
simulate: $(STAMPS)/build $(STAMPS)/group-test
	$(BIN)/python -m tests.simulation.soak all $(SEEDS)

lint: $(STAMPS)/group-lint $(STAMPS)/group-build
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/python tools/type_completeness.py

# Warnings are errors: a link to a page or a heading that does not exist is one.
docs: $(STAMPS)/build $(STAMPS)/group-docs
	$(BIN)/python -m sphinx -W --keep-going -q -E -b html docs docs/_build/html
	@echo "the site is docs/_build/html/index.html"

bench: $(STAMPS)/build $(STAMPS)/group-bench
	$(BIN)/python -m benchmarks

wheel: $(STAMPS)/build $(STAMPS)/group-wheel
	$(BIN)/python tools/wheel.py --output wheelhouse --try-out

wheels:
	tools/wheels.sh

build: $(STAMPS)/build

clean:
	rm -rf build dist wheelhouse docs/_build .pytest_cache .mypy_cache .ruff_cache .hypothesis *.egg-info .venv*/stamps/build .venv*/stamps/quick .venv*/stamps/compiled-quickly
	find hubcore \( -name '*.c' -o -name '*.so' \) -delete
	find . -name __pycache__ -not -path './.venv*' -not -path './.newest/*' -prune -exec rm -rf {} +

# Packages of the operating system: a C compiler, Python.h, libev, libuv.
$(STAMPS)/system: $(STAMPS)/venv
	@$(BOOTSTRAP) system

$(STAMPS)/venv: tools/bootstrap.sh
	@$(BOOTSTRAP) venv

# Databases and other servers, and client programs for hubcore's servers; the tests start them.
$(STAMPS)/services: $(STAMPS)/venv
	@$(BOOTSTRAP) services

# One stamp for each dependency group of pyproject.toml.
$(STAMPS)/group-%: pyproject.toml $(STAMPS)/venv
	@$(BOOTSTRAP) group $*

# The compiled modules, in place beside their sources.
NEEDED_TO_BUILD := $(SOURCES) setup.py tools/cython_additions.py $(STAMPS)/install $(STAMPS)/group-build $(STAMPS)/system
$(STAMPS)/build: $(NEEDED_TO_BUILD)
	@$(BOOTSTRAP) build

# The same, compiled in half of the time, unless there is a build already.
$(STAMPS)/quick: $(NEEDED_TO_BUILD)
	@$(BOOTSTRAP) quick

# The `hubcore` command and the entry points, which refer to this tree.
$(STAMPS)/install: pyproject.toml $(STAMPS)/group-build
	@$(BOOTSTRAP) install
