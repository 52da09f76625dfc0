package gatewaypage

import (
	"bytes"
	"encoding/json"
	"math"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/otelcol-custom/otelcol-custom/extension/gatewaypage/internal/report"
	"github.com/otelcol-custom/otelcol-custom/internal/gatewaystate"
)

// maxReply bounds an answer, in bytes.
const maxReply = 256 << 10

// answer is a report with its encodings, each made when the first viewer asks for it.
type answer struct {
	report  *report.Report
	history *gatewaystate.History

	encode, write, draw sync.Once
	json, text, strips  []byte
}

// encoded returns the report as JSON of at most maxReply bytes. Offenders that have no room are left off and counted.
func (a *answer) encoded() []byte {
	a.encode.Do(func() {
		r := *a.report
		for {
			a.json = mustJSON(&r)
			if len(a.json) <= maxReply || len(r.Offenders)+len(r.Keys) == 0 {
				break
			}
			r.LeftOff += len(r.Offenders) + len(r.Keys)
			r.Offenders, r.Keys = r.Offenders[:len(r.Offenders)/2], r.Keys[:len(r.Keys)/2]
			r.LeftOff -= len(r.Offenders) + len(r.Keys)
		}
		if len(a.json) > maxReply { // a configuration with thousands of limits
			r.Components, r.Lines = []gatewaystate.State{}, []report.Line{}
			a.json = mustJSON(&r)
		}
	})
	return a.json
}

// mustJSON encodes a value of a type that always can be.
func mustJSON(v any) []byte {
	content, err := json.Marshal(v)
	if err != nil {
		return []byte(`{"error": "the state cannot be encoded"}`)
	}
	return content
}

// cut ends a text that has no room for the rest.
const cut = "\n[the rest has no room here]\n"

// plain returns the report as text of at most maxReply bytes.
func (a *answer) plain() []byte {
	a.write.Do(func() {
		var b bytes.Buffer
		_ = a.report.Text(&b) // a Buffer does not fail
		a.text = b.Bytes()
		if len(a.text) > maxReply {
			a.text = append(bytes.ToValidUTF8(a.text[:maxReply-len(cut)], nil), cut...)
		}
	})
	return a.text
}

// drawn returns the last hour as JSON of at most maxReply bytes.
func (a *answer) drawn() []byte {
	a.draw.Do(func() { a.strips = encodedHistory(a.history) })
	return a.strips
}

func (p *page) state(w http.ResponseWriter, _ *http.Request) {
	send(w, "application/json", p.answer.Load().encoded())
}

func (p *page) text(w http.ResponseWriter, _ *http.Request) {
	send(w, "text/plain; charset=utf-8", p.answer.Load().plain())
}

func (p *page) history(w http.ResponseWriter, _ *http.Request) {
	send(w, "application/json", p.answer.Load().drawn())
}

// send writes an answer in one piece: with its length it needs no chunks.
func send(w http.ResponseWriter, contentType string, content []byte) {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Length", strconv.Itoa(len(content)))
	_, _ = w.Write(content)
}

// encodedHistory writes the strips as JSON of at most maxReply bytes. Series that have no room are left off and counted.
func encodedHistory(h *gatewaystate.History) []byte {
	first, strips := h.Strips()
	leftOff := 0
	b := []byte(`{"api_version":1,"begins":` + strconv.Quote(h.Begin().UTC().Format(time.RFC3339)) +
		`,"first":` + strconv.Quote(first.UTC().Format(time.RFC3339)) +
		`,"step_seconds":` + strconv.Itoa(int(gatewaystate.Step/time.Second)) + `,"series":[`)
	for i, s := range strips {
		one := encodedStrip(s)
		if len(b)+len(one) > maxReply-64 {
			leftOff = len(strips) - i
			break
		}
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, one...)
	}
	return append(b, `],"left_off":`+strconv.Itoa(leftOff)+`}`...)
}

// encodedStrip writes values with four digits: a strip is as high as a thumb. null is no value.
func encodedStrip(s gatewaystate.Strip) []byte {
	b := append([]byte(`{"name":`), mustJSON(s.Name)...)
	b = append(b, `,"values":[`...)
	for i, v := range s.Values {
		if i > 0 {
			b = append(b, ',')
		}
		if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
			b = append(b, "null"...)
			continue
		}
		b = strconv.AppendFloat(b, float64(v), 'g', 4, 32)
	}
	return append(b, "]}"...)
}
