package deploy

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"
)

// node is a part of values.schema.json.
type node struct {
	Type                 any             `json:"type"`
	Enum                 []string        `json:"enum"`
	Pattern              string          `json:"pattern"`
	Minimum              *float64        `json:"minimum"`
	Maximum              *float64        `json:"maximum"`
	Properties           map[string]node `json:"properties"`
	AdditionalProperties any             `json:"additionalProperties"`
}

// walk visits each place of the schema that has a type of its own.
func (n node) walk(path []string, visit func(path []string, n node)) {
	if len(path) > 0 {
		visit(path, n)
	}
	for _, key := range slices.Sorted(maps.Keys(n.Properties)) {
		n.Properties[key].walk(append(slices.Clone(path), key), visit)
	}
}

func schema(t *testing.T) (n node) {
	t.Helper()
	require.NoError(t, json.Unmarshal([]byte(read(t, fromRoot("deploy", "helm", "otelcol-custom", "values.schema.json"))), &n))
	return n
}

// at is a document that has a value at a path.
func at(t *testing.T, path []string, value any) string {
	t.Helper()
	for _, key := range slices.Backward(path) {
		value = map[string]any{key: value}
	}
	text, err := yaml.Marshal(value)
	require.NoError(t, err)
	return string(text)
}

// wrong are values that a part of the schema must refuse.
func wrong(n node) (values []any) {
	types := fmt.Sprint(n.Type)
	for kind, value := range map[string]any{"string": "text", "number": 1.5, "boolean": true, "array": []any{1}, "object": map[string]any{"a": 1}} {
		if !strings.Contains(types, kind) && (kind != "number" || !strings.Contains(types, "integer")) {
			values = append(values, value)
		}
	}
	if strings.Contains(types, "integer") {
		values = append(values, 1.5)
	}
	if n.Minimum != nil {
		values = append(values, *n.Minimum-1)
	}
	if n.Maximum != nil {
		values = append(values, *n.Maximum+1)
	}
	if len(n.Enum) > 0 {
		values = append(values, "neither")
	}
	if n.Pattern != "" {
		values = append(values, "~ not this ~")
	}
	if n.AdditionalProperties == false {
		values = append(values, map[string]any{"unknownKey": 1})
	}
	return values
}

// TestSchemaRefuses: each value of the schema refuses wrong types, what is out of range, and unknown keys, by its name.
func TestSchemaRefuses(t *testing.T) {
	tried := 0
	schema(t).walk(nil, func(path []string, n node) {
		for _, value := range wrong(n) {
			tried++
			_, err := manifest(merged(t, smallest, at(t, path, value)))
			if assert.Error(t, err, "%v = %v", path, value) {
				assert.Contains(t, err.Error(), path[len(path)-1], "%v = %v", path, value)
			}
		}
	})
	assert.Greater(t, tried, 400)
	_, err := manifest("replicas: 3")
	require.ErrorContains(t, err, "replicas")
	_, err = manifest("{}")
	assert.ErrorContains(t, err, "backend.endpoint: must be the address of an OTLP backend")
}

// TestSchemaKnowsEveryValue: schema and values.yaml have the same keys, except those whose content is the user's.
func TestSchemaKnowsEveryValue(t *testing.T) {
	known := map[string]bool{}
	schema(t).walk(nil, func(path []string, _ node) { known[strings.Join(path, ".")] = true })
	values := map[string]any{}
	require.NoError(t, yaml.UnmarshalStrict([]byte(read(t, fromRoot("deploy", "helm", "otelcol-custom", "values.yaml"))), &values))
	var list func(prefix string, m map[string]any)
	seen := map[string]bool{}
	list = func(prefix string, m map[string]any) {
		for key, value := range m {
			if inner, ok := value.(map[string]any); ok && prefix+key != "dashboards.labels" {
				list(prefix+key+".", inner)
			}
			seen[prefix+key] = true
			assert.True(t, known[prefix+key], "values.yaml has %s, the schema not", prefix+key)
		}
	}
	list("", values)
	for key := range known {
		if key != "global" && !strings.HasSuffix(key, "ephemeral-storage") {
			assert.True(t, seen[key], "the schema has %s, values.yaml not", key)
		}
	}
}

// TestValuesChangeTheirObjects: each value that is not the default renders, and changes what is rendered.
func TestValuesChangeTheirObjects(t *testing.T) {
	before, err := manifest(merged(t, smallest, everything))
	require.NoError(t, err)
	for path, value := range map[string]any{
		"nameOverride": "other", "fullnameOverride": "other", "image.repository": "registry.example.com/gateway", "image.tag": "1.2.3",
		"image.digest": "sha256:" + strings.Repeat("a", 64), "image.pullPolicy": "Always", "backend.protocol": "http", "backend.insecure": true,
		"gateway.replicas": 4, "gateway.resources.limits.cpu": 2, "gateway.resources.limits.memory": "1Gi", "gateway.resources.requests.cpu": "1",
		"gateway.persistence.size": "1Ti", "gateway.persistence.storageClass": "fast", "gateway.persistence.accessMode": "ReadWriteOncePod",
		"gateway.logMaxDiskMiB": 100, "gateway.metricsBufferSize": 5, "gateway.cardinality.maxSeries": 500, "gateway.cardinality.action": "overflow",
		"gateway.cardinality.mode": "dry_run", "gateway.config": map[string]any{"extensions": map[string]any{"zpages": nil}},
		"gateway.extraEnv":       []any{map[string]any{"name": "LOG_LEVEL", "value": "debug"}},
		"gateway.podAnnotations": map[string]any{"a": "b"}, "gateway.podLabels": map[string]any{"a": "b"}, "gateway.nodeSelector": map[string]any{"disk": "ssd"},
		"gateway.tolerations":       []any{map[string]any{"key": "gateways", "operator": "Exists"}},
		"gateway.affinity":          map[string]any{"nodeAffinity": map[string]any{}},
		"gateway.priorityClassName": "high", "gateway.terminationGracePeriodSeconds": 90,
		"kubernetesAttributes.enabled": false, "kubernetesAttributes.metadata": []any{"k8s.pod.name"},
		"router.enabled": false, "router.autoscaling.enabled": false, "router.autoscaling.maxReplicas": 20, "router.autoscaling.minReplicas": 3,
		"router.autoscaling.targetCPUUtilizationPercentage": 50, "router.config": map[string]any{"a": "b"}, "router.resources.limits.memory": "1Gi",
		"udp.enabled": false, "udp.hostPort": 18125, "udp.socketDirectory": "/run/statsd", "udp.resources.limits.cpu": "1", "udp.logSize": "1Gi",
		"udp.tolerations": []any{map[string]any{"operator": "Exists"}}, "udp.config": map[string]any{"a": "b"},
		"drain.ordinals": []any{7}, "drain.endpoint": "grpc://other:4317", "service.type": "LoadBalancer", "service.annotations": map[string]any{"a": "b"},
		"serviceAccount.create": false, "serviceAccount.name": "other", "serviceAccount.annotations": map[string]any{"a": "b"},
		"podDisruptionBudget.enabled": false, "podDisruptionBudget.maxUnavailable": "25%", "networkPolicy.enabled": false,
		"networkPolicy.senders":  []any{map[string]any{"podSelector": map[string]any{}}},
		"networkPolicy.scrapers": []any{map[string]any{"podSelector": map[string]any{}}},
		"networkPolicy.viewers":  []any{map[string]any{"podSelector": map[string]any{}}}, "networkPolicy.egress.enabled": false,
		"networkPolicy.egress.rules": []any{map[string]any{"ports": []any{map[string]any{"port": 9092}}}},
		"cluster.enabled":            false, "cluster.endpoints": []any{"a:7000", "b:7000"}, "cluster.existingSecret": "other", "cluster.prefix": "shop",
		"cluster.minGateways": 3, "cluster.tls.enabled": false, "cluster.tls.caSecret.name": "", "cluster.tls.caSecret.key": "x.pem",
		"gatewayPage.enabled": false, "gatewayPage.existingSecret": "other", "gatewayPage.allowedHosts": []any{"other"},
		"serviceMonitor.enabled": false, "serviceMonitor.interval": "1m", "serviceMonitor.labels": map[string]any{"release": "p"},
		"prometheusRule.enabled": false, "prometheusRule.labels": map[string]any{"release": "p"}, "dashboards.enabled": false,
		"prometheusRule.runbookBaseUrl": "https://git.example.com/gateway",
		"dashboards.labels":             map[string]any{"a": "b"}, "imagePullSecrets": []any{}, "backend.apiKeySecret.name": "", "backend.caSecret.key": "x.pem",
	} {
		after, err := manifest(merged(t, smallest, merged(t, everything, at(t, strings.Split(path, "."), value))))
		if assert.NoError(t, err, path) {
			assert.NotEqual(t, before, after, "%s changes nothing", path)
			objects(t, after)
		}
	}
}
