# The project's verbs. `make` alone lists them; README.md shows what the main ones print.

# Plain `cargo` is stable here, whatever the machine's default is; only libFuzzer needs nightly.
export RUSTUP_TOOLCHAIN ?= stable
# Cargo finds its subcommands beside itself; the scripts must find them in the same place.
export PATH := $(or $(CARGO_HOME),$(HOME)/.cargo)/bin:$(PATH)
# The rig looks for the guest's image in the workspace's own target folder.
unexport CARGO_TARGET_DIR

RIG := target/release/kmem-rig
# What measures the repository, over the rig with other people's allocators and planted mutants. The target
# folder of both is their own, so that neither build makes the other stale.
BENCH := target/all/release/kmem-rig-bench
RISCV := riscv64gc-unknown-none-elf
GUEST_OF := --manifest-path qemu-tests/guest/Cargo.toml --target $(RISCV) --target-dir
GUEST := $(GUEST_OF) target
INTERLEAVINGS := --manifest-path kmem/interleavings/Cargo.toml --target-dir target/interleavings
# Its manifest names a nightly feature of Cargo; this lets the stable Cargo read it.
FUZZ := --manifest-path fuzz/Cargo.toml
NIGHTLY_MANIFEST := RUSTC_BOOTSTRAP=1

# The crates that can be published; `guest` can once `harness` is. They are not built from their
# packages: Cargo would take what it unpacked of the same version the last time.
PUBLISHED := -p kmem -p kmem-rig-harness -p kmem-rig-subjects -p qemu-exec -p kmem-rig

# What `make run` writes its finds to: an ignored folder, or with KEEP=1 the regressions.
FINDS ?= $(if $(KEEP),qemu-tests/regressions,target/finds)
# The fuzz target of `make fuzz`.
TARGET ?= kmem
# How long `make run` and `make fuzz` look for bugs.
run: SECONDS ?= 20
fuzz nightly: SECONDS ?= 60
MSRV = $(shell sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
# What `make cost` compares with.
BEFORE ?= target/cost.tsv

# Only where it is to be cared for: its target boots the image.
GUEST_CORPUS := $(if $(wildcard fuzz/corpus/guest),guest-coverage)

.PHONY: help setup run build build-all rig rig-all rig-bench guest guest-all guest-coverage install test test-suite test-partition test-scale coverage fuzz nightly cost replay review seeds corpus lint msrv advisories known-bugs bench book soak ci
.NOTPARALLEL:

help: ## List the verbs
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-14s %s\n", $$1, $$2 }' Makefile

setup: setup-all ## Install at once what the verbs install one by one, each what it needs

# What one verb needs.
setup-%:
	@scripts/setup.sh $*

run: setup-run build ## Fuzz kmem-2019, then minimise the finds and replay them in the guest (SECONDS, KEEP=1)
	@scripts/run.sh $(SECONDS) $(FINDS)

build: setup-build rig guest ## Build the rig and the guest, optimised

build-all: setup-build rig-all guest-all ## Build both with other people's allocators and planted mutants too (target/all)

rig:
	cargo build --release --locked

rig-all:
	cargo build --release --locked --features all --target-dir target/all

rig-bench:
	cargo build --release --locked -p kmem-rig-bench --target-dir target/all

guest: setup-build
	cargo build --release --locked $(GUEST) --bin kmem-rig-guest

# The image with every subject, and the kernels that tests boot.
guest-all: setup-build
	cargo build --release --locked $(GUEST) --features all --bin kmem-rig-guest-all
	cargo build --release --locked $(GUEST) --bin recorded-kernel --bin pressed-kernel
	cargo build --release --locked $(GUEST) -p many-harts

install: guest ## Install kmem-rig, with the guest's image inside, into Cargo's folder of programs
	cargo install --locked --path . --features embed-guest

# The image for the fuzz target `guest`, in a target folder of its own.
guest-coverage: setup-build
	RUSTC_WRAPPER=$(CURDIR)/scripts/count-edges.sh \
		cargo build --release --locked $(GUEST_OF) target/guest-coverage --bin kmem-rig-guest

test: test-suite ## Run every test: host, guest, snapshots, documentation, interleavings, Miri, fuzz smoke runs
	scripts/smoke.sh

test-suite: setup-test guest guest-all guest-coverage ## The same without running the fuzz targets
	scripts/test.sh
	scripts/replay-parts.sh
	cargo test --doc --workspace --locked --quiet
	cargo test --test interleavings --locked --quiet $(INTERLEAVINGS)
	cargo test -p kmem --test it --features seal,poison --locked --quiet
	scripts/miri.sh

test-partition: setup-test-partition guest-all ## Replay the committed traces in parts, from an archive, as several machines would
	scripts/replay-parts.sh

coverage: setup-coverage guest guest-all ## Count the lines that tests reach, on the host and in the guest (target/coverage/index.html)
	@scripts/coverage.sh

test-scale: setup-test-scale build ## Build the fuzz targets as OSS-Fuzz does, and have ClusterFuzz's engine drive them
	@scripts/test-scale.sh

fuzz: setup-fuzz $(if $(filter guest,$(TARGET)),guest-coverage) ## Fuzz one target until its first find (TARGET=kmem SECONDS=60)
	@mkdir -p fuzz/corpus/$(TARGET)
	cargo +nightly fuzz run -O $(TARGET) fuzz/corpus/$(TARGET) fuzz/seeds/$(TARGET) -- \
		-dict=$(firstword $(wildcard fuzz/$(TARGET).dict) fuzz/kmem.dict) \
		-timeout=10 -reduce_inputs=0 -max_total_time=$(SECONDS)

nightly: setup-nightly build $(if $(filter guest,$(TARGET)),guest-coverage) ## Fuzz a target on from its corpus, minimise that, triage (TARGET=kmem SECONDS=60)
	@scripts/nightly.sh $(TARGET) $(SECONDS)

cost: setup-cost rig-all guest-all ## Flag calls that cost more than when BEFORE was written (target/cost.tsv), and write it anew
	@scripts/cost-regressions.sh $(BEFORE)

replay: setup-replay build ## Replay all regressions on the host and in the guest
	$(RIG) replay qemu-tests/regressions --on host,qemu

review: setup-review ## Accept or reject the snapshots that the last failed `make test` proposed
	cargo insta review --workspace

seeds: rig ## Write the fuzz targets' seed corpora anew from the regressions
	@scripts/seeds.sh

corpus: setup-corpus rig $(GUEST_CORPUS) ## Renew, merge and minimise the corpora in fuzz/corpus
	@scripts/corpus.sh fuzz/corpus

lint: setup-lint guest ## Check formatting, lints, house rules, dependencies, documentation, workflows, packages
	cargo fmt --all --check
	cargo fmt --all --manifest-path qemu-tests/guest/Cargo.toml --check
	cargo fmt --all --manifest-path kmem/interleavings/Cargo.toml --check
	$(NIGHTLY_MANIFEST) cargo fmt $(FUZZ) --check
	cargo clippy --workspace --all-targets --all-features --locked -- -D warnings
	cargo clippy --lib --no-default-features --locked -- -D warnings
	cargo clippy --workspace --lib --bins --all-features --locked $(GUEST) -- -D warnings
	cargo clippy --workspace --all-targets --locked $(INTERLEAVINGS) -- -D warnings
	$(NIGHTLY_MANIFEST) cargo clippy --all-targets --locked $(FUZZ) -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --all-features --locked
	RUSTDOCFLAGS="-D warnings" cargo doc -p kmem-rig-guest --no-deps --locked $(GUEST)
	cargo test --package tidy --locked --quiet
	scripts/deny.sh licenses bans sources
	scripts/lint-workflows.sh
	cargo package --quiet --locked --allow-dirty --no-verify $(PUBLISHED)

msrv: ## Check that the oldest compiler Cargo.toml names still compiles what users build
	RUSTUP_TOOLCHAIN=$(MSRV) cargo check --workspace --lib --bins --locked

advisories: setup-advisories ## Check the dependencies against the RustSec database, which this downloads
	scripts/deny.sh advisories

known-bugs: setup-known-bugs rig-bench ## Find real, since fixed bugs of other crates again, and measure how soon
	@scripts/known-bugs.sh

bench: setup-bench rig-all rig-bench guest guest-all guest-coverage ## Measure what has a goal, and draw it (docs/performance.svg); see docs/performance.md
	$(BENCH) all -o docs/performance.svg

book: ## Build the book of docs/ into target/book, with mdBook, which is installed first if need be
	@command -v mdbook >/dev/null || cargo install --locked mdbook --no-default-features --features search
	mdbook build docs

soak: setup-soak rig-all guest-all known-bugs ## The long runs: 10^9 ops for kmem, 10^8 for each other correct allocator
	@scripts/soak.sh

ci: ## Run what a change must pass: tests, lint, the fuzz targets as OSS-Fuzz runs them, coverage
	@.ci/run
