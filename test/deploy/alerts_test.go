package deploy

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"
)

// rule is an alerting or recording rule of deploy/alerts.
type rule struct {
	Alert       string            `json:"alert"`
	Record      string            `json:"record"`
	Expr        string            `json:"expr"`
	For         string            `json:"for"`
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
}

// rulesIn reads a file of rules; a key that Prometheus does not know fails the test.
func rulesIn(t *testing.T, file string) (rules []rule) {
	t.Helper()
	var parsed struct {
		Groups []struct {
			Name  string `json:"name"`
			Rules []rule `json:"rules"`
		} `json:"groups"`
	}
	require.NoError(t, yaml.UnmarshalStrict([]byte(read(t, file)), &parsed))
	for _, group := range parsed.Groups {
		rules = append(rules, group.Rules...)
	}
	require.NotEmpty(t, rules)
	return rules
}

// TestRules: each file of testdata/alerts is promtool's unit test of the rules of the same name, and sees every alert fire.
func TestRules(t *testing.T) {
	files, err := filepath.Glob(fromRoot("deploy", "alerts", "*.yaml"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			run(t, "promtool", "check", "rules", file)
			tests := filepath.Join("testdata", "alerts", filepath.Base(file))
			require.Contains(t, run(t, "promtool", "test", "rules", tests), "SUCCESS")
			for _, r := range rulesIn(t, file) {
				if r.Alert == "" {
					continue
				}
				fires := regexp.MustCompile(`(?s)alertname="` + r.Alert + `"[^}]*}'|alertname: ` + r.Alert + `\n\s+exp_alerts:`)
				assert.Regexp(t, fires, read(t, tests), "no unit test sees %s fire", r.Alert)
			}
		})
	}
}

// TestAlertsLeadSomewhere: an alert has a severity, a runbook of the repository that names it in its title, and a dashboard that exists.
func TestAlertsLeadSomewhere(t *testing.T) {
	files, err := filepath.Glob(fromRoot("deploy", "alerts", "*.yaml"))
	require.NoError(t, err)
	runbooks := map[string]bool{}
	for _, file := range files {
		for _, r := range rulesIn(t, file) {
			if r.Alert == "" {
				continue
			}
			assert.Contains(t, []string{"warning", "critical"}, r.Labels["severity"], r.Alert)
			assert.NotEmpty(t, r.Annotations["summary"], r.Alert)
			page, found := strings.CutPrefix(r.Annotations["runbook_url"], "docs/runbooks/")
			if assert.True(t, found, r.Alert) && assert.FileExists(t, fromRoot("docs", "runbooks", page)) {
				assert.True(t, strings.HasPrefix(read(t, fromRoot("docs", "runbooks", page)), "# "+r.Alert+"\n"), page)
			}
			runbooks[page] = true
			path, _, _ := strings.Cut(r.Annotations["dashboard_url"], "?")
			name := strings.TrimPrefix(path, "/d/otelcol-custom-")
			assert.FileExists(t, fromRoot("deploy", "grafana", name+".json"), r.Alert)
		}
	}
	pages, err := filepath.Glob(fromRoot("docs", "runbooks", "*.md"))
	require.NoError(t, err)
	for _, page := range pages {
		if name := filepath.Base(page); name != "README.md" {
			assert.True(t, runbooks[name], "%s belongs to no alert", name)
		}
	}
}
