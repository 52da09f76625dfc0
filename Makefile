# make run    build the gateway and run it with configs/quickstart.yaml
# make test   everything that must pass
# make help   the other targets

SHELL       := /usr/bin/env bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
# Two builds at once only slow each other down.
.NOTPARALLEL:

# One set of flags for every build, so that they share the build cache.
export GOFLAGS     := -trimpath -tags=grpcnotrace,remove_all_sd,enable_kubernetes_sd -buildvcs=false
export GOTOOLCHAIN := local
export CGO_ENABLED := 0

TOOL    := go tool -modfile=internal/tools/go.mod
BINARY  := bin/otelcol-custom
CONFIG  ?= configs/quickstart.yaml
# Packages whose system calls differ by platform; they must compile on all of them.
PORTABLE := ./receiver/metricsudp/... ./exporter/fallbacklog/... ./internal/... ./cmd/metricsload ./cmd/fallbacklog ./cmd/doctor

.PHONY: help
help: ## show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 26

.PHONY: build
build: ## build bin/otelcol-custom and its tools: doctor, fallbacklog, gatewaytop, metricsload, healthprobe
	go build -ldflags "-s -w" -o bin/ ./cmd/...

.PHONY: run
run: build ## build the gateway and run it; CONFIG=file chooses another configuration
	$(BINARY) --config $(CONFIG)

.PHONY: test
test: has-deps build lint check-generated check-ocb test-unit test-e2e test-browser ## everything that must pass, what is deployed apart
	@echo "make test: all passed"

.PHONY: test-deploy
test-deploy: has-deps has-deps-deploy build ## dashboards, alerts, chart, image, packages, small containers, demo
	go -C test/deploy mod tidy -diff
	go -C test/deploy vet ./...
	cd test/deploy && go tool -modfile=../../internal/tools/go.mod golangci-lint run --allow-serial-runners ./...
	OTELCOL_CUSTOM=$(CURDIR)/$(BINARY) DEBIAN_ROOT=$(DEBIAN) go -C test/deploy test -timeout 18m -count=1 -v . 2>&1 | { grep -vE '^ *=== ' || true; }
	OTELCOL_CUSTOM=$(CURDIR)/$(BINARY) go test -timeout 15m -count=1 -v -run '$(DEPLOYED)' ./test/e2e/ 2>&1 | { grep -vE '^=== ' || true; }
	@echo "make test-deploy: all passed"

# End-to-end tests that belong to test-deploy.
DEPLOYED := ^(TestFloodsInASmallContainer|TestDemo|TestObserved)$$

# The race detector needs the C compiler that Go would call.
RACE := $(if $(shell command -v "$$(go env CC)"),-race)

.PHONY: test-unit
test-unit: ## unit and component tests, with the race detector where a C compiler exists, then the allocation gates; needs Go alone
	@test -n "$(RACE)" || echo "no C compiler: without the race detector"
	CGO_ENABLED=$(if $(RACE),1,0) go test $(RACE) -timeout 30m $$(go list ./... | grep -v /test/e2e)
	CGO_ENABLED=$(if $(RACE),1,0) go -C bench test $(RACE) -timeout 15m .
	go test -run '^TestAllocs' -timeout 5m $$(go list ./... | grep -v /test/e2e) | { grep -v 'no test' || true; }

.PHONY: test-e2e
test-e2e: has-deps build ## the built binary against real clients and a real Prometheus
	CGO_ENABLED=$(if $(RACE),1,0) OTELCOL_CUSTOM=$(CURDIR)/$(BINARY) go test $(RACE) -timeout 15m -count=1 -v -skip '$(DEPLOYED)' ./test/e2e/ 2>&1 | grep -vE '^=== '

.PHONY: test-browser
test-browser: has-deps build ## the gateway page in headless Chromium
	OTELCOL_CUSTOM=$(CURDIR)/$(BINARY) go -C test/browser test -timeout 15m -count=1 -v . 2>&1 | { grep -vE '^ *=== ' || true; }

.PHONY: screenshots
screenshots: has-deps build ## pictures of the gateway page for the docs, about 4 minutes; bin/screenshots has them as PNG, too
	SCREENSHOTS=$(CURDIR)/bin/screenshots OTELCOL_CUSTOM=$(CURDIR)/$(BINARY) go -C test/browser test -timeout 10m -count=1 -v -run '^TestScreenshots' .
	cp bin/screenshots/*.webp docs/gatewaypage/

# A test named TestSoak... runs for seconds in `make test` and for a minute or more where SOAK is set;
# every component may have some.
.PHONY: soak
soak: has-deps build ## the long form of every test named TestSoak...: SOAK=1
	SOAK=1 OTELCOL_CUSTOM=$(CURDIR)/$(BINARY) go test -timeout 60m -count=1 -v -run '^TestSoak' \
	  $$(grep -rl '^func TestSoak' --include='*_test.go' . | xargs -n1 dirname | sort -u) 2>&1 | grep -vE '^=== '

.PHONY: demo
demo: has-deps build ## two services whose label explodes, with the gateway and Prometheus: what was limited and saved
	go build -o bin/ ./examples/orders
	go run ./examples/orders/demo

.PHONY: load
load: has-deps build ## the load of the requirements at full length: needs the machine for itself, up to 8 minutes
	LOAD=1 OTELCOL_CUSTOM=$(CURDIR)/$(BINARY) go test -timeout 30m -count=1 -v -run '^TestLoad' ./test/e2e/ 2>&1 | grep -vE '^=== '

# `go test` fuzzes one target of one package at a time.
FUZZTIME ?= 1m

.PHONY: fuzz
fuzz: ## every fuzz target in turn; FUZZTIME=3m each
	@grep -rno --include='*_test.go' '^func Fuzz[A-Za-z0-9]*' . | sort | while IFS=: read -r file _ target; do \
	  echo "$$file: $${target#func }"; \
	  go test -run '^$$' -fuzz "^$${target#func }\$$" -fuzztime $(FUZZTIME) "$$(dirname "$$file")" || exit 1; \
	done

.PHONY: bench
bench: ## every benchmark, then the ones beside the peers (alternating rounds, medians)
	go test -run '^$$' -bench . -benchmem -timeout 60m ./...
	go -C bench test -run '^$$' -bench . -benchtime 5x -timeout 2h .

.PHONY: lint
lint: ## formatting, language, go.mod, go vet on three platforms, golangci-lint
	@out=$$($(TOOL) gofumpt -l .); test -z "$$out" || { echo "not gofumpt-clean:"; echo "$$out"; exit 1; }
	go test ./test/language/
	go mod tidy -diff
	go -C bench mod tidy -diff
	go -C test/browser mod tidy -diff
	go vet ./...
	go -C bench vet ./...
	go -C test/browser vet ./...
	GOOS=darwin go vet $(PORTABLE)
	GOOS=windows go vet $(PORTABLE)
	$(TOOL) golangci-lint run --allow-serial-runners ./...
	cd bench && go tool -modfile=../internal/tools/go.mod golangci-lint run --allow-serial-runners ./...
	cd test/browser && go tool -modfile=../../internal/tools/go.mod golangci-lint run --allow-serial-runners ./...

.PHONY: generate
generate: ## write cmd/otelcol-custom (ocb), every generated_*.go (mdatagen) and the list of metrics in docs/
	go generate ./receiver/... ./processor/... ./exporter/... ./extension/...
	$(TOOL) builder --config builder-config.yaml --skip-get-modules --skip-compilation >/dev/null
	gofmt -w cmd/otelcol-custom
	go test -count=1 -run '^TestMetricsPage$$' ./test/docs -write >/dev/null

.PHONY: golden
golden: ## write the lists of telemetry names and configuration keys, and the plain manifests
	go test -count=1 -run Golden ./test/docs -update
	go -C test/deploy test -count=1 -run Manifests . -update

# Generating leaves a differing tree behind: commit what it wrote.
FINGERPRINT = git ls-files -co --exclude-standard -z -- cmd docs receiver processor exporter extension | xargs -0 sha256sum

.PHONY: check-generated
check-generated: ## generated files are up to date
	@before=$$($(FINGERPRINT)); $(MAKE) --no-print-directory generate; after=$$($(FINGERPRINT)); \
	diff <(echo "$$before") <(echo "$$after") || { echo "generated files were not up to date: commit what 'make generate' wrote"; exit 1; }

.PHONY: check-ocb
check-ocb: ## a plain ocb builds the same distribution, in a copy of the tree
	@$(call ocb) && "$$dir"/cmd/otelcol-custom/otelcol-custom components >/dev/null

# ocb runs a plain builder in $dir, a copy of the tree.
ocb = dir=$$(mktemp -d); trap 'rm -rf "$$dir"' EXIT; \
	git ls-files -z | xargs -0 cp -P --parents -t "$$dir"; \
	tool=$$($(TOOL) -n builder); (cd "$$dir"; env -u GOFLAGS "$$tool" --config builder-config.yaml $(1))

# What the tests run beside the gateway, as command:package of Debian. Only the targets that begin with deps use the network.
PACKAGES        := prometheus:prometheus victoria-metrics:victoria-metrics zstd:zstd node:nodejs npm:npm chromium:chromium redis-server:redis-server
PACKAGES_DEPLOY := buildah:buildah debootstrap:debootstrap rpm:rpm systemd-analyze:systemd
DEBIAN          := $(CURDIR)/bin-debian
HOTSHOTS        := test/e2e/testdata/hotshots

.PHONY: deps
deps: ## what `make test` needs: Debian's packages, which it names first, hot-shots from npm, and all Go modules
	@$(call install,$(PACKAGES))
	@# Without its optional module of C++, which is for Unix sockets alone.
	@test $(HOTSHOTS)/node_modules/.package-lock.json -nt $(HOTSHOTS)/package-lock.json || { \
	  echo "installs from npm: hot-shots"; \
	  npm ci --prefix $(HOTSHOTS) --omit=optional --ignore-scripts --no-audit --no-fund --loglevel=error; }
	@$(call modules,.)
	@$(call modules,bench)
	@$(call modules,test/browser)
	go -C internal/tools mod download
	@$(call ocb,--skip-compilation)

.PHONY: deps-deploy
deps-deploy: deps ## what `make test-deploy` needs besides
	@$(call install,$(PACKAGES_DEPLOY))
	@$(call modules,test/deploy)
	go -C internal/tools/release mod download
	@test -e $(DEBIAN) || { \
	  if [ "$$(id -u)" = 0 ]; then echo "downloads a Debian root for the tests of image and packages: debootstrap --variant=minbase"; \
	    debootstrap --variant=minbase --include=ca-certificates,adduser,systemd bookworm $(DEBIAN).part >/dev/null && mv $(DEBIAN).part $(DEBIAN); \
	  else echo "not root: without a Debian root the tests of image and packages are skipped"; fi; }

.PHONY: has-deps
has-deps:
	@$(call missing,$(PACKAGES)); test -z "$$missing" || { echo "make deps installs what is missing:$$missing"; exit 1; }
	@test -e $(HOTSHOTS)/node_modules/.package-lock.json || { echo "make deps installs what is missing: hot-shots"; exit 1; }

.PHONY: has-deps-deploy
has-deps-deploy:
	@$(call missing,$(PACKAGES_DEPLOY)); test -z "$$missing" || { echo "make deps-deploy installs what is missing:$$missing"; exit 1; }

# missing sets $missing to the packages whose commands are not there.
missing = missing=; for pair in $(1); do command -v "$${pair%%:*}" >/dev/null || missing="$$missing $${pair\#*:}"; done

# install names the missing packages and installs them. It stops where sudo would ask for a password.
install = $(call missing,$(1)); test -z "$$missing" || { \
	  echo "installs from Debian's packages:$$missing"; \
	  sudo=; [ "$$(id -u)" = 0 ] || { sudo="sudo -n"; sudo -n true 2>/dev/null || { \
	    echo "that needs a password; run it yourself: sudo apt-get install$$missing"; exit 1; }; }; \
	  $$sudo apt-get update -qq; $$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing >/dev/null; \
	}

# modules downloads the modules of a folder, those that `go mod tidy` looks at included.
modules = go -C $(1) mod download && { go -C $(1) mod tidy -diff >/dev/null || true; }

# The version of the distribution, as builder-config.yaml has it.
VERSION   ?= $(shell sed -nE 's/^  version: *"?([^" ]+)"?.*/\1/p' builder-config.yaml | head -n 1)
DIST      ?= dist
BIN       ?= bin
PACKAGERS ?= deb rpm
# The time of the commit stands in archives and packages: the same commit gives the same bytes.
export SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct)
RELEASE   := go tool -modfile=internal/tools/release/go.mod
# Built and tried on linux/amd64 alone; linux/arm64, darwin and windows are built.
PLATFORMS ?= linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64

.PHONY: packages
packages: ## deb and rpm of the binaries in BIN, into DIST
	@mkdir -p $(DIST)
	for packager in $(PACKAGERS); do \
	  ARCH=$(or $(GOARCH),$$(go env GOARCH)) VERSION=$(VERSION) BIN=$(BIN) \
	  $(RELEASE) nfpm package --config deploy/packages/nfpm.yaml --packager $$packager --target $(DIST)/; \
	done

# The findings depend on the day: they stand in no file of the release.
.PHONY: vulncheck
vulncheck: ## known vulnerabilities of the modules in the build, where the database of govulncheck is reachable
	@db=$${GOVULNDB:-https://vuln.go.dev}; \
	if curl -fsS --max-time 20 -o /dev/null "$$db/index/db.json" 2>/dev/null; then \
	  $(RELEASE) govulncheck -db "$$db" -scan=package ./cmd/...; \
	else echo "govulncheck: skipped, $$db is not reachable"; fi

.PHONY: release
release: ## archives, packages, SBOM and checksums of a version into DIST; TAG=v0.1.0 must be builder-config.yaml's version
	@test "$(TAG)" = "v$(VERSION)" || { echo "TAG: must be v$(VERSION), the version of builder-config.yaml (got \"$(TAG)\")"; exit 1; }
	@! git status --porcelain | grep . || { echo "the tree differs from the commit: commit or remove what stands above"; exit 1; }
	@$(MAKE) --no-print-directory vulncheck
	rm -rf $(DIST)
	for platform in $(PLATFORMS); do \
	  export GOOS=$${platform%/*} GOARCH=$${platform#*/}; name=otelcol-custom_$(VERSION)_$${GOOS}_$$GOARCH; \
	  go build -ldflags "-s -w" -o $(DIST)/$$name/ ./cmd/otelcol-custom ./cmd/fallbacklog ./cmd/doctor ./cmd/gatewaytop ./cmd/healthprobe; \
	  cp -r LICENSE README.md UPGRADING.md configs $(DIST)/$$name/; \
	  tar --sort=name --owner=0 --group=0 --numeric-owner --mode=go-w --mtime=@$$SOURCE_DATE_EPOCH -C $(DIST) -cf - $$name | gzip -n > $(DIST)/$$name.tar.gz; \
	  if [ $$GOOS = linux ]; then env -u GOOS -u GOARCH $(MAKE) --no-print-directory packages BIN=$(DIST)/$$name GOARCH=$$GOARCH; fi; \
	  rm -r $(DIST)/$$name; \
	done
	@# Without the time at which it was written.
	$(RELEASE) cyclonedx-gomod app -licenses=false -json -noserial -main cmd/otelcol-custom . | sed '/"timestamp":/d' > $(DIST)/otelcol-custom_$(VERSION).cdx.json
	cd $(DIST) && sha256sum * > SHA256SUMS
	@echo "release $(TAG): $(DIST) has $$(ls $(DIST) | wc -l) files. They are not signed: sign SHA256SUMS with your own key"

.PHONY: clean
clean: ## remove what the build and `make run` wrote, the local log included
	rm -rf bin bin-debian data dist
