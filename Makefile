# Everything goes through the release profile, so that dependencies are built once.
CARGO ?= cargo
PLUMB = $(CARGO) run --release --locked --quiet --bin plumb --

.PHONY: build demo test check fuzz bench bench-peers plots notebooks golden

build:
	$(CARGO) build --release --locked

# Texts -> activations -> probes -> charts, on the built-in model and data; no network. Look at demo/.
demo: build
	$(PLUMB) demo --out demo --force

# Tests that need data or programs that are not in the project say `skipped: …`; PLUMB_SHARED and PLUMB_PYTHON name them.
test:
	$(CARGO) test --release --locked

check:
	$(CARGO) fmt --all --check
	$(CARGO) clippy --release --locked --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --release --locked --no-deps

# Bytes that nobody meant to each reader of foreign bytes, so many seconds each, beginning with the files of the project. Needs a nightly toolchain
# and cargo-fuzz; READERS says which (all of fuzz/fuzz_targets by default).
READERS ?= $(basename $(notdir $(wildcard fuzz/fuzz_targets/*.rs)))
SECONDS_EACH ?= 60
fuzz:
	for reader in $(READERS); do \
	  mkdir -p fuzz/corpus/$$reader; \
	  $(CARGO) +nightly fuzz run -s none -O $$reader fuzz/corpus/$$reader tests/golden tests/fixtures datasets probes plots notebooks-export -- \
	    -max_total_time=$(SECONDS_EACH) -max_len=65536 -timeout=10 -rss_limit_mb=2048 || exit 1; \
	done

bench:
	$(CARGO) bench --locked

# The same work by us and by what people use today, in turn, on the same threads; prints ratios. PLUMB_PYTHON names a Python with
# benches/peers/requirements.txt; PEERS says which comparisons (all of benches/peers by default).
PLUMB_PYTHON ?= python3
PEERS ?= $(basename $(notdir $(wildcard benches/peers/bench_*.py)))
bench-peers: build
	$(CARGO) build --release --locked --examples
	for peer in $(PEERS); do $(PLUMB_PYTHON) benches/peers/$$peer.py || exit 1; done

# The table of errors against transformers: family, quantity, relative error.
golden:
	$(CARGO) test --release --locked --test suite every_golden_holds -- --nocapture

# The gallery: what the demo draws, and what other commands draw of its runs. plots/README.md says which picture is which.
GALLERY = truth places sentiment number map film lens drift pair geometry nearest transfer score learning
plots: demo
	$(PLUMB) map demo/places-run --method pca --mean-by name --color continent --quiet --out demo/film
	$(PLUMB) lens --model builtin --text 'Lima is a city in' --out demo/lens
	$(PLUMB) drift --model builtin --data datasets/edits.csv --quiet --out demo/drift
	$(PLUMB) drift --model builtin --original 'Paris is in France.' --edited 'Paris is in Spain.' --out demo/pair
	$(PLUMB) geometry demo/places-run --permutations 19 --quiet --out demo/geometry
	$(PLUMB) nearest --model builtin --token ' Paris' --out demo/nearest
	$(PLUMB) transfer demo/truth-run --label label --split-column split --group entity --lambda 0.01 --quiet --out demo/transfer
	$(PLUMB) score --probe demo/truth/probes/blocks.3.resid_post.json --model builtin --text 'Lima is in Peru.' --text 'Lima is in Japan.' --text 'Tokyo is in Asia.' --out demo/score
	$(PLUMB) probe demo/number-run --label comparison --split-column split --lambda 0.01 --group pair --learning-curve --quiet --out demo/learning
	for kind in svg png; do \
		for chart in $(GALLERY); do cp demo/$$chart/chart.$$kind plots/$$chart.$$kind || exit 1; done; \
		cp demo/learning/learning_curve.$$kind plots/learning.$$kind; \
		for chart in ranking movement effects; do cp demo/drift/$$chart.$$kind plots/$$chart.$$kind || exit 1; done; \
		for chart in confusion calibration; do cp demo/truth/$$chart.$$kind plots/$$chart.$$kind || exit 1; done; \
	done

# The exported notebooks; the tests compare them with what the program writes, and execute them.
notebooks: demo
	rm -f notebooks-export/*.ipynb
	$(PLUMB) notebook demo/truth-run --probe demo/truth --out notebooks-export/truth.ipynb
	$(PLUMB) notebook demo/places-run --probe demo/places --color continent --out notebooks-export/places.ipynb
