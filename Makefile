# Nothing has to be done by hand first: every target installs what it needs into .venv.
#   make demo                                             make test
#   make demo INPUT="my clip.mp4" PROMPT="pencil sketch"  make test PYTHON=/path/to/python

SHELL := /bin/bash
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

INPUT ?=
PROMPT ?= woodcut
OPTIONS ?=
PHOTOS ?=
MINUTES ?= 120
OUT ?= build/embedded
ARGS ?=
PYTHON ?=
# Recipes read these as shell variables, so that spaces and quotes in a file name or a prompt arrive unharmed.
export INPUT PROMPT PHOTOS MINUTES OUT PYTHON

BIN := .venv/bin
CORE := .venv/.installed-core
EXTRAS := $(addprefix .venv/.installed-,test dev train)

.PHONY: help demo test test-real test-media gpu gates embedded bench-embedded bench-controls bench-models bench-gpu bench-temporal bench-bars bench-inversion bench-speed clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' Makefile

demo: $(CORE) ## restyle the sample clip, or yours: INPUT=my.mp4 PROMPT="..."
	@set -e; mkdir -p demo; source="$$INPUT"; \
	if [ -z "$$source" ]; then source=demo/sample.mp4; $(BIN)/vedit sample --overwrite -o "$$source" >/dev/null; fi; \
	name=$$(basename -- "$$source"); \
	result="demo/$${name%.*}.restyled.$${name##*.}"; \
	beside="demo/$${name%.*}.side-by-side.mp4"; \
	$(BIN)/vedit restyle --prompt "$$PROMPT" --overwrite -o "$$result" --side-by-side "$$beside" $(OPTIONS) -- "$$source"; \
	printf '%-14s %s\n' source "$$source" restyled "$$result" side-by-side "$$beside"

test: .venv/.installed-test ## the tests, small scale (ARGS="-k cli" is passed on)
	@$(BIN)/python -m pytest -n logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder \
		--durations 25 --durations-min 1 -m "not real and not slow and not gpu" $(ARGS)

test-real: .venv/.installed-test ## render the real clips of VEDIT_TEST_DATA in full and print a table
	@$(BIN)/python -m pytest -m real -s -rs $(ARGS)

test-media: .venv/.installed-test ## every kind of file through probe, identity render and verify, in full; prints tables
	@VEDIT_MEDIA_SCALE=full $(BIN)/python -m pytest -m media -s -rs $(ARGS)

gpu: .venv/.installed-test ## the tests that need a CUDA device; fails where there is none
	@VEDIT_REQUIRE_GPU=1 $(BIN)/python -m pytest -m gpu -rs $(ARGS)

gates: .venv/.installed-dev ## formatting, lint, types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright --pythonpath $(BIN)/python

embedded: .venv/.installed-train ## train the embedded model: PHOTOS=folder MINUTES=120
	@if [ -z "$$PHOTOS" ]; then \
		echo 'vedit: error: no photographs named; run: make embedded PHOTOS=folder MINUTES=120' >&2; exit 2; fi
	$(BIN)/python examples/train_embedded/train.py --photos "$$PHOTOS" --minutes "$$MINUTES" --out "$$OUT" $(ARGS)

bench-embedded: .venv/.installed-train ## measure the embedded model: 40 core-minutes, ARGS="--only speed" for a part
	$(BIN)/python examples/bench_embedded/bench.py $(ARGS)

bench-controls: $(CORE) ## time flow and edges beside bare OpenCV: ARGS="--clip FILE"
	$(BIN)/python examples/bench_controls/bench.py $(ARGS)

bench-models: $(CORE) ## models at their true sizes beside diffusers and beside their plans: ARGS="speed", ARGS="plan"
	$(BIN)/python examples/bench_models/bench.py $(ARGS)

bench-gpu: $(CORE) ## models at their true sizes on a GPU, beside diffusers: ARGS="--only sd15"
	$(BIN)/python examples/bench_models/gpu.py $(ARGS)

bench-temporal: $(CORE) ## steadiness beside diffusers: two core-hours, ARGS="--quick --out build/temporal" to see it run
	$(BIN)/python examples/bench_temporal/bench.py $(ARGS)

bench-bars: $(CORE) ## vedit held to its bars of steadiness: two core-hours, ARGS="--clips car --looks woodcut" for a part
	$(BIN)/python examples/bench_temporal/bars.py $(ARGS)

bench-inversion: $(CORE) ## what methods of inversion give back, and where edits lead: ARGS="--clip FILE"
	$(BIN)/python examples/bench_inversion/bench.py $(ARGS)

bench-speed: $(CORE) ## seconds a frame of whole renders beside diffusers: ARGS="--clip FILE --only draft"
	$(BIN)/python examples/bench_temporal/speed.py $(ARGS)

clean: ## remove what make and the tests wrote, .venv included
	rm -rf .venv build dist demo *.egg-info .pytest_cache .ruff_cache .hypothesis .coverage
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(CORE): pyproject.toml constraints.txt
	@.ci/install
	@touch $@

# Every extra brings the core with it.
$(EXTRAS): .venv/.installed-%: pyproject.toml constraints.txt
	@.ci/install $*
	@touch $(CORE) $@
