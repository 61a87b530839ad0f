# Two commands for a newcomer: `make demo` and `make test`. Both install what is missing, or say what to install.

SHELL := /bin/bash
# Outside the clone and shared by all of them: a cold build compiles RocksDB and Cranelift once.
export CARGO_TARGET_DIR ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/hanse/target

.PHONY: demo test simulate setup build bench fmt lint docs

## demo: from nothing to a running chain under load; ends by itself
demo: setup
	@scripts/demo

## test: every test of the workspace
test: setup
	@scripts/test

## simulate: the hunt for faults of consensus, about ten minutes; HANSE_NIGHTLY=1 makes it twenty times as long
simulate: setup
	@scripts/simulate

## setup: what a build needs, installed where possible
setup:
	@scripts/setup

build: setup
	cargo build --release --workspace

bench: setup
	cargo run --release -p hanse-benches -- scheduler --workload token-wasm

fmt:
	cargo fmt --all

lint: setup
	cargo clippy --release --workspace --all-targets -- -D warnings

docs:
	RUSTDOCFLAGS="-D warnings" cargo doc --release --workspace --no-deps
