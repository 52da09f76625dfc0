package check

import (
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
	known(e, "", raw, reflect.TypeOf(config))
}

func known(e *Errors, path string, raw any, to reflect.Type) {
	for to.Kind() == reflect.Pointer {
		to = to.Elem()
	}
	switch value := raw.(type) {
	case map[string]any:
		if to.Kind() == reflect.Struct {
			knownKeys(e, path, value, to)
		}
	case []any:
		if to.Kind() == reflect.Slice {
			for i, item := range value {
				known(e, Item(path, i), item, to.Elem())
			}
		}
	}
}

func knownKeys(e *Errors, path string, raw map[string]any, to reflect.Type) {
	var keys names
	remain := false
	fields := map[string]reflect.Type{}
	for _, field := range reflect.VisibleFields(to) {
		key, options, _ := strings.Cut(field.Tag.Get("mapstructure"), ",")
		remain = remain || options == "remain"
		if key != "" {
			fields[key] = field.Type
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	given := make([]string, 0, len(raw))
	for key := range raw {
		given = append(given, key)
	}
	slices.Sort(given)
	for _, key := range given {
		if field, found := fields[key]; found {
			known(e, below(path, key), raw[key], field)
			continue
		}
		e.That(remain, below(path, key), "one of "+keys.String(), key)
	}
}
