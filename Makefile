# Makes .venv from the lock, then leaves every target to Snakemake, which alone knows what is up to date and looks for ready jobs every 3 s (its default of 1 s adds up: each finished job brings one more look).
CORES ?= 2
export OMP_NUM_THREADS = 1
export PATH := $(CURDIR)/.venv/bin:$(PATH)
results/%: .venv/lock FORCE
	snakemake --cores $(CORES) --max-jobs-per-timespan 300/3s --rerun-triggers mtime params input --rerun-incomplete --show-failed-logs $(ONLY) -- $(or $(ALL),$@)
redraw: DRAW = $(shell sed -nE 's/^(use )?rule (.* as )?([a-z0-9_]+).*:$$/\3/p' Snakefile papers/*/rules.smk rules/claims.smk) # what draws and judges
redraw: ; $(MAKE) results/all ALL=$(or $(WHAT),all) ONLY="--forcerun $(DRAW) --allowed-rules $(DRAW)"
test: .venv/lock
	ruff check . && ruff format --check . && snakefmt --check Snakefile rules papers && snakemake --lint
	python -m pytest -n $(CORES) --dist loadfile --no-loadscope-reorder
.venv/lock: envs/laptop.lock
	cmp -s $< $@ || { rm -rf .venv && python3 -m venv .venv && pip install -q -r $< && pip check && cp $< $@; } && touch $@
FORCE:
.PHONY: test redraw FORCE
