package check

import (
	"maps"
	"reflect"
	"slices"
	"strings"
)

// Known requires that every key of raw, the configuration as read from the file, names a field of config. Call it
// before raw is decoded into config: the decoder's own error names an unknown key, but not its place in the file.
//
// Config is a struct or a pointer to one whose fields have mapstructure tags. A struct with a "remain" field accepts
// any key, and so does a struct without such tags, which decodes itself.
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
	if len(keys) == 0 {
		return
	}
	slices.Sort(keys)
	for _, key := range slices.Sorted(maps.Keys(raw)) {
		e.That(slices.Contains(keys, key), below(path, key), "one of "+keys.String(), key)
	}
}
