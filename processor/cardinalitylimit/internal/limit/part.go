package limit

import (
	"fmt"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

// source is the origin of a part of a key, the outermost first. The hash of a key is computed again from the level that
// changes.
type source uint8

const (
	fromMetadata source = iota
	fromResource
	fromScope
	fromMetric
	fromAttribute
	sources
)

// Part is one part of a key. A part that a point lacks counts as the empty string.
type Part struct {
	source source
	name   string
}

// ParsePart reads resource.<name>, scope.name, metric.name, attribute.<name> or
// metadata.<name>.
func ParsePart(s string) (Part, error) {
	switch s {
	case "scope.name":
		return Part{source: fromScope}, nil
	case "metric.name":
		return Part{source: fromMetric}, nil
	}
	prefix, name, _ := strings.Cut(s, ".")
	if name != "" {
		switch prefix {
		case "resource":
			return Part{fromResource, name}, nil
		case "attribute":
			return Part{fromAttribute, name}, nil
		case "metadata":
			return Part{fromMetadata, strings.ToLower(name)}, nil
		}
	}
	return Part{}, fmt.Errorf(
		"must be resource.<name>, scope.name, metric.name, attribute.<name> or metadata.<name> (got %q)", s)
}

func (p Part) String() string {
	switch p.source {
	case fromScope:
		return "scope.name"
	case fromMetric:
		return "metric.name"
	case fromResource:
		return "resource." + p.name
	case fromAttribute:
		return "attribute." + p.name
	default:
		return "metadata." + p.name
	}
}

// Metadata is the client's metadata of a batch, as client.Metadata.
type Metadata interface {
	Get(name string) []string
}

// text returns the value of a part as a text, for a person and for the comparison with an override.
func (c *Cursor) text(p Part, attrs pcommon.Map) string {
	switch p.source {
	case fromMetadata:
		return strings.Join(c.metadata.Get(p.name), ",")
	case fromResource:
		return valueText(c.resource.Attributes(), p.name)
	case fromScope:
		return c.scope.Name()
	case fromMetric:
		return c.metric.Name()
	default:
		for at := range c.pairs {
			if c.pairs[at].key == p.name && c.pairs[at].removed {
				return "" // a removed label is missing in the key's hash, too
			}
		}
		return valueText(attrs, p.name)
	}
}

func valueText(m pcommon.Map, name string) string {
	if v, ok := m.Get(name); ok {
		return v.AsString()
	}
	return ""
}
