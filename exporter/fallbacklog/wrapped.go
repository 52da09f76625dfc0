package fallbacklog

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/exporter"
)

// wrappedSpec is the configuration of the wrapped exporter: its type and optional name, and its settings. The settings stay a
// confmap.Conf, because a plain map would turn `0123` from the environment into a number.
type wrappedSpec struct {
	ID   component.ID
	conf *confmap.Conf
}

// errWrappedCount means that the section does not have exactly one exporter.
var errWrappedCount = errors.New("must name exactly one exporter")

// parseWrapped parses the map `type[/name]: settings`.
func parseWrapped(conf *confmap.Conf) (wrappedSpec, error) {
	keys := slices.Sorted(maps.Keys(conf.ToStringMap()))
	if len(keys) != 1 {
		return wrappedSpec{}, fmt.Errorf("%w (got %d: %s)", errWrappedCount, len(keys), strings.Join(keys, ", "))
	}
	var s wrappedSpec
	if err := s.ID.UnmarshalText([]byte(keys[0])); err != nil {
		return wrappedSpec{}, err
	}
	var err error
	if s.conf, err = conf.Sub(keys[0]); err != nil {
		return wrappedSpec{}, fmt.Errorf("%s: %w", keys[0], err)
	}
	return s, nil
}

// disabledSections are the sections whose work this exporter does itself. Each has a member `enabled`. A queue or a
// write-ahead log of the wrapped exporter would acknowledge data that is not durable. Its retries would use up the caller's
// budget.
var disabledSections = []string{"sending_queue", "retry_on_failure", "remote_write_queue", "wal"}

// timeouts are the places of the timeout of an attempt. prometheus_remote_write also has one in `http`, but treats a section
// that exists as the user's own, so only sections that the user has set are changed.
var timeouts = [][]string{{"timeout"}, {"http", "timeout"}, {"protocol", "otlp", "timeout"}}

// Config builds the wrapped exporter's configuration: the factory's default with the settings applied, disabledSections turned
// off, and one attempt limited to timeout. It validates the result.
func (s wrappedSpec) Config(factory exporter.Factory, timeout time.Duration) (component.Config, error) {
	cfg := factory.CreateDefaultConfig()
	defaults := confmap.New()
	if err := defaults.Marshal(cfg); err != nil {
		return nil, fmt.Errorf("%s: %w", s.ID, err)
	}
	conf := confmap.New()
	if err := conf.Merge(s.conf); err != nil {
		return nil, fmt.Errorf("%s: %w", s.ID, err)
	}
	force := map[string]any{}
	for _, path := range disabledPaths(defaults.ToStringMap(), nil) {
		key := strings.Join(path, confmap.KeyDelimiter)
		if asksFor(conf, key) {
			return nil, fmt.Errorf("%s::%s: must be absent or disabled: queueing and retrying are done here", s.ID, key)
		}
		setPath(force, append(path, "enabled"), false)
	}
	for _, path := range timeouts {
		section := strings.Join(path[:len(path)-1], confmap.KeyDelimiter)
		if defaults.IsSet(strings.Join(path, confmap.KeyDelimiter)) && (section == "" || conf.IsSet(section)) {
			setPath(force, path, timeout.String())
		}
	}
	if err := conf.Merge(confmap.NewFromStringMap(force)); err != nil {
		return nil, fmt.Errorf("%s: %w", s.ID, err)
	}
	if err := conf.Unmarshal(&cfg); err != nil {
		return nil, fmt.Errorf("%s: %w", s.ID, err)
	}
	if err := confmap.Validate(cfg); err != nil {
		return nil, fmt.Errorf("%s: %w", s.ID, err)
	}
	return cfg, nil
}

// disabledPaths returns the paths of disabledSections in a configuration, at any depth.
func disabledPaths(m map[string]any, prefix []string) [][]string {
	var paths [][]string
	for _, key := range slices.Sorted(maps.Keys(m)) {
		path := append(slices.Clone(prefix), key)
		if slices.Contains(disabledSections, key) {
			paths = append(paths, path)
		} else if sub, ok := m[key].(map[string]any); ok {
			paths = append(paths, disabledPaths(sub, path)...)
		}
	}
	return paths
}

// asksFor reports whether the settings turn a section on: by `enabled`, or by any other member without `enabled`.
func asksFor(conf *confmap.Conf, key string) bool {
	section, ok := conf.Get(key).(map[string]any)
	if !ok {
		return false
	}
	enabled, isSet := section["enabled"]
	if isSet {
		return enabled != false
	}
	return len(section) > 0
}

func setPath(m map[string]any, path []string, value any) {
	for _, key := range path[:len(path)-1] {
		sub, ok := m[key].(map[string]any)
		if !ok {
			sub = map[string]any{}
			m[key] = sub
		}
		m = sub
	}
	m[path[len(path)-1]] = value
}

// Redacted returns the settings for print-config. Without a factory it is unknown which settings are secret, so all are hidden.
func (s wrappedSpec) Redacted(factory exporter.Factory) map[string]any {
	const hidden = "[REDACTED]"
	if factory == nil {
		return map[string]any{s.ID.String(): hidden}
	}
	cfg := factory.CreateDefaultConfig()
	conf := confmap.New()
	shown := confmap.New()
	if conf.Merge(s.conf) != nil || conf.Unmarshal(&cfg) != nil || shown.Marshal(cfg) != nil {
		return map[string]any{s.ID.String(): hidden}
	}
	return map[string]any{s.ID.String(): shown.ToStringMap()}
}

// synchronous are the exporters that return nil only if the downstream, and not a buffer of theirs, has the data. debug has no
// downstream except the console. prometheus is missing because it keeps the data in memory until it is scraped, and file
// because it uses a buffer and the page cache.
var synchronous = []string{"otlp_grpc", "otlp_http", "prometheus_remote_write", "load_balancing", "kafka", "debug"}

// Synchronous reports whether the exporter is known to return only after the downstream has answered.
func (s wrappedSpec) Synchronous(factory exporter.Factory) bool {
	if fmt.Sprint(s.conf.Get("producer::required_acks")) == "0" {
		return false // no broker acknowledges the data
	}
	return slices.Contains(synchronous, factory.Type().String()) // the type also has aliases
}
