# The words of this project. `make test` is all a newcomer needs.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.ready
MINUTES ?= 0
SECONDS ?= 86400
LEVEL ?= image
STEPS ?= 1000000
SEED ?= 0

.PHONY: torture-ingest simulate help setup demo test check oracle prove day scenarios bench torture replay clean coverage cross golden fuzz stack misra mutate native

help:
	@echo "make setup    the environment and the kernel"
	@echo "make demo     a simulated site, the real controller, one live screen (MINUTES=2 ends by itself)"
	@echo "make test     every test; sets up what it needs"
	@echo "make check    ruff, mypy, and the oracle's long run"
	@echo "make oracle   the guard in C beside its oracle in Python, every field compared (STEPS=1000000 SEED=0)"
	@echo "make prove    the guard, the gate and the clever half proved for all inputs, then broken on purpose (SHORT=1: 3 minutes)"
	@echo "make day      24 h of kernel and plant, told on one screen (LEVEL=wire: through every RTU frame)"
	@echo "make scenarios  what goes wrong, and what must then be seen: every scenario played and judged, in seconds"
	@echo "make bench    the numbers, each with its bound"
	@echo "make torture  every way to lose data, tried: kill -9, power cuts, full and sick disks, wrong clocks (QUICK=1: a minute)"
	@echo "make evidence one changed byte anywhere in an evidence package, 10 000 times; then a year of it: time, room, memory"
	@echo "make torture-ingest  the broker and the ingest's workers killed while 20 gateways publish, into PostgreSQL (KILLS=30 SEED=1)"
	@echo "make simulate GATEWAYS=1000 MINUTES=10  simulated gateways, one broker, one ingest, and a judge of every row"
	@echo "make sunspec-models  the SunSpec model layouts, anew from pysunspec2"
	@echo "make interop  our bus and devices against libmodbus, modbus-serial, modbus-tk, mbpoll and pysunspec2, about 4 minutes"
	@echo "make coverage   lines, branches and MC/DC of every C file by the vectors; what cannot be reached, with its reason"
	@echo "make cross    every compiler, optimisation and machine gives the same bytes: x86-64, aarch64 and armhf"
	@echo "make golden   write down what the kernel does now (tests/golden), if the oracle agrees"
	@echo "make fuzz     any bits into configuration, state, input and gate, under the sanitizers (SECONDS=60)"
	@echo "make stack    how much stack the kernel needs at most, and where"
	@echo "make misra    MISRA C:2012 by cppcheck against native/DEVIATIONS.md"
	@echo "make mutate   every small change of the kernel must show on the vectors (SAMPLE=150: so many of them)"
	@echo "make native   all of these in a few minutes, mutants by sample"
	@echo "make decoders  the decoders in Python, JavaScript and Starlark against messages of the gateway's own codec"
	@echo "make replay   re-run the kernel on the demo's trace"

# One environment; made anew when the build description or a kernel source is newer than it.
$(STAMP): pyproject.toml $(wildcard native/*.c native/*.h native/*.py)
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "setting up .venv and building the kernel (about a minute the first time)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

setup: $(STAMP)

# A broker for tests and demo: Debian as root gets mosquitto, elsewhere amqtt from the `hil` extra does (and says so).
# BROKER=amqtt or BROKER=mosquitto in the environment chooses.
.PHONY: broker
broker: $(STAMP)
	@if [ "$$BROKER" = amqtt ] || command -v mosquitto >/dev/null || test -x /usr/sbin/mosquitto; then :; \
	elif command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ]; then \
		echo "installing mosquitto"; (apt-get update -qq && apt-get install -y -qq mosquitto) >/dev/null 2>&1 || true; fi
	@if [ "$$BROKER" != amqtt ] && { command -v mosquitto >/dev/null || test -x /usr/sbin/mosquitto; }; then :; \
	elif [ "$$BROKER" != mosquitto ] && ! $(BIN)/python -c 'import amqtt' 2>/dev/null; then \
		echo "installing amqtt, a slower broker in Python"; \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[hil]'; fi
	@$(BIN)/python -m hil.demo.broker

demo: broker
	@$(BIN)/edge demo --minutes $(MINUTES)

test: broker
	@$(BIN)/python -m pytest

check: $(STAMP)
	@$(BIN)/ruff check edge hil native tests
	@$(BIN)/ruff format --check edge hil native tests
	@$(BIN)/mypy
	@$(MAKE) --no-print-directory oracle

oracle: $(STAMP)
	@$(BIN)/python -m tests.kernel.duel --steps $(STEPS) --seed $(SEED)

prove: $(STAMP)
	@$(BIN)/python -m tests.native.prove $(if $(SHORT),--short)

day: $(STAMP)
	@$(BIN)/python -m hil day --level $(LEVEL) --seconds $(SECONDS)

scenarios: $(STAMP)
	@$(BIN)/python -m hil run all

bench: broker
	@$(BIN)/python -m tests.bench

KILLS ?= 30
torture-ingest: broker peers
	@KILLS=$(KILLS) SEED=$(if $(filter 0,$(SEED)),1,$(SEED)) $(BIN)/python -m pytest tests/fleet/test_simulate.py -k kills

GATEWAYS ?= 1000
simulate: broker
	@$(BIN)/python -m tests.fleet.simulated $(GATEWAYS) $(if $(filter 0,$(MINUTES)),10,$(MINUTES))

torture: broker
	@$(BIN)/python -m tests.torture store $(if $(QUICK),--quick)

# Software of others that ours is tried against: Debian's as root, npm's into build/interop, PyPI's into the environment.
# No install script of npm runs: serialport carries its binding for each processor.
APT_PEERS := libmodbus-dev mbpoll postgresql
NPM_PEERS := modbus-serial@8.0.25 serialport@13.0.0
.PHONY: peers interop
peers: $(STAMP)
	@command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ] || { echo "without apt and root: $(APT_PEERS) nodejs npm must be there"; exit 0; }; \
	wanted="$$(for name in $(APT_PEERS); do dpkg -s $$name >/dev/null 2>&1 || printf '%s ' $$name; done)"; \
	command -v npm >/dev/null || wanted="$$wanted nodejs npm"; \
	[ -z "$$wanted" ] || { echo "installing $$wanted"; apt-get update -qq && apt-get install -y -qq $$wanted >/dev/null; }
	@[ -d build/interop/node_modules/modbus-serial ] || { echo "installing $(NPM_PEERS)"; mkdir -p build/interop; \
		npm install --prefix build/interop --ignore-scripts --no-save --no-audit --no-fund --silent $(NPM_PEERS); }
	@$(BIN)/python -c 'import modbus_tk, sunspec2' 2>/dev/null || { echo "installing modbus-tk, pysunspec2"; \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[interop]'; }

interop: peers
	@INTEROP=full $(BIN)/python -m pytest tests/interop

# How the kernel is shown right, beside its proofs. Each word fetches the tools it needs (Debian, as root) or says which.
coverage: $(STAMP)
	@$(BIN)/python -m tests.native.coverage

cross: $(STAMP)
	@$(BIN)/python -m tests.native.corpus

golden: $(STAMP)
	@$(BIN)/python -m tests.native.agree
	@$(BIN)/python -m tests.native.corpus --golden

fuzz: SECONDS = 60
fuzz: $(STAMP)
	@$(BIN)/python -m tests.native.fuzz --seconds $(SECONDS)

stack: $(STAMP)
	@$(BIN)/python -m tests.native.stack

misra: $(STAMP)
	@$(BIN)/python -m tests.native.misra

SAMPLE ?= 0
mutate: $(STAMP)
	@$(BIN)/python -m tests.native.mutate --sample $(SAMPLE)

# What CI runs of the above. One after the other: each uses all cores itself.
native: $(STAMP)
	@$(MAKE) --no-print-directory coverage
	@$(MAKE) --no-print-directory cross
	@$(MAKE) --no-print-directory stack
	@$(MAKE) --no-print-directory misra
	@$(MAKE) --no-print-directory mutate SAMPLE=150
	@$(MAKE) --no-print-directory fuzz SECONDS=60

# The statement as a browser shows it: build/statement.png, where chromium is installed.
.PHONY: evidence
TRIES ?= 10000
evidence: $(STAMP)
	@mkdir -p build
	@STATEMENT_PNG=build/statement.png $(BIN)/python -m pytest tests/carbon/evidence/test_page.py
	@EVIDENCE_TRIES=$(TRIES) $(BIN)/python -m pytest tests/carbon/evidence/test_package.py -k changed_byte
	@$(BIN)/python -m tests.bench.ledger

# The decoders for other people's software. npm has nothing to fetch: node's own test runner runs them.
.PHONY: decoders
decoders: $(STAMP)
	@command -v node >/dev/null || { command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ] && \
		{ echo "installing nodejs npm"; apt-get update -qq && apt-get install -y -qq nodejs npm >/dev/null; } || true; }
	@$(BIN)/python -c 'import starlark_go' 2>/dev/null || { echo "installing starlark-go"; \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[decoders]'; } || true
	@$(BIN)/python -m pytest -rs tests/cloud/test_decoders.py
	@! command -v npm >/dev/null || npm --prefix deploy/cloud/decoders/js --silent test

replay: $(STAMP)
	@$(BIN)/edge replay run/demo/store/trace

# The layouts of the SunSpec models that are used, from the JSON files of pysunspec2.
.PHONY: sunspec-models
sunspec-models: $(STAMP)
	@$(BIN)/python -c 'import importlib.util, sys; sys.exit(importlib.util.find_spec("sunspec2") is None)' \
		|| $(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[sunspec]'
	@$(BIN)/python -m edge.field.sunspec.generate

clean:
	rm -rf .venv build native/build edge/*.so run *.egg-info .ruff_cache .mypy_cache .hypothesis
