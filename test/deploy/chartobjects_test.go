package deploy

import (
	"net"
	"strconv"
	"strings"
	"testing"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	apps "k8s.io/api/apps/v1"
	autoscaling "k8s.io/api/autoscaling/v2"
	batch "k8s.io/api/batch/v1"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	rbac "k8s.io/api/rbac/v1"
)

// everything switches on all that the chart can render.
const everything = `
backend: {apiKeySecret: {name: backend, key: token}, caSecret: {name: backend, key: ca.pem}}
router: {enabled: true}
udp: {enabled: true}
drain: {ordinals: [5, 6]}
serviceMonitor: {enabled: true}
prometheusRule: {enabled: true}
dashboards: {enabled: true}
gatewayPage: {enabled: true, existingSecret: page, allowedHosts: [gateway.example.org]}
cluster: {enabled: true, endpoints: ["valkey:6379"], existingSecret: places, tls: {enabled: true, caSecret: {name: valkey, key: ca.pem}}}
networkPolicy: {egress: {enabled: true}}
imagePullSecrets: [{name: registry}]
`

// TestChartDefaults: the durable tier has the required replicas, resources, probes and claims, and nothing optional is rendered.
func TestChartDefaults(t *testing.T) {
	all := render(t, "")
	keys := make([]string, 0, len(all))
	for key := range all {
		keys = append(keys, key)
	}
	assert.ElementsMatch(t, []string{
		"ConfigMap/shop-otelcol-custom-gateway", "StatefulSet/shop-otelcol-custom", "Service/shop-otelcol-custom",
		"Service/shop-otelcol-custom-headless", "ServiceAccount/shop-otelcol-custom", "ClusterRole/telemetry-shop-otelcol-custom",
		"ClusterRoleBinding/telemetry-shop-otelcol-custom", "PodDisruptionBudget/shop-otelcol-custom", "NetworkPolicy/shop-otelcol-custom",
	}, keys)

	set := get[apps.StatefulSet](t, all, "StatefulSet/shop-otelcol-custom")
	assert.EqualValues(t, 5, *set.Spec.Replicas)
	assert.Equal(t, "shop-otelcol-custom-headless", set.Spec.ServiceName)
	retained := set.Spec.PersistentVolumeClaimRetentionPolicy
	assert.Equal(t, apps.RetainPersistentVolumeClaimRetentionPolicyType, retained.WhenDeleted)
	assert.Equal(t, apps.RetainPersistentVolumeClaimRetentionPolicyType, retained.WhenScaled)
	require.Len(t, set.Spec.VolumeClaimTemplates, 1)
	assert.Equal(t, "12Gi", set.Spec.VolumeClaimTemplates[0].Spec.Resources.Requests.Storage().String())

	c := set.Spec.Template.Spec.Containers[0]
	assert.Equal(t, "otelcol-custom:0.1.0", c.Image)
	assert.Equal(t, []string{"250m", "256Mi", "500m", "512Mi"}, []string{
		c.Resources.Requests.Cpu().String(), c.Resources.Requests.Memory().String(), c.Resources.Limits.Cpu().String(), c.Resources.Limits.Memory().String(),
	})
	assert.Equal(t, []int32{30, 10, 5, 3}, timing(c.LivenessProbe))
	assert.Equal(t, []int32{5, 5, 3, 3}, timing(c.ReadinessProbe))
	env := environment(c)
	assert.Equal(t, "409MiB", env["GOMEMLIMIT"])
	assert.Equal(t, "320", env["MEMORY_LIMIT_MIB"])
	assert.Equal(t, "80", env["MEMORY_SPIKE_MIB"])
	assert.Equal(t, "50000", env["TOTAL_MAX_SERIES"])
	assert.Equal(t, "10000", env["METRICS_BUFFER_SIZE"])
	assert.Equal(t, "otlp.example.com:4317", env["OTLP_ENDPOINT"])
}

// TestProbes: every pod is alive and ready by what gatewaypage answers, on a port that the container has.
func TestProbes(t *testing.T) {
	probed := 0
	for key, template := range pods(render(t, everything)) {
		c := template.Spec.Containers[0]
		if c.LivenessProbe == nil { // a drain
			continue
		}
		probed++
		assert.Equal(t, "/livez", c.LivenessProbe.HTTPGet.Path, key)
		assert.Equal(t, "/readyz", c.ReadinessProbe.HTTPGet.Path, key)
		_, port, err := net.SplitHostPort(environment(c)["PROBES_ENDPOINT"])
		require.NoError(t, err)
		ports := map[string]string{}
		for _, p := range c.Ports {
			ports[p.Name] = strconv.Itoa(int(p.ContainerPort))
		}
		for _, probe := range []*core.Probe{c.LivenessProbe, c.ReadinessProbe} {
			assert.Equal(t, port, ports[probe.HTTPGet.Port.String()], key)
		}
	}
	assert.Equal(t, 3, probed)
}

// TestPageAndClusterNeedTheirSecrets: a page that others reach and shared places are refused without what they need, and
// passwords come from Secrets alone.
func TestPageAndClusterNeedTheirSecrets(t *testing.T) {
	for values, message := range map[string]string{
		`gatewayPage: {enabled: true}`:                                     "gatewayPage.existingSecret: must be the name of a Secret",
		`cluster: {enabled: true, existingSecret: places}`:                 "cluster.endpoints: must be at least one host:port",
		`cluster: {enabled: true, endpoints: ["valkey:6379"]}`:             "cluster.existingSecret: must be the name of a Secret",
		`cluster: {enabled: true, endpoints: [valkey], existingSecret: p}`: "cluster.endpoints.0",
		`gatewayPage: {allowedHosts: ["gateway.example.org:8890"]}`:        "gatewayPage.allowedHosts.0",
	} {
		_, err := manifest(merged(t, smallest, values))
		if assert.Error(t, err, values) {
			// The validator writes a path with slashes or dots.
			assert.Contains(t, strings.ReplaceAll(err.Error(), "/", "."), message)
		}
	}
	wanted := map[string]string{"GATEWAYPAGE_TOKEN": "page/token", "VALKEY_PASSWORD": "places/password", "PLACES_SECRET": "places/secret"}
	for _, e := range pods(render(t, everything))["StatefulSet/shop-otelcol-custom"].Spec.Containers[0].Env {
		if want, ok := wanted[e.Name]; ok && assert.NotNil(t, e.ValueFrom, e.Name) {
			assert.Equal(t, want, e.ValueFrom.SecretKeyRef.Name+"/"+e.ValueFrom.SecretKeyRef.Key)
			delete(wanted, e.Name)
		}
	}
	assert.Empty(t, wanted)
}

// TestEgress: a policy that keeps pods in lets out what the values name. By default it keeps nothing in.
func TestEgress(t *testing.T) {
	const key = "NetworkPolicy/shop-otelcol-custom"
	assert.Equal(t, []networking.PolicyType{networking.PolicyTypeIngress}, get[networking.NetworkPolicy](t, render(t, ""), key).Spec.PolicyTypes)
	for values, want := range map[string][]int{
		`{}`: {53, 53, 4317, 6379, 443, 6443},
		`{cluster: {endpoints: ["a:7000", "b:7000", "[::1]:7001"]}}`:                                            {53, 53, 4317, 7000, 7001, 443, 6443},
		`{cluster: {enabled: false}, kubernetesAttributes: {enabled: false}}`:                                   {53, 53, 4317},
		`{backend: {protocol: http, endpoint: "https://otlp.example.com/a:1"}}`:                                 {53, 53, 443, 6379, 443, 6443},
		`{backend: {protocol: http, endpoint: "http://otlp.example.com"}}`:                                      {53, 53, 80, 6379, 443, 6443},
		`{networkPolicy: {egress: {rules: [{ports: [{port: 9092}]}]}}}`:                                         {53, 53, 4317, 6379, 443, 6443, 9092},
		`{backend: {protocol: http, endpoint: "http://otlp.example.com:4318/otlp"}, cluster: {enabled: false}}`: {53, 53, 4318, 443, 6443},
	} {
		policy := get[networking.NetworkPolicy](t, render(t, merged(t, everything, values)), key)
		assert.Equal(t, []networking.PolicyType{networking.PolicyTypeIngress, networking.PolicyTypeEgress}, policy.Spec.PolicyTypes)
		var ports []int
		for _, rule := range policy.Spec.Egress {
			for _, p := range rule.Ports {
				ports = append(ports, p.Port.IntValue())
			}
		}
		assert.Equal(t, want, ports, values)
	}
	router := get[networking.NetworkPolicy](t, render(t, everything), key+"-router")
	require.Len(t, router.Spec.Egress, 2)
	assert.Equal(t, get[networking.NetworkPolicy](t, render(t, everything), key).Spec.PodSelector, *router.Spec.Egress[1].To[0].PodSelector)
}

func timing(p *core.Probe) []int32 {
	return []int32{p.InitialDelaySeconds, p.PeriodSeconds, p.TimeoutSeconds, p.FailureThreshold}
}

// fromSecret stands for what a Secret has.
const fromSecret = "from a Secret"

func environment(c core.Container) map[string]string {
	env := map[string]string{}
	for _, e := range c.Env {
		env[e.Name] = e.Value
		if e.ValueFrom != nil && e.ValueFrom.FieldRef != nil {
			env[e.Name] = e.ValueFrom.FieldRef.FieldPath
		}
		if e.ValueFrom != nil && e.ValueFrom.SecretKeyRef != nil {
			env[e.Name] = fromSecret
		}
	}
	return env
}

// pods are the pod templates that the chart renders, by object.
func pods(all map[string]object) map[string]core.PodTemplateSpec {
	found := map[string]core.PodTemplateSpec{}
	for key, o := range all {
		switch o := o.typed.(type) {
		case *apps.StatefulSet:
			found[key] = o.Spec.Template
		case *apps.Deployment:
			found[key] = o.Spec.Template
		case *apps.DaemonSet:
			found[key] = o.Spec.Template
		case *batch.Job:
			found[key] = o.Spec.Template
		}
	}
	return found
}

// TestPodsAreRestricted: every pod keeps the rules of the Pod Security standard "restricted"; the UDP agent's port on the
// host is the one exception. Every mount has a volume, and every port a name that services and probes use.
func TestPodsAreRestricted(t *testing.T) {
	all := render(t, everything)
	templates := pods(all)
	require.Len(t, templates, 5)
	for key, template := range templates {
		t.Run(key, func(t *testing.T) {
			spec := template.Spec
			assert.True(t, *spec.SecurityContext.RunAsNonRoot)
			assert.EqualValues(t, 10001, *spec.SecurityContext.RunAsUser)
			assert.EqualValues(t, 10001, *spec.SecurityContext.FSGroup)
			assert.Equal(t, core.SeccompProfileTypeRuntimeDefault, spec.SecurityContext.SeccompProfile.Type)
			assert.Equal(t, key == "StatefulSet/shop-otelcol-custom", *spec.AutomountServiceAccountToken, "only k8s_attributes asks the API")
			assert.False(t, spec.HostNetwork || spec.HostPID || spec.HostIPC)
			assert.Equal(t, "registry", spec.ImagePullSecrets[0].Name)
			volumes := map[string]bool{}
			for _, v := range spec.Volumes {
				volumes[v.Name] = true
				assert.Nil(t, v.HostPath)
			}
			if key == "StatefulSet/shop-otelcol-custom" {
				volumes["log"] = true
			}
			require.Len(t, spec.Containers, 1)
			c := spec.Containers[0]
			s := c.SecurityContext
			assert.False(t, *s.AllowPrivilegeEscalation)
			assert.True(t, *s.ReadOnlyRootFilesystem)
			assert.Equal(t, []core.Capability{"ALL"}, s.Capabilities.Drop)
			assert.Empty(t, s.Capabilities.Add)
			assert.False(t, c.Resources.Limits.Memory().IsZero() || c.Resources.Limits.Cpu().IsZero())
			for _, m := range c.VolumeMounts {
				assert.True(t, volumes[m.Name], m.Name)
			}
			for _, p := range c.Ports {
				assert.Equal(t, p.HostPort != 0, p.Name == "statsd", p.Name)
			}
		})
	}
}

// TestSelectorsMeetPods: each service, budget, policy and monitor selects pods, or services, that exist, and no others.
func TestSelectorsMeetPods(t *testing.T) {
	all := render(t, everything)
	selected := func(selector map[string]string) (found []string) {
		for key, template := range pods(all) {
			if subset(selector, template.Labels) {
				found = append(found, key)
			}
		}
		return found
	}
	services := 0
	for key, want := range map[string]string{
		"Service/shop-otelcol-custom":                "Deployment/shop-otelcol-custom-router",
		"Service/shop-otelcol-custom-headless":       "StatefulSet/shop-otelcol-custom",
		"Service/shop-otelcol-custom-router-metrics": "Deployment/shop-otelcol-custom-router",
		"Service/shop-otelcol-custom-udp-metrics":    "DaemonSet/shop-otelcol-custom-udp",
	} {
		service := get[core.Service](t, all, key)
		assert.Equal(t, []string{want}, selected(service.Spec.Selector), key)
		ports := map[string]bool{}
		for _, p := range pods(all)[want].Spec.Containers[0].Ports {
			ports[p.Name] = true
		}
		for _, p := range service.Spec.Ports {
			assert.True(t, ports[p.TargetPort.String()], "%s: port %s", key, p.Name)
		}
		services++
	}
	assert.Equal(t, services, count[core.Service](all))

	monitor := get[monitoring.ServiceMonitor](t, all, "ServiceMonitor/shop-otelcol-custom")
	scraped := 0
	for _, o := range all {
		if service, ok := o.typed.(*core.Service); ok && subset(monitor.Spec.Selector.MatchLabels, service.Labels) {
			scraped++
			assert.Contains(t, service.Labels, monitor.Spec.JobLabel)
		}
	}
	assert.Equal(t, 3, scraped, "gateways, routers and agents")

	assert.Equal(t, []string{"StatefulSet/shop-otelcol-custom"}, selected(get[networking.NetworkPolicy](t, all, "NetworkPolicy/shop-otelcol-custom").Spec.PodSelector.MatchLabels))
	scaler := get[autoscaling.HorizontalPodAutoscaler](t, all, "HorizontalPodAutoscaler/shop-otelcol-custom-router")
	assert.Contains(t, all, scaler.Spec.ScaleTargetRef.Kind+"/"+scaler.Spec.ScaleTargetRef.Name)
	assert.EqualValues(t, 70, *scaler.Spec.Metrics[0].Resource.Target.AverageUtilization)
	assert.Equal(t, 1, count[autoscaling.HorizontalPodAutoscaler](all), "the durable tier is not scaled by load")
	binding := get[rbac.ClusterRoleBinding](t, all, "ClusterRoleBinding/telemetry-shop-otelcol-custom")
	assert.Contains(t, all, "ServiceAccount/"+binding.Subjects[0].Name)
	assert.Contains(t, all, "ClusterRole/"+binding.RoleRef.Name)
}

func subset(part, whole map[string]string) bool {
	for k, v := range part {
		if whole[k] != v {
			return false
		}
	}
	return true
}

func count[T any](all map[string]object) (n int) {
	for _, o := range all {
		if _, ok := o.typed.(*T); ok {
			n++
		}
	}
	return n
}

// TestDrain: each ordinal has a Job that replays the claim of that gateway to the backend. An ordinal of a running gateway
// is refused.
func TestDrain(t *testing.T) {
	all := render(t, everything)
	spec := get[batch.Job](t, all, "Job/shop-otelcol-custom-drain-6").Spec.Template.Spec
	assert.Equal(t, "log-shop-otelcol-custom-6", spec.Volumes[0].PersistentVolumeClaim.ClaimName)
	assert.Equal(t, []string{"/fallbacklog"}, spec.Containers[0].Command)
	assert.Equal(t, []string{
		"replay", "-endpoint", "grpcs://otlp.example.com:4317", "-header", "api-key=$(OTLP_API_KEY)",
		"-ca", "/etc/otelcol-custom-ca/ca.pem", "/var/lib/otelcol/fallbacklog",
	}, spec.Containers[0].Args)
	assert.Equal(t, "backend", spec.Containers[0].Env[0].ValueFrom.SecretKeyRef.Name)

	for values, endpoint := range map[string]string{
		`{backend: {insecure: true}}`:                                       "grpc://otlp.example.com:4317",
		`{backend: {endpoint: "https://otlp.example.com:4317"}}`:            "grpcs://otlp.example.com:4317",
		`{backend: {protocol: http, endpoint: "https://otlp.example.com"}}`: "https://otlp.example.com",
		`{drain: {endpoint: "grpc://other:4317"}}`:                          "grpc://other:4317",
	} {
		job := get[batch.Job](t, render(t, merged(t, everything, values)), "Job/shop-otelcol-custom-drain-5")
		assert.Equal(t, endpoint, job.Spec.Template.Spec.Containers[0].Args[2], values)
	}
	_, err := manifest(merged(t, smallest, `{drain: {ordinals: [4]}}`))
	require.ErrorContains(t, err, "drain.ordinals: must be at least gateway.replicas, 5")
	render(t, `{gateway: {replicas: 3}, drain: {ordinals: [3, 4]}}`)
}

// TestChartRules: the rules are those of deploy/alerts, with the limits of the release in place of the default ones.
func TestChartRules(t *testing.T) {
	all := render(t, merged(t, everything, `gateway: {resources: {limits: {cpu: 1.5, memory: 2Gi}}}`))
	rules := get[monitoring.PrometheusRule](t, all, "PrometheusRule/shop-otelcol-custom")
	require.Len(t, rules.Spec.Groups, 4)
	assert.Equal(t, "vector(1.5)", rules.Spec.Groups[0].Rules[0].Expr.String())
	assert.Equal(t, "vector(2048 * 1024 * 1024 * 0.9)", rules.Spec.Groups[0].Rules[1].Expr.String())
	var got, want []string
	for _, group := range rules.Spec.Groups[1:] {
		for _, r := range group.Rules {
			got = append(got, r.Alert+r.Expr.String())
		}
	}
	for _, name := range []string{"gateway", "cardinality", "fallbacklog"} {
		for _, r := range rulesIn(t, fromRoot("deploy", "alerts", name+".yaml")) {
			want = append(want, r.Alert+r.Expr)
		}
	}
	assert.Equal(t, want, got)
	assert.Equal(t, "docs/runbooks/GatewayDown.md", runbook(t, rules, "GatewayDown"))
	based := render(t, merged(t, everything, `prometheusRule: {runbookBaseUrl: "https://git.example.com/gateway/blob/main/"}`))
	assert.Equal(t, "https://git.example.com/gateway/blob/main/docs/runbooks/GatewayDown.md",
		runbook(t, get[monitoring.PrometheusRule](t, based, "PrometheusRule/shop-otelcol-custom"), "GatewayDown"))
	dashboards := get[core.ConfigMap](t, all, "ConfigMap/shop-otelcol-custom-dashboards")
	assert.JSONEq(t, read(t, fromRoot("deploy", "grafana", "gateway.json")), dashboards.Data["otelcol-custom-gateway.json"])
	assert.Len(t, dashboards.Data, 3)
}

// runbook is the runbook's address of an alert, which must be there.
func runbook(t *testing.T, rules *monitoring.PrometheusRule, alert string) string {
	t.Helper()
	for _, group := range rules.Spec.Groups {
		for _, r := range group.Rules {
			if r.Alert == alert {
				return r.Annotations["runbook_url"]
			}
		}
	}
	require.Fail(t, "no such alert", alert)
	return ""
}
