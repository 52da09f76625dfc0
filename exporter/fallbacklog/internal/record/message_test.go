package record

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestMessage(t *testing.T) {
	for text, want := range map[string]string{
		"":                               "",
		"too many labels":                "too many labels",
		"a\x1b[31mred\x00\r\nb\u2028c\t": "a [31mred   b c ",
		"no \xff\xfeUTF-8":               "no \ufffd\ufffdUTF-8",
		strings.Repeat("x", 300):         strings.Repeat("x", 256),
		strings.Repeat("é", 200):         strings.Repeat("é", 128),
		"x" + strings.Repeat("é", 200):   "x" + strings.Repeat("é", 127),
	} {
		got := Message(text)
		assert.Equal(t, want, got)
		assert.True(t, utf8.ValidString(got))
	}
}

// metaBefore is Meta in the version before messages.
type metaBefore struct {
	Time     time.Time           `json:"time"`
	Signal   string              `json:"signal"`
	Reason   string              `json:"reason"`
	Code     string              `json:"code,omitempty"`
	Attempts int                 `json:"attempts"`
	Items    int                 `json:"items"`
	Metadata map[string][]string `json:"metadata,omitempty"`
}

// The version before messages reads records with a message, which it ignores.
func TestVersionBeforeReadsMessages(t *testing.T) {
	m := Meta{Time: time.Unix(1, 0).UTC(), Signal: "logs", Reason: "permanent", Code: "400", Message: "no such tenant", Attempts: 1, Items: 2}
	line, err := Lines{}.Append(nil, []byte(`{"resourceLogs":[]}`), m)
	require.NoError(t, err)
	// This is a record of the first version with messages.
	require.Equal(t, `{"resourceLogs":[],"fallbacklog":{"time":"1970-01-01T00:00:01Z","signal":"logs","reason":"permanent","code":"400",`+
		`"message":"no such tenant","attempts":1,"items":2,"crc32c":"`+string(line[len(line)-12:len(line)-4])+"\"}}\n", string(line))
	var before struct {
		Fallbacklog metaBefore `json:"fallbacklog"`
	}
	require.NoError(t, json.Unmarshal(line, &before))
	assert.Equal(t, metaBefore{Time: m.Time, Signal: "logs", Reason: "permanent", Code: "400", Attempts: 1, Items: 2}, before.Fallbacklog)
	got, _, err := Lines{}.Split(line[:len(line)-1])
	require.NoError(t, err)
	assert.Equal(t, m, got)
}
