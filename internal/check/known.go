package check

import (
	"maps"
	"reflect"
	"slices"
	"strings"
)

// Known wants every key that a configuration gives to be one of its fields. To be
// called before raw, which is as read from the file, is decoded into config: the
// decoder names a key that it does not know, but not where in the file it stands.
//
// Config is a struct or a pointer to one, its fields tagged for mapstructure. A struct
// that keeps the rest of its keys ("remain") knows them all.
func Known(e *Errors, raw map[string]any, config any) {
	walk("", raw, reflect.TypeOf(config), func(path string, raw any, to reflect.Type) {
		if value, ok := raw.(map[string]any); ok && to.Kind() == reflect.Struct {
			e.knownKeys(path, value, to)
		}
	})
}

func (e *Errors) knownKeys(path string, raw map[string]any, to reflect.Type) {
	var keys names
	for _, field := range reflect.VisibleFields(to) {
		key, options, _ := strings.Cut(field.Tag.Get("mapstructure"), ",")
		if options == "remain" {
			return
		}
		if key != "" {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	for _, key := range slices.Sorted(maps.Keys(raw)) {
		e.That(slices.Contains(keys, key), below(path, key), "one of "+keys.String(), key)
	}
}
