# Everything a developer runs; `make help` lists it.
SHELL := /bin/bash
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
DEPGUARD := github.com/OpenPeeDeeP/depguard/v2/cmd/depguard@v2.3.0

.PHONY: help build test test-real race lint bench fuzz crash soak soak-file soak-postgres clean

help: ## list these targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

build: ## build bin/keg
	go build -trimpath -o bin/keg ./cmd/keg

test: ## every test that needs Go alone
	go test -timeout 10m ./...
	cd test/image && go test -count=1 ./... # its files lie outside of its module, and so of the cache

race: ## the same under the race detector
	go test -race -timeout 20m ./...

test-real: ## the tests that need a real Kafka broker, Mosquitto and PostgreSQL, which are started and stopped here
	test/services/run -- bash -c 'test/real -race -timeout 20m -- ./outbox/postgres & test/real -race -timeout 20m -- ./sinks ./sources && wait $$! && test/real -timeout 20m -- ./cmd/keg'

lint: ## gofmt, go vet, staticcheck, the import rule of DESIGN.md, and shellcheck where it is installed
	@unformatted=$$(gofmt -l .); test -z "$$unformatted" || { echo "not gofmt-ed: $$unformatted"; exit 1; }
	go vet ./...
	go vet -tags real ./...
	go run $(STATICCHECK) -tags real ./...
	go run $(DEPGUARD) ./...
	cd test/image && go vet ./... && go run $(STATICCHECK) ./...
	sh -n kong/docker-entrypoint.sh
	! command -v shellcheck >/dev/null || shellcheck kong/docker-entrypoint.sh

bench: ## the figures of README.md, measured now
	go run ./test/bench
	KEG_TEST_MQTT_AUTOSAVE=100000 test/services/run -- go run ./test/bench -services
	go run ./kong/server/bench

fuzz: ## each fuzz test for a while
	test/fuzz

crash: ## kill keg a hundred times under load, on each store, and look for what was lost (SEED=n)
	$(MAKE) -j2 --output-sync=target KILLS=100 soak-file soak-postgres

KILLS ?= 3000
soak: soak-file soak-postgres ## kill keg again and again under load, on each store (KILLS=3000, about an hour and a quarter a store; SEED=n)
soak-file:
	go run ./test/crash -kills $(KILLS) -seed $(or $(SEED),0) -persistence file
soak-postgres:
	KEG_TEST_ONLY=postgres test/services/run -- go run ./test/crash -kills $(KILLS) -seed $(or $(SEED),0) -persistence '$$KEG_TEST_POSTGRES'

clean: ## remove what was built
	rm -rf bin
