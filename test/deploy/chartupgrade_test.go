package deploy

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	apps "k8s.io/api/apps/v1"
	batch "k8s.io/api/batch/v1"
)

var update = flag.Bool("update", false, "write what the golden files must be")

// golden compares a text with a file, which -update writes.
func golden(t *testing.T, path, text string) {
	t.Helper()
	if *update {
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))  //nolint:gosec // a folder of the repository
		require.NoError(t, os.WriteFile(path, []byte(text), 0o644)) //nolint:gosec // a file of the repository
	}
	assert.Equal(t, read(t, path), text, "make golden writes it; look at the difference before you commit it")
}

// TestPlainManifests: deploy/kubernetes is what the chart renders for those who do not use Helm.
func TestPlainManifests(t *testing.T) {
	text, err := manifest(smallest)
	require.NoError(t, err)
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		lines[i] = strings.TrimRight(line, " ")
	}
	golden(t, fromRoot("deploy", "kubernetes", "otelcol-custom.yaml"),
		"# Rendered from the chart for the release \"shop\" in the namespace \"telemetry\". Set OTLP_ENDPOINT to your backend.\n"+
			strings.Join(lines, "\n"))
}

// TestFormerValues: the values of each former version are still accepted, and name the same objects. Kubernetes does not let
// an upgrade change the parts that are compared here.
func TestFormerValues(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("testdata", "values", "*.yaml"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	now := render(t, everything)
	for _, file := range files {
		former := render(t, merged(t, read(t, file), merged(t, smallest, everything)))
		for key := range former {
			assert.Contains(t, now, key, "%s: an upgrade would delete it", file)
		}
		assert.Equal(t, fixed(t, former), fixed(t, now), file)
	}
}

// fixed are the parts of the StatefulSet that cannot change after it was made.
func fixed(t *testing.T, all map[string]object) apps.StatefulSetSpec {
	t.Helper()
	spec := get[apps.StatefulSet](t, all, "StatefulSet/shop-otelcol-custom").Spec
	return apps.StatefulSetSpec{
		Selector: spec.Selector, ServiceName: spec.ServiceName, PodManagementPolicy: spec.PodManagementPolicy, VolumeClaimTemplates: spec.VolumeClaimTemplates,
	}
}

// TestValuesKeepWhatIsFixed: of all values only the claim's and the names change what an upgrade cannot.
func TestValuesKeepWhatIsFixed(t *testing.T) {
	before := fixed(t, render(t, everything))
	for values, same := range map[string]bool{
		`{gateway: {replicas: 9, resources: {limits: {cpu: 2, memory: 1Gi}}}, drain: {ordinals: []}}`: true,
		`{image: {tag: "9.9.9"}, router: {enabled: false}, udp: {enabled: false}}`:                    true,
		`{gateway: {podLabels: {a: b}, podAnnotations: {a: b}, config: {extensions: {zpages: {}}}}}`:  true,
		`{kubernetesAttributes: {enabled: false}}`:                                                    true,
		`{gateway: {persistence: {size: 20Gi}}}`:                                                      false,
		`{gateway: {persistence: {storageClass: fast}}}`:                                              false,
		`{nameOverride: other}`: false,
	} {
		text, err := manifest(merged(t, smallest, merged(t, everything, values)))
		require.NoError(t, err)
		after := objects(t, text)
		set, found := after["StatefulSet/shop-otelcol-custom"]
		if !found { // under another name it is another object
			assert.False(t, same, values)
			continue
		}
		require.NotNil(t, set)
		assert.Equal(t, same, assert.ObjectsAreEqual(before, fixed(t, after)), values)
	}
}

// TestDrainDelivers runs the command of the rendered Job on the log of a rendered gateway that had no backend: another
// gateway then has the data, and the log is empty.
func TestDrainDelivers(t *testing.T) {
	all := render(t, `{kubernetesAttributes: {enabled: false}, backend: {insecure: true}, drain: {ordinals: [5]}}`)
	source := place(t, all, "StatefulSet/shop-otelcol-custom", "ConfigMap/shop-otelcol-custom-gateway")
	source.env["OTLP_ENDPOINT"] = freeAddress(t)
	stop := source.start(t)
	require.Equal(t, 200, source.postOneLog(t))
	stop()
	require.True(t, source.logged(t, "swordfish"))

	target := place(t, all, "StatefulSet/shop-otelcol-custom", "ConfigMap/shop-otelcol-custom-gateway")
	target.env["OTLP_ENDPOINT"] = freeAddress(t)
	stop = target.start(t)
	job := get[batch.Job](t, all, "Job/shop-otelcol-custom-drain-5").Spec.Template.Spec.Containers[0]
	args := strings.NewReplacer(
		"otlp.example.com:4317", target.env["OTLP_GRPC_ENDPOINT"], "/var/lib/otelcol/fallbacklog", source.env["FALLBACKLOG_DIRECTORY"],
	).Replace(strings.Join(job.Args, "\n"))
	tool := filepath.Join(filepath.Dir(gateway(t)), "fallbacklog")
	run(t, tool, strings.Split(args, "\n")...)
	assert.True(t, target.logged(t, "swordfish"))
	assert.Regexp(t, `logs +0 +0 B`, run(t, tool, "ls", source.env["FALLBACKLOG_DIRECTORY"]))
	stop()
}
