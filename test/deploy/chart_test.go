package deploy

import (
	"bytes"
	"encoding/json"
	"io"
	"log"
	"os"
	"strings"
	"sync"
	"testing"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"github.com/stretchr/testify/require"
	"helm.sh/helm/v3/pkg/action"
	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	apps "k8s.io/api/apps/v1"
	autoscaling "k8s.io/api/autoscaling/v2"
	batch "k8s.io/api/batch/v1"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	policy "k8s.io/api/policy/v1"
	rbac "k8s.io/api/rbac/v1"
	"sigs.k8s.io/yaml"
)

// object is a rendered manifest: its kind, its name, and the Kubernetes type that it decodes into without a key left over.
type object struct {
	Kind     string `json:"kind"`
	Metadata struct {
		Name string `json:"name"`
	} `json:"metadata"`

	typed any
}

// kinds makes the type of each kind that the chart may render.
var kinds = map[string]func() any{
	"ConfigMap":               func() any { return &core.ConfigMap{} },
	"Service":                 func() any { return &core.Service{} },
	"ServiceAccount":          func() any { return &core.ServiceAccount{} },
	"StatefulSet":             func() any { return &apps.StatefulSet{} },
	"Deployment":              func() any { return &apps.Deployment{} },
	"DaemonSet":               func() any { return &apps.DaemonSet{} },
	"Job":                     func() any { return &batch.Job{} },
	"HorizontalPodAutoscaler": func() any { return &autoscaling.HorizontalPodAutoscaler{} },
	"PodDisruptionBudget":     func() any { return &policy.PodDisruptionBudget{} },
	"NetworkPolicy":           func() any { return &networking.NetworkPolicy{} },
	"ClusterRole":             func() any { return &rbac.ClusterRole{} },
	"ClusterRoleBinding":      func() any { return &rbac.ClusterRoleBinding{} },
	"ServiceMonitor":          func() any { return &monitoring.ServiceMonitor{} },
	"PrometheusRule":          func() any { return &monitoring.PrometheusRule{} },
}

// chartFiles reads the chart once: its files are links to those of the repository, which the loader logs.
var chartFiles = sync.OnceValues(func() (*chart.Chart, error) {
	log.SetOutput(io.Discard)
	defer log.SetOutput(os.Stderr)
	return loader.Load(fromRoot("deploy", "helm", "otelcol-custom"))
})

// manifest renders the chart as `helm template` does, for the release "shop" in the namespace "telemetry".
func manifest(values string) (string, error) {
	files, err := chartFiles()
	if err != nil {
		return "", err
	}
	install := action.NewInstall(&action.Configuration{Log: func(string, ...any) {}})
	install.DryRun, install.ClientOnly = true, true
	install.ReleaseName, install.Namespace = "shop", "telemetry"
	install.KubeVersion = &chartutil.KubeVersion{Version: "v1.33.0", Major: "1", Minor: "33"}
	install.APIVersions = chartutil.VersionSet{"monitoring.coreos.com/v1"}
	parsed := map[string]any{}
	if err := yaml.UnmarshalStrict([]byte(values), &parsed); err != nil {
		return "", err
	}
	release, err := install.Run(files, parsed)
	if err != nil {
		return "", err
	}
	return release.Manifest, nil
}

// objects decodes a manifest strictly. Objects of one kind and name must not occur twice.
func objects(t *testing.T, manifest string) map[string]object {
	t.Helper()
	found := map[string]object{}
	for text := range strings.SplitSeq("\n"+manifest, "\n---\n") {
		content, err := yaml.YAMLToJSONStrict([]byte(text))
		require.NoError(t, err, text)
		if bytes.Equal(content, []byte("null")) {
			continue
		}
		var o object
		require.NoError(t, json.Unmarshal(content, &o))
		make, known := kinds[o.Kind]
		require.True(t, known, "%s: a kind that no test knows", o.Kind)
		o.typed = make()
		decoder := json.NewDecoder(bytes.NewReader(content))
		decoder.DisallowUnknownFields()
		require.NoError(t, decoder.Decode(o.typed), text)
		_, err = decoder.Token()
		require.ErrorIs(t, err, io.EOF)
		key := o.Kind + "/" + o.Metadata.Name
		require.NotContains(t, found, key)
		found[key] = o
	}
	return found
}

// render gives the objects of the chart with values over these smallest ones.
func render(t *testing.T, values string) map[string]object {
	t.Helper()
	text, err := manifest(merged(t, smallest, values))
	require.NoError(t, err)
	return objects(t, text)
}

const smallest = `backend: {endpoint: "otlp.example.com:4317"}`

// merged is values over others, as Helm merges files of values.
func merged(t *testing.T, base, over string) string {
	t.Helper()
	b, o := map[string]any{}, map[string]any{}
	require.NoError(t, yaml.UnmarshalStrict([]byte(base), &b))
	require.NoError(t, yaml.UnmarshalStrict([]byte(over), &o))
	text, err := yaml.Marshal(chartutil.MergeTables(o, b))
	require.NoError(t, err)
	return string(text)
}

// get is an object of a type, which must be there.
func get[T any](t *testing.T, all map[string]object, key string) *T {
	t.Helper()
	require.Contains(t, all, key)
	typed, ok := all[key].typed.(*T)
	require.True(t, ok, key)
	return typed
}
