package record

import (
	"bytes"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

var meta = Meta{
	Time: time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC), Signal: "metrics", Reason: "breaker_open", Attempts: 5, Items: 1,
}

func metricsPayload(t testing.TB, name string) []byte {
	t.Helper()
	md := pmetric.NewMetrics()
	m := md.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty().Metrics().AppendEmpty()
	m.SetName(name)
	dp := m.SetEmptySum().DataPoints().AppendEmpty()
	dp.SetIntValue(42)
	dp.Attributes().PutStr("tricky", "\n\",\"fallbacklog\":{\"crc32c\":\"00000000\"}}")
	b, err := (&pmetric.JSONMarshaler{}).MarshalMetrics(md)
	require.NoError(t, err)
	return b
}

func line(t testing.TB, name string) []byte {
	t.Helper()
	l, err := Lines{}.Append(nil, metricsPayload(t, name), meta)
	require.NoError(t, err)
	return l
}

func TestOTLPReadersIgnoreTheTrailer(t *testing.T) {
	l := line(t, "x")
	md, err := (&pmetric.JSONUnmarshaler{}).UnmarshalMetrics(bytes.TrimSuffix(l, []byte("\n")))
	require.NoError(t, err)
	again, err := (&pmetric.JSONMarshaler{}).MarshalMetrics(md)
	require.NoError(t, err)
	assert.Equal(t, string(metricsPayload(t, "x")), string(again))

	td := ptrace.NewTraces()
	td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans().AppendEmpty().SetName("s")
	payload, err := (&ptrace.JSONMarshaler{}).MarshalTraces(td)
	require.NoError(t, err)
	l, err = Lines{}.Append(nil, payload, meta)
	require.NoError(t, err)
	td, err = (&ptrace.JSONUnmarshaler{}).UnmarshalTraces(l)
	require.NoError(t, err)
	assert.Equal(t, 1, td.SpanCount())

	ld := plog.NewLogs()
	ld.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty().Body().SetStr("b")
	payload, err = (&plog.JSONMarshaler{}).MarshalLogs(ld)
	require.NoError(t, err)
	l, err = Lines{}.Append(nil, payload, meta)
	require.NoError(t, err)
	ld, err = (&plog.JSONUnmarshaler{}).UnmarshalLogs(l)
	require.NoError(t, err)
	assert.Equal(t, 1, ld.LogRecordCount())
}

func TestLineIsOneJSONObject(t *testing.T) {
	for _, payload := range []string{`{}`, `{"a":1}`} {
		l, err := Lines{}.Append(nil, []byte(payload), meta)
		require.NoError(t, err)
		var got struct {
			Fallbacklog struct {
				Meta
				CRC32C string `json:"crc32c"`
			} `json:"fallbacklog"`
		}
		require.NoError(t, json.Unmarshal(l, &got))
		assert.Equal(t, meta, got.Fallbacklog.Meta)
		assert.Len(t, got.Fallbacklog.CRC32C, 8)
		m, err := Reader{}.Parse(bytes.TrimSuffix(l, []byte("\n")))
		require.NoError(t, err)
		assert.Equal(t, meta, m)
	}
}

func TestAppendRefuses(t *testing.T) {
	for _, payload := range []string{"", "{", "[]", "{\n}", `"x"`} {
		_, err := Lines{}.Append(nil, []byte(payload), meta)
		require.ErrorIs(t, err, errPayload, payload)
	}
}

// read returns the names of the records that Lines finds and the bytes it calls damage.
func read(t testing.TB, data []byte) (records []string, damaged int) {
	t.Helper()
	for len(data) > 0 {
		rec, n := Lines{}.Next(data, true)
		if n == 0 {
			return records, damaged + len(data)
		}
		require.LessOrEqual(t, n, len(data))
		if rec == nil {
			damaged += n
		} else {
			_, err := Reader{}.Parse(rec)
			require.NoError(t, err)
			records = append(records, string(rec))
		}
		data = data[n:]
	}
	return records, damaged
}

// Every byte of the middle record of three, including its newline, gets each of its bits flipped and some other values. At most
// that record is lost, no change goes unnoticed, and its neighbours survive.
func TestFlippedByteLosesAtMostItsRecord(t *testing.T) {
	a, b, c := line(t, "a"), line(t, "b"), line(t, "c")
	whole := bytes.Join([][]byte{a, b, c}, nil)
	valid := map[string]bool{}
	for _, l := range [][]byte{a, b, c} {
		valid[string(bytes.TrimSuffix(l, []byte("\n")))] = true
	}
	for at := len(a); at < len(a)+len(b); at++ {
		for _, mask := range []byte{0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0xff, whole[at] ^ '\n', whole[at] ^ '"'} {
			if mask == 0 {
				continue
			}
			data := bytes.Clone(whole)
			data[at] ^= mask
			records, damaged := read(t, data)
			for _, r := range records {
				require.True(t, valid[r], "changed silently: byte %d mask %#x", at, mask)
			}
			require.Contains(t, records, string(bytes.TrimSuffix(a, []byte("\n"))), "byte %d mask %#x", at, mask)
			require.Contains(t, records, string(bytes.TrimSuffix(c, []byte("\n"))), "byte %d mask %#x", at, mask)
			if at == len(a)+len(b)-1 {
				require.Len(t, records, 3, "a flipped newline loses nothing")
			} else {
				require.Len(t, records, 2)
				require.Positive(t, damaged)
			}
		}
	}
}

func TestDamagedRecordAndItsNewlineKeepTheNext(t *testing.T) {
	a, b := line(t, "a"), line(t, "b")
	data := append(bytes.Clone(a), b...)
	data[len(a)-1] = 'x'
	data[5] = 'x'
	records, _ := read(t, data)
	assert.Equal(t, []string{string(b[:len(b)-1])}, records)
}

func TestTornTailAtEveryByte(t *testing.T) {
	a, b := line(t, "a"), line(t, "b")
	for cut := range b {
		records, _ := read(t, append(bytes.Clone(a), b[:cut]...))
		want := 1
		if cut == len(b)-1 {
			want = 2 // only the newline is missing
		}
		require.Len(t, records, want, "cut at %d", cut)
	}
}

func TestNextWantsMore(t *testing.T) {
	rec, n := Lines{}.Next(line(t, "a")[:20], false)
	assert.Nil(t, rec)
	assert.Zero(t, n)
}

func FuzzNext(f *testing.F) {
	f.Add(line(f, "a"), true)
	f.Add(append(line(f, "a"), line(f, "b")[:30]...), false)
	f.Fuzz(func(t *testing.T, data []byte, final bool) {
		rec, n := Lines{}.Next(data, final)
		if n < 0 || n > len(data) || len(rec) > n {
			t.Fatal(fmt.Errorf("n = %d, record = %d of %d bytes", n, len(rec), len(data)))
		}
		if rec != nil && !verify(rec) {
			t.Fatal("unverified record")
		}
	})
}
