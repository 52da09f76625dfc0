# syntax=docker/dockerfile:1
# A static binary, certificates and nothing else. Build: docker build -t otelcol-custom .
# For several platforms: docker buildx build --platform linux/amd64,linux/arm64 -t otelcol-custom .

# Go compiles for the target on the platform of the builder: emulating the target would take ten times as long.
FROM --platform=$BUILDPLATFORM golang:1.26-bookworm AS build
WORKDIR /src
# A module proxy of your own, where the default cannot be reached.
ARG GOPROXY
# The build tags are those of builder-config.yaml.
ENV GOCACHE=/cache CGO_ENABLED=0 GOFLAGS="-trimpath -tags=grpcnotrace,remove_all_sd,enable_kubernetes_sd -buildvcs=false"
# The dependencies change rarely: their layer is kept until go.mod does.
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download
COPY . .
# Set by the builder; without one, the platform is the builder's.
ARG TARGETOS TARGETARCH
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/cache \
    GOOS=$TARGETOS GOARCH=$TARGETARCH go build -ldflags "-s -w" -o /out/ ./cmd/otelcol-custom ./cmd/healthprobe ./cmd/fallbacklog ./cmd/doctor ./cmd/gatewaytop \
 && install -d -m 0700 /out/state/fallbacklog

FROM scratch
ARG VERSION=0.1.0
LABEL org.opencontainers.image.title="otelcol-custom" \
      org.opencontainers.image.description="A gateway distribution of the OpenTelemetry Collector" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.source="https://github.com/otelcol-custom/otelcol-custom" \
      org.opencontainers.image.version="$VERSION"
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /out/otelcol-custom /otelcol-custom
COPY --from=build /out/healthprobe /healthprobe
COPY --from=build /out/fallbacklog /fallbacklog
COPY --from=build /out/doctor /doctor
COPY --from=build /out/gatewaytop /gatewaytop
# COPY gives the directory that it copies to 0755, with --chmod too in some builders. Directories in it keep their mode.
COPY --from=build --chown=10001:10001 /out/state/ /var/lib/otelcol/
COPY configs/ /etc/otelcol-custom/
# In a container the senders are elsewhere, so every listener takes all interfaces.
ENV METRICSUDP_ENDPOINT=0.0.0.0:8125 \
    OTLP_GRPC_ENDPOINT=0.0.0.0:4317 \
    OTLP_HTTP_ENDPOINT=0.0.0.0:4318 \
    PROMETHEUS_ENDPOINT=0.0.0.0:8889 \
    HEALTH_CHECK_ENDPOINT=0.0.0.0:13133 \
    PROBES_ENDPOINT=0.0.0.0:13134 \
    TELEMETRY_HOST=0.0.0.0 \
    FALLBACKLOG_DIRECTORY=/var/lib/otelcol/fallbacklog
USER 10001:10001
VOLUME /var/lib/otelcol/fallbacklog
# The gateway page listens on localhost alone: --config /etc/otelcol-custom/overlays/gatewaypage.yaml opens it behind GATEWAYPAGE_TOKEN.
EXPOSE 4317 4318 8125/udp 8888 8889 8890 13133 13134
HEALTHCHECK --interval=30s --timeout=3s --start-period=5s --retries=3 CMD ["/healthprobe", "http://127.0.0.1:13133/"]
ENTRYPOINT ["/otelcol-custom"]
CMD ["--config", "/etc/otelcol-custom/quickstart.yaml"]
