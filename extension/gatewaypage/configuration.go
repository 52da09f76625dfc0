package gatewaypage

import (
	"context"
	"net/http"
	"regexp"
	"runtime"
	"strings"
	"sync"

	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/extension/extensioncapabilities"

	"github.com/otelcol-custom/otelcol-custom/extension/gatewaypage/internal/report"
	"github.com/otelcol-custom/otelcol-custom/internal/gatewaystate"
)

// configuration is what the bundle says of the service's, without secrets.
type configuration struct {
	mu     sync.Mutex
	masked map[string]any // nil: not known
}

// NotifyConfigSnapshot implements extensioncapabilities.ConfigSnapshotWatcher.
func (p *page) NotifyConfigSnapshot(_ context.Context, snapshot extensioncapabilities.ConfigSnapshot) error {
	if effective := snapshot.Effective(); effective != nil {
		p.observer.SetPipelines(pipelines(effective))
	}
	unexpanded := snapshot.Unexpanded()
	if unexpanded == nil {
		return nil
	}
	p.config.mu.Lock()
	defer p.config.mu.Unlock()
	p.config.masked = mask(unexpanded.ToStringMap())
	return nil
}

// pipelines reads service::pipelines.
func pipelines(conf *confmap.Conf) report.Pipelines {
	var service struct {
		Pipelines map[string]struct {
			Receivers  []string `mapstructure:"receivers"`
			Processors []string `mapstructure:"processors"`
			Exporters  []string `mapstructure:"exporters"`
		} `mapstructure:"pipelines"`
	}
	found := report.Pipelines{Connectors: map[string]bool{}}
	sub, err := conf.Sub("service")
	if err != nil || sub.Unmarshal(&service, confmap.WithIgnoreUnused()) != nil {
		return found // the service would not run with it
	}
	for id, pipe := range service.Pipelines {
		signal, _, _ := strings.Cut(id, "/")
		found.All = append(found.All, report.Pipeline{
			Signal: signal, Receivers: pipe.Receivers, Processors: pipe.Processors, Exporters: pipe.Exporters,
		})
	}
	if connectors, err := conf.Sub("connectors"); err == nil {
		for id := range connectors.ToStringMap() {
			found.Connectors[id] = true
		}
	}
	return found
}

var (
	// secretKey matches names of keys whose values are secrets.
	secretKey = regexp.MustCompile(`(?i)token|password|passwd|passphrase|pwd|secret|credential|authorization|cookie|signature|encryption|headers|` +
		`(api|access|private|account|shared)[-_.]?key|^key$|^key_?pem$|^pem$|user(name)?$|(^|_)auth$|^dsn$|data_?source|connection_?string`)
	// assigned matches a secret in a text, such as token=... and Bearer ...
	assigned = regexp.MustCompile(`(?i)((?:token|password|passwd|passphrase|pwd|secret|api[-_]?key|access[-_]?key|signature)["']?\s*[:=]\s*["']?|\b(?:bearer|basic)\s+)[^\s"',;&]+`)
	// reference matches what names a secret without having it: ${env:NAME} without a default.
	reference = regexp.MustCompile(`^\$\{(env:)?[A-Za-z_][A-Za-z0-9_]*\}$`)
)

// plainNested are keys of a wrapped exporter whose values are shown: nobody but that exporter knows which of the others
// are secrets.
var plainNested = map[string]bool{"endpoint": true, "timeout": true, "compression": true, "encoding": true, "insecure": true, "enabled": true}

// mask copies a configuration without secrets.
func mask(conf map[string]any) map[string]any {
	out := maskMap(conf, false)
	exporters, _ := out["exporters"].(map[string]any)
	for id, settings := range exporters {
		if name, _, _ := strings.Cut(id, "/"); name != "fallbacklog" {
			continue
		}
		if settings, ok := settings.(map[string]any); ok {
			if nested, ok := settings["exporter"]; ok {
				settings["exporter"] = maskNested(nested, "")
			}
		}
	}
	return out
}

func maskMap(conf map[string]any, secret bool) map[string]any {
	out := make(map[string]any, len(conf))
	for key, value := range conf {
		_, list := value.([]any)
		names := list && key == "key" // a limit's key is a list of names of attributes
		_, group := value.(map[string]any)
		group = group && strings.HasSuffix(key, "auth") // auth: {authenticator: ...}
		out[key] = maskValue(value, secret || secretKey.MatchString(key) && !names && !group)
	}
	return out
}

func maskValue(value any, secret bool) any {
	switch v := value.(type) {
	case map[string]any:
		return maskMap(v, secret)
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = maskValue(v[i], secret)
		}
		return out
	case string:
		if secret && v != "" && !reference.MatchString(v) {
			return gatewaystate.Masked
		}
		return assigned.ReplaceAllString(gatewaystate.MaskURLs(v), "${1}"+gatewaystate.Masked)
	default:
		if secret && v != nil {
			if _, harmless := v.(bool); !harmless {
				return gatewaystate.Masked
			}
		}
		return v
	}
}

// maskNested shows the keys of a wrapped exporter, and the values of plainNested.
func maskNested(value any, key string) any {
	switch v := value.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for k := range v {
			out[k] = maskNested(v[k], k)
		}
		return out
	case nil:
		return nil
	case string:
		if plainNested[key] || reference.MatchString(v) {
			return v // masked once already
		}
	case bool:
		return v
	}
	return gatewaystate.Masked
}

// bundle is everything for a ticket.
type bundle struct {
	State         rawJSON        `json:"state"`
	History       rawJSON        `json:"history"`
	Versions      versions       `json:"versions"`
	Configuration map[string]any `json:"configuration"` // as written, with ${...} unexpanded and secrets masked
}

type versions struct {
	Command  string `json:"command"`
	Version  string `json:"version"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

// rawJSON is encoded already.
type rawJSON []byte

// MarshalJSON implements json.Marshaler.
func (r rawJSON) MarshalJSON() ([]byte, error) { return r, nil }

func (p *page) bundle(w http.ResponseWriter, _ *http.Request) {
	p.config.mu.Lock()
	conf := p.config.masked // not changed after it was stored
	p.config.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Disposition", `attachment; filename="gateway.json"`)
	a := p.answer.Load()
	_, _ = w.Write(mustJSON(bundle{
		State: a.encoded(), History: a.drawn(),
		Versions:      versions{p.set.BuildInfo.Command, p.set.BuildInfo.Version, runtime.Version(), runtime.GOOS + "/" + runtime.GOARCH},
		Configuration: conf,
	}))
}
