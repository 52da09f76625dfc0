package check

import (
	"reflect"
	"strings"
)

// walk calls visit for raw and for every value below it that corresponds to a field or an item of the type to: the
// values of a map in the order of the struct's fields, and the items of a list. It follows pointers in to.
func walk(path string, raw any, to reflect.Type, visit func(path string, raw any, to reflect.Type)) {
	for to.Kind() == reflect.Pointer {
		to = to.Elem()
	}
	visit(path, raw, to)
	switch value := raw.(type) {
	case map[string]any:
		if to.Kind() != reflect.Struct {
			return
		}
		for _, field := range reflect.VisibleFields(to) {
			key, _, _ := strings.Cut(field.Tag.Get("mapstructure"), ",")
			if inner, ok := value[key]; ok && key != "" {
				walk(below(path, key), inner, field.Type, visit)
			}
		}
	case []any:
		if to.Kind() != reflect.Slice {
			return
		}
		for i, item := range value {
			walk(Item(path, i), item, to.Elem(), visit)
		}
	}
}

// below returns the path of a key below path.
func below(path, key string) string {
	if path == "" {
		return key
	}
	return path + delimiter + key
}
