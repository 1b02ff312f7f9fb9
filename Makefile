# Two commands do everything: `make run` and `make test`. Both bootstrap first (deploy/bootstrap.sh).

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help run build test interop bench compare soak replay capacity \
	prompt-sizes prove-failover prove-routing prove-jobs \
	prove-metering prove-shares prove-tiers prove-slow-readers format fuzz sanitize clean \
	bootstrap check-report

# Paths that the bootstrap found; SWIFT_LINK_FLAGS makes the programs find libllama.
ENVIRONMENT := source ./.build-env
SWIFT_BUILD := swift build $$SWIFT_LINK_FLAGS
PROGRAMS := --product switchyard
# By product: a plain build also compiles the tools of packages that we use, protoc among them.
BUILD_LOAD := $(SWIFT_BUILD) -c release --product switchyard-load
ARGUMENTS ?=
INTEROP := $(addprefix Tests/Clients/,interop_smg.py interop_tokenizer.py interop_upstream.py \
	test_foreign_engine.py)

# prove-NAME runs Tests/Clients/prove_NAME.py on the release programs.
define PROVE
@deploy/bootstrap.sh --with-tests
@$(ENVIRONMENT) && $(SWIFT_BUILD) -c release $(PROGRAMS) && \
	SWITCHYARD_BINARY=$$PWD/.build/release/switchyard \
	"$$SWITCHYARD_CLIENTS/bin/python" -m pytest -q -s -p no:cacheprovider \
	Tests/Clients/$(subst -,_,$@).py $(ARGUMENTS)
endef

help:  ## show this list
	@sed -n 's/^\([a-z-]*\):.*## /  make \1|/p' Makefile | column -t -s '|'

bootstrap:  ## install packages, libllama and the default model
	@deploy/bootstrap.sh

run: build  ## set everything up and serve the default model on 127.0.0.1:8080 (ARGUMENTS=…)
	@$(ENVIRONMENT) && exec .build/release/switchyard serve --model "$$SWITCHYARD_DEFAULT_MODEL" $(ARGUMENTS)

build: bootstrap  ## build the release programs
	@$(ENVIRONMENT) && $(SWIFT_BUILD) -c release $(PROGRAMS)

test:  ## run every test: debug unit tests, then the release programs with real clients
	@deploy/bootstrap.sh --with-tests
	@$(ENVIRONMENT) && scripts/test.sh

interop:  ## smg before our workers, other engines before our gateway (installs smg, builds llama-server)
	@deploy/bootstrap.sh --with-interop --with-peers
	@$(ENVIRONMENT) && $(SWIFT_BUILD) -c release $(PROGRAMS) && \
		SWITCHYARD_BINARY=$$PWD/.build/release/switchyard \
		"$$SWITCHYARD_CLIENTS/bin/python" -m pytest -q -p no:cacheprovider $(INTEROP) $(ARGUMENTS)

bench:  ## measure against llama-server and llama-batched-bench
	@deploy/bootstrap.sh --with-tests --with-peers
	@$(ENVIRONMENT) && $(SWIFT_BUILD) -c release $(PROGRAMS) && $(BUILD_LOAD) && \
		scripts/bench.sh $(ARGUMENTS)

compare:  ## measure gateways and engines of others and ours (ARGUMENTS="--only paced,fast-64")
	@deploy/bootstrap.sh --with-peers
	@$(ENVIRONMENT) && $(SWIFT_BUILD) -c release $(PROGRAMS) && $(BUILD_LOAD) && \
		$(SWIFT_BUILD) -c release --product simulated-upstream && \
		{ python3 loadtest/peers/install.py || true; } && loadtest/compare.py $(ARGUMENTS)

soak:  ## an hour of mixed load with restarts: nothing lost, nothing grows (ARGUMENTS="--minutes 5")
	@deploy/bootstrap.sh
	@$(ENVIRONMENT) && $(SWIFT_BUILD) -c release $(PROGRAMS) && $(BUILD_LOAD) && \
		loadtest/soak.py $(ARGUMENTS)

replay:  ## a recorded trace against us and llama-server (ARGUMENTS="--trace FILE --minutes 10")
	@deploy/bootstrap.sh --with-peers
	@$(ENVIRONMENT) && $(SWIFT_BUILD) -c release $(PROGRAMS) && $(BUILD_LOAD) && \
		loadtest/replay.py $(ARGUMENTS)

capacity:  ## 10,000 streams and 50,000 events/s through one gateway, then its highest rate
	@deploy/bootstrap.sh
	@$(ENVIRONMENT) && $(SWIFT_BUILD) -c release $(PROGRAMS) && $(BUILD_LOAD) && \
		loadtest/capacity.py $(ARGUMENTS)

prompt-sizes:  ## what prompts of 200 B to 1 MB cost, and whether they delay other streams
	@deploy/bootstrap.sh
	@$(ENVIRONMENT) && $(SWIFT_BUILD) -c release $(PROGRAMS) && $(BUILD_LOAD) && \
		loadtest/prompt_sizes.py $(ARGUMENTS)

prove-failover:  ## kill workers under constant load for minutes; every transcript is compared
	@deploy/bootstrap.sh --with-tests
	@$(ENVIRONMENT) && $(SWIFT_BUILD) -c release $(PROGRAMS) && \
		$(BUILD_LOAD) && \
		SWITCHYARD_BINARY=$$PWD/.build/release/switchyard \
		"$$SWITCHYARD_CLIENTS/bin/python" -m pytest -q -p no:cacheprovider Tests/Clients/prove_failover.py

prove-routing:  ## conversations under each routing policy: prefix hits, TTFT, balance
	$(PROVE)

prove-jobs:  ## kill the gateway with -9 under accepted work; each job has one result, none is lost
	$(PROVE)

prove-metering:  ## kill workers and gateway under budgets and cancels; the ledger is what was generated
	$(PROVE)

prove-shares:  ## tenants under floods: shares of the engine, predicted waits, limits
	$(PROVE)
prove-tiers:  ## a flood of batch requests beside a priority client, with tiers and without
	$(PROVE)

prove-slow-readers:  ## a thousand clients that do not read beside one that does
	$(PROVE)

check-report:  ## a page of switchyard-load report, checked in a headless chromium (apt-get install chromium)
	@deploy/bootstrap.sh --with-tests
	@$(ENVIRONMENT) && $(SWIFT_BUILD) -c release $(PROGRAMS) && \
		$(BUILD_LOAD) && scripts/check-report.sh $(ARGUMENTS)

format:  ## format all Swift sources in place
	@git ls-files -z '*.swift' ':!:*.pb.swift' | xargs -0 swift format --in-place --parallel

fuzz: bootstrap  ## fuzz every parser of network bytes (SECONDS_EACH=300)
	@$(ENVIRONMENT) && scripts/fuzz.sh "$${SECONDS_EACH:-300}"

sanitize: bootstrap  ## run the tests of the C boundary under the address sanitizer
	@$(ENVIRONMENT) && scripts/sanitize.sh

clean:  ## remove what was built in this folder (the libraries and the model stay)
	@rm -rf .build .build-* .build-env
