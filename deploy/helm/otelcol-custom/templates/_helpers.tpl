{{- define "otelcol.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" }}
{{- end }}

{{- define "otelcol.fullname" -}}
{{- if .Values.fullnameOverride }}{{ .Values.fullnameOverride | trunc 40 | trimSuffix "-" }}
{{- else if contains (include "otelcol.name" .) .Release.Name }}{{ .Release.Name | trunc 40 | trimSuffix "-" }}
{{- else }}{{ printf "%s-%s" .Release.Name (include "otelcol.name" .) | trunc 40 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{/* The selector of a tier: (list . "gateway"). It never changes over upgrades. */}}
{{- define "otelcol.selector" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: {{ include "otelcol.name" $root }}
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end }}

{{- define "otelcol.labels" -}}
{{- $root := index . 0 -}}
{{ include "otelcol.selector" . }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version }}
{{- end }}

{{- define "otelcol.image" -}}
{{- with .Values.image -}}
{{ .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ default $.Chart.AppVersion .tag }}{{ end }}
{{- end }}
{{- end }}

{{- define "otelcol.serviceAccount" -}}
{{- if .Values.serviceAccount.create }}{{ default (include "otelcol.fullname" .) .Values.serviceAccount.name }}
{{- else }}{{ default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{/* MiB of a quantity such as 512Mi or 2Gi. */}}
{{- define "otelcol.mib" -}}
{{- $s := toString . -}}
{{- if hasSuffix "Gi" $s }}{{ mul 1024 (trimSuffix "Gi" $s | int64) }}{{ else }}{{ trimSuffix "Mi" $s | int64 }}{{ end }}
{{- end }}

{{/* Cores of a quantity such as 500m or 2. */}}
{{- define "otelcol.cores" -}}
{{- $s := toString . -}}
{{- if hasSuffix "m" $s }}{{ divf (trimSuffix "m" $s | float64) 1000 }}{{ else }}{{ $s }}{{ end }}
{{- end }}

{{/* What the pod's memory allows, in the proportions of docs/memory.md. */}}
{{- define "otelcol.memoryEnv" -}}
{{- $mib := include "otelcol.mib" .limits.memory | int64 -}}
- {name: GOMEMLIMIT, value: "{{ div (mul $mib 80) 100 }}MiB"}
- {name: MEMORY_LIMIT_MIB, value: "{{ div (mul $mib 320) 512 }}"}
- {name: MEMORY_SPIKE_MIB, value: "{{ div (mul $mib 80) 512 }}"}
{{- end }}

{{/* Where the pod runs, by the downward API. */}}
{{- define "otelcol.podEnv" -}}
- {name: POD_NAME, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
- {name: POD_NAMESPACE, valueFrom: {fieldRef: {fieldPath: metadata.namespace}}}
- {name: POD_UID, valueFrom: {fieldRef: {fieldPath: metadata.uid}}}
- {name: NODE_NAME, valueFrom: {fieldRef: {fieldPath: spec.nodeName}}}
- {name: PROBES_ENDPOINT, value: "0.0.0.0:13134"}
- {name: TELEMETRY_HOST, value: "0.0.0.0"}
{{- end }}

{{- define "otelcol.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
fsGroupChangePolicy: OnRootMismatch
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "otelcol.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
capabilities: {drop: [ALL]}
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "otelcol.probes" -}}
livenessProbe:
  httpGet: {path: /livez, port: probes}
  initialDelaySeconds: 30
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 3
readinessProbe:
  httpGet: {path: /readyz, port: probes}
  initialDelaySeconds: 5
  periodSeconds: 5
  timeoutSeconds: 3
  failureThreshold: 3
{{- end }}

{{/* The extension that answers the probes. Its page listens on localhost, unless gatewayPage opens that of the gateways. */}}
{{- define "otelcol.page" -}}
gatewaypage:
  endpoint: ${env:GATEWAYPAGE_ENDPOINT:-localhost:8890}
  self_metrics: http://localhost:${env:TELEMETRY_PORT:-8888}/metrics
  probes: {endpoint: "${env:PROBES_ENDPOINT}"}
{{- end }}

{{/* The gateway's own telemetry says which pod it is of. */}}
{{- define "otelcol.telemetryResource" -}}
resource:
  k8s.pod.name: ${env:POD_NAME}
  k8s.pod.uid: ${env:POD_UID}
  k8s.namespace.name: ${env:POD_NAMESPACE}
  k8s.node.name: ${env:NODE_NAME}
{{- end }}

{{/* Certificates for the backend. */}}
{{- define "otelcol.backendEnv" -}}
{{- with .Values.backend -}}
- {name: OTLP_ENDPOINT, value: {{ required "backend.endpoint: must be the address of an OTLP backend" .endpoint | quote }}}
- {name: OTLP_PROTOCOL, value: {{ .protocol | quote }}}
- {name: OTLP_INSECURE, value: {{ .insecure | quote }}}
{{- if .caSecret.name }}
- {name: OTLP_CA_FILE, value: /etc/otelcol-custom-ca/{{ .caSecret.key }}}
{{- end }}
{{- include "otelcol.apiKeyEnv" $ }}
{{- end }}
{{- end }}

{{- define "otelcol.apiKeyEnv" -}}
{{- with .Values.backend.apiKeySecret -}}
{{- if .name }}
- {name: OTLP_API_KEY, valueFrom: {secretKeyRef: {name: {{ .name | quote }}, key: {{ .key | quote }}}}}
{{- end }}
{{- end }}
{{- end }}

{{/* What the page and the places need from Secrets. */}}
{{- define "otelcol.secretEnv" -}}
{{- with .Values.gatewayPage -}}
{{- if .enabled }}
- {name: GATEWAYPAGE_ENDPOINT, value: "0.0.0.0:8890"}
- name: GATEWAYPAGE_TOKEN
  valueFrom:
    secretKeyRef:
      name: {{ required "gatewayPage.existingSecret: must be the name of a Secret with the key \"token\"" .existingSecret | quote }}
      key: token
{{- end }}
{{- end }}
{{- with .Values.cluster }}
{{- if .enabled }}
{{- $secret := required "cluster.existingSecret: must be the name of a Secret with the key \"secret\"" .existingSecret | quote }}
# A store without a password needs no such key.
- {name: VALKEY_PASSWORD, valueFrom: {secretKeyRef: {name: {{ $secret }}, key: password, optional: true}}}
- {name: PLACES_SECRET, valueFrom: {secretKeyRef: {name: {{ $secret }}, key: secret}}}
{{- end }}
{{- end }}
{{- end }}

{{/* Where the gateways keep the places that they share. */}}
{{- define "otelcol.cluster" -}}
{{- with .Values.cluster -}}
{{- if not .endpoints }}
{{- fail "cluster.endpoints: must be at least one host:port of a Valkey or Redis" }}
{{- end -}}
redis:
  endpoints: {{ toJson .endpoints }}
  password: ${env:VALKEY_PASSWORD:-}
  {{- if .tls.enabled }}
  tls: {{ ternary (dict "ca_file" (printf "/etc/otelcol-custom-store-ca/%s" .tls.caSecret.key)) dict (not (empty .tls.caSecret.name)) | toJson }}
  {{- end }}
prefix: {{ .prefix | quote }}
secret: ${env:PLACES_SECRET}
min_gateways: {{ max 1 (int (default $.Values.gateway.replicas .minGateways)) }}
{{- end }}
{{- end }}

{{/* The ports of host:port and URLs, once each: (list "a:1" "https://b"). */}}
{{- define "otelcol.ports" -}}
{{- $ports := list }}
{{- range . }}
{{- $address := regexReplaceAll "^[a-z]+://" . "" | splitList "/" | first }}
{{- $port := regexFind ":[0-9]+$" $address | trimPrefix ":" }}
{{- $ports = append $ports (dict "port" (int (default (ternary 80 443 (hasPrefix "http://" .)) $port)) "protocol" "TCP") }}
{{- end }}
{{- $ports | uniq | toJson }}
{{- end }}
