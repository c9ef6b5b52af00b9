# The words of this project. `make test` is all a newcomer needs.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.ready
MINUTES ?= 0
SECONDS ?= 86400
LEVEL ?= image
STEPS ?= 1000000
SEED ?= 0

.PHONY: help setup demo test check oracle prove day scenarios bench replay clean

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

replay: $(STAMP)
	@$(BIN)/edge replay run/demo/store/trace

clean:
	rm -rf .venv build native/build edge/*.so run *.egg-info .ruff_cache .mypy_cache .hypothesis
