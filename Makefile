# Everything goes through the release profile, so that dependencies are built once.
CARGO ?= cargo
PLUMB = $(CARGO) run --release --locked --quiet --bin plumb --

.PHONY: build demo test check bench bench-peers plots notebooks golden

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

# The gallery: what the demo draws, and what other commands draw of its runs.
plots: demo
	$(PLUMB) map demo/places-run --method pca --mean-by name --color continent --quiet --out demo/film
	$(PLUMB) lens --model builtin --text 'Lima is a city in' --out demo/lens
	$(PLUMB) drift --model builtin --data datasets/edits.csv --quiet --out demo/drift
	$(PLUMB) geometry demo/places-run --permutations 19 --quiet --out demo/geometry
	for chart in truth places sentiment number map film lens drift geometry; do cp demo/$$chart/chart.svg plots/$$chart.svg; cp demo/$$chart/chart.png plots/$$chart.png; done

# The exported notebooks; the tests compare them with what the program writes, and execute them.
notebooks: demo
	rm -f notebooks-export/*.ipynb
	$(PLUMB) notebook demo/truth-run --probe demo/truth --out notebooks-export/truth.ipynb
	$(PLUMB) notebook demo/places-run --probe demo/places --color continent --out notebooks-export/places.ipynb
