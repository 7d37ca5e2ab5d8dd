# What people type here; `make` lists it. The work is done by cargo, maturin and pytest.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# bindgen's variables, so that no system clang is needed.
ENV = eval "$$($(BIN)/python build_backend/native.py env)" &&
INSTALL = $(BIN)/uv pip install --quiet --python $(BIN)/python
# Without isolation libclang stays where it is from build to build, and cargo has nothing to redo.
# The libraries are built first, where one can see it.
PACKAGE = $(BIN)/python build_backend/native.py stage && \
	$(INSTALL) --no-build-isolation --reinstall-package redisai-rs --editable
SHIM = $(BIN)/redisai-rs backend build torch
TESTS ?= tests
BACKEND ?= onnx
WORKERS ?= 4

.DEFAULT_GOAL := help
.PHONY: help demo build develop test test-servers test-frameworks soak loom fuzz bench lint fmt docs clean check

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1|/p' $(firstword $(MAKEFILE_LIST)) | \
		while IFS='|' read -r name text; do printf '  make %-14s %s\n' "$$name" "$$text"; done

demo: $(BIN)/maturin ## build, store a real model in a server, run it on real data; BACKEND=onnx, torch, tf, tflite
	$(PACKAGE) '.[$(BACKEND),server]'
	$(if $(filter torch,$(BACKEND)),$(SHIM))
	$(BIN)/redisai-rs demo --backend $(BACKEND)

build: $(BIN)/maturin ## release build, installed into .venv with the frameworks of all backends
	$(PACKAGE) '.[all]' && $(SHIM)

develop: $(BIN)/maturin ## the same, with what the tests need
	$(PACKAGE) '.[test]' && $(SHIM)

test: develop ## every test, then the linters
	$(BIN)/python scripts/test.py --workers $(WORKERS)

test-servers: develop ## every test on every server that we know, and a table
	$(BIN)/python scripts/test.py --workers $(WORKERS) --only pytest -- --all-servers $(TESTS)

test-frameworks: develop ## each backend with the oldest framework that it promises
	$(BIN)/python scripts/frameworks.py

soak: develop ## minutes of mixed load
	$(BIN)/python scripts/test.py --workers 1 --only pytest -- -m soak --timeout 0 $(TESTS)

loom: ## the engine's hand-overs in every order of threads
	RUSTFLAGS='--cfg loom' cargo test --target-dir target/loom --release -p redisai-engine --lib loom

fuzz: $(BIN)/maturin ## each fuzz target for a short time
	$(ENV) PYTHON=$(BIN)/python fuzz/run.sh

bench: develop ## measure against the targets: table, JSON, picture
	$(ENV) $(BIN)/python benches/run.py

lint: develop ## formatters, linters and type checkers, changing nothing
	$(BIN)/python scripts/test.py --only lint

fmt: $(BIN)/ruff ## format everything
	cargo fmt --all
	$(BIN)/ruff check --quiet --fix-only .
	$(BIN)/ruff format --quiet .

docs: $(BIN)/maturin ## the site of the documentation (target/site), and that of Rust, private items too
	$(PACKAGE) '.[docs]'
	$(BIN)/sphinx-build -W --keep-going --quiet docs target/site
	$(ENV) RUSTDOCFLAGS='-D warnings' cargo doc --workspace --no-deps --document-private-items

clean: ## remove everything that was built
	cargo clean
	rm -rf $(VENV) python/redisai_rs/lib python/redisai_rs/*.so bench-results

# Steps of the above ------------------------------------------------------------------------------

check:
	@scripts/check-tools.sh $(PYTHON)

$(BIN)/uv: | check
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check uv

$(BIN)/maturin: $(BIN)/uv pyproject.toml | check
	$(INSTALL) 'maturin>=1.16,<2' 'libclang>=18'
	@touch $@

$(BIN)/ruff: $(BIN)/uv
	$(INSTALL) 'ruff>=0.17'
