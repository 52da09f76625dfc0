package event

import (
	"bytes"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/line"
	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/series"
)

// record is a parsed event or service check. Its texts are valid UTF-8.
type record struct {
	title string // title of an event, or name of a service check
	text  string // text of an event, or message of a service check

	message        string // the field m, which an event does not have
	status         byte   // status of a service check, 0 to 3
	priority       string
	alertType      string
	aggregationKey string
	sourceType     string
	host           string
	time           time.Time // zero without the field d

	tags   []series.Tag // sorted by key, each key once
	origin series.OriginFields
}

// parse parses a line that line.Parse has accepted.
func parse(l *Line) record {
	if l.Kind == line.ServiceCheck {
		return parseCheck(l.Text)
	}
	return parseEvent(l.Text)
}

// parseEvent parses _e{title length,text length}:title|text|field|field.
func parseEvent(b []byte) record {
	lengths, content, _ := bytes.Cut(b[len("_e{"):], []byte("}:"))
	titleLength, textLength, _ := bytes.Cut(lengths, []byte{','})
	title, _ := strconv.Atoi(string(titleLength))
	text, _ := strconv.Atoi(string(textLength))
	r := record{
		title: unescape(content[:title]), text: unescape(content[title+1 : title+1+text]),
		priority: "normal", alertType: "info",
	}
	r.fields(content[title+1+text:])
	return r
}

// parseCheck parses _sc|name|status|field|field.
func parseCheck(b []byte) record {
	name, rest, _ := bytes.Cut(b[len("_sc|"):], []byte{'|'})
	r := record{title: valid(name), status: rest[0] - '0'}
	r.fields(rest[1:])
	r.text = r.message
	return r
}

// fields reads the fields, which may have any order. If a kind of field occurs twice, the last one counts. Unknown fields are
// skipped.
func (r *record) fields(b []byte) {
	for field := range bytes.SplitSeq(b, []byte{'|'}) {
		if tags, ok := bytes.CutPrefix(field, []byte{'#'}); ok {
			r.setTags(tags)
			continue
		}
		key, value, ok := bytes.Cut(field, []byte{':'})
		if !ok {
			continue
		}
		switch string(key) {
		case "d":
			r.setTime(value)
		case "h":
			r.host = valid(value)
		case "k":
			r.aggregationKey = valid(value)
		case "p":
			r.priority = valid(value)
		case "s":
			r.sourceType = valid(value)
		case "t":
			r.alertType = valid(value)
		case "m":
			r.message = unescape(bytes.ReplaceAll(value, []byte(`m\:`), []byte("m:")))
		case "c":
			r.origin.Container = value
		case "e":
			r.origin.External = value
		}
	}
}

// maxSeconds is the last second whose nanoseconds fit into an int64.
const maxSeconds = math.MaxInt64 / int64(time.Second)

func (r *record) setTime(b []byte) {
	if seconds, err := strconv.ParseInt(string(b), 10, 64); err == nil && 0 < seconds && seconds <= maxSeconds {
		r.time = time.Unix(seconds, 0)
	}
}

// setTags applies the same rules as for metrics. If several tags have the same key, the greatest value counts. Tags that describe
// the origin do not become attributes.
func (r *record) setTags(b []byte) {
	r.tags, r.origin.Entity = r.tags[:0], nil
	for len(b) > 0 {
		var tag []byte
		tag, b = line.Plain.CutTag(b)
		key, value := line.Plain.CutValue(tag)
		key = bytes.TrimLeft(key, "#")
		if len(key) == 0 || r.origin.KeepTag(key, value) {
			continue
		}
		r.tags = append(r.tags, series.Tag{Key: valid(key), Value: valid(value)})
	}
	slices.SortFunc(r.tags, func(a, b series.Tag) int {
		if c := strings.Compare(a.Key, b.Key); c != 0 {
			return c
		}
		return strings.Compare(b.Value, a.Value)
	})
	r.tags = slices.CompactFunc(r.tags, func(a, b series.Tag) bool { return a.Key == b.Key })
}

// unescape restores newlines, which senders write as a backslash and an n.
func unescape(b []byte) string { return strings.ReplaceAll(valid(b), `\n`, "\n") }

func valid(b []byte) string { return strings.ToValidUTF8(string(b), "\uFFFD") }
