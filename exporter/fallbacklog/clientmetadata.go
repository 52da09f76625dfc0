package fallbacklog

import (
	"strings"

	"go.opentelemetry.io/collector/client"

	"github.com/otelcol-custom/otelcol-custom/internal/check"
)

// maxMetadataKeys is far above the number of keys that route data by tenant.
const maxMetadataKeys = 32

// credentials are parts of names that carry credentials. More people read a log than a request, and for a longer time.
var credentials = []string{
	"auth", "cookie", "credential", "password", "passwd", "secret", "session", "signature", "token",
	"apikey", "accesskey", "privatekey",
}

// credential reports whether a key's name looks like that of a credential. `api-key`, `api_key` and `ApiKey` are the same.
func credential(key string) bool {
	name := strings.NewReplacer("-", "", "_", "", ".", "").Replace(strings.ToLower(key))
	if strings.HasPrefix(name, ":") { // pseudo-headers of HTTP/2: `:authority` is a host
		return false
	}
	for _, part := range credentials {
		if strings.Contains(name, part) {
			return true
		}
	}
	return false
}

func validateMetadataKeys(e *check.Errors, keys []string) {
	check.Range(e, "metadata_keys", len(keys), 0, maxMetadataKeys)
	seen := map[string]bool{}
	for i, key := range keys {
		field := check.Item("metadata_keys", i)
		name := strings.ToLower(key)
		e.That(key != "", field, "set", key)
		e.That(!seen[name], field, "different from the others, upper and lower case being the same", key)
		e.That(!credential(key), field, "a key without a credential's name, since its value is written to disk", key)
		seen[name] = true
	}
}

// selectMetadata returns the client's values of the keys, by lower-case key, or nil if there are none.
func selectMetadata(from client.Metadata, keys []string) map[string][]string {
	var kept map[string][]string
	for _, key := range keys {
		values := from.Get(key)
		if values == nil {
			continue
		}
		if kept == nil {
			kept = make(map[string][]string, len(keys))
		}
		kept[strings.ToLower(key)] = values
	}
	return kept
}
