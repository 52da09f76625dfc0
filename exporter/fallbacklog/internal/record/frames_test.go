package record

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

func protoPayload(t testing.TB, name string) []byte {
	t.Helper()
	md, err := (&pmetric.JSONUnmarshaler{}).UnmarshalMetrics(metricsPayload(t, name))
	require.NoError(t, err)
	b, err := (&pmetric.ProtoMarshaler{}).MarshalMetrics(md)
	require.NoError(t, err)
	return b
}

func aFrame(t testing.TB, name string) []byte {
	t.Helper()
	f, err := Frames{}.Append(nil, protoPayload(t, name), meta)
	require.NoError(t, err)
	return f
}

func TestFrameKeepsThePayload(t *testing.T) {
	for _, payload := range [][]byte{nil, {0}, []byte(magic), protoPayload(t, "x")} {
		f, err := Frames{}.Append([]byte("before"), payload, meta)
		require.NoError(t, err)
		f = f[len("before"):]
		rec, n := Frames{}.Next(append(bytes.Clone(f), "after"...), false)
		require.Equal(t, len(f), n)
		require.Equal(t, Codec(Frames{}), Reader{}.CodecOf(rec))
		m, got, err := Frames{}.Split(rec)
		require.NoError(t, err)
		assert.Equal(t, meta, m)
		assert.True(t, bytes.Equal(payload, got))
		m, err = Reader{}.Parse(rec)
		require.NoError(t, err)
		assert.Equal(t, meta, m)
	}
	_, err := Frames{}.Append(nil, nil, Meta{Metadata: map[string][]string{"k": {string(make([]byte, maxMeta))}}})
	require.ErrorIs(t, err, ErrTooLarge)
}

// readFrames reads data in chunks, as the log does.
func readFrames(t testing.TB, data []byte, chunk int) (records []string, damaged int) {
	t.Helper()
	have := 0
	for len(data) > 0 {
		final := have >= len(data)
		rec, n := Frames{}.Next(data[:min(have, len(data))], final)
		switch {
		case rec != nil:
			records = append(records, string(rec))
		case n == 0 && final:
			return records, damaged + len(data)
		case n == 0:
			have += chunk
			continue
		default:
			damaged += n
		}
		require.LessOrEqual(t, n, have)
		data = data[n:]
		have = max(0, have-n)
		if have == 0 {
			have = min(chunk, len(data))
		}
	}
	return records, damaged
}

// Each byte of the middle frame of three is changed. Only that frame is lost, and no change goes unnoticed. The size of the
// chunks in which the file is read does not matter.
func TestFlippedByteLosesItsFrame(t *testing.T) {
	a, b, c := aFrame(t, "a"), aFrame(t, "b"), aFrame(t, "c")
	whole := bytes.Join([][]byte{a, b, c}, nil)
	for at := len(a); at < len(a)+len(b); at++ {
		for _, mask := range []byte{0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0xff} {
			data := bytes.Clone(whole)
			data[at] ^= mask
			for _, chunk := range []int{1 << 20, 23} {
				records, damaged := readFrames(t, data, chunk)
				require.Equal(t, []string{string(a), string(c)}, records, "byte %d mask %#x chunk %d", at, mask, chunk)
				require.Equal(t, len(b), damaged)
			}
		}
	}
}

func TestTornFrameAtEveryByte(t *testing.T) {
	a, b := aFrame(t, "a"), aFrame(t, "b")
	for cut := range b {
		data := append(bytes.Clone(a), b[:cut]...)
		rec, n := Frames{}.Next(data, true)
		require.Equal(t, string(a), string(rec))
		if cut > 0 {
			rec, n = Frames{}.Next(data[n:], true)
			require.Nil(t, rec)
			require.Zero(t, n, "cut at %d: torn, not damaged", cut)
		}
	}
}

// Garbage before, between and after frames is skipped.
func TestFramesAmongGarbage(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for range 300 {
		var data []byte
		var want []string
		for k := range 3 {
			junk := make([]byte, rng.IntN(100))
			for i := range junk {
				junk[i] = magic[rng.IntN(len(magic))]
			}
			f := aFrame(t, string(rune('a'+k)))
			data = append(append(data, junk...), f...)
			want = append(want, string(f))
		}
		records, damaged := readFrames(t, data, 1+rng.IntN(100))
		require.Equal(t, want, records)
		require.Equal(t, len(data)-len(want[0])-len(want[1])-len(want[2]), damaged)
	}
}

// Bytes inside a payload, which senders choose, are never parsed as a record, even if the payload is damaged.
func TestFrameInAPayloadIsNoRecord(t *testing.T) {
	inner := aFrame(t, "inner")
	outer, err := Frames{}.Append(nil, inner, meta)
	require.NoError(t, err)
	outer[len(outer)-1] ^= 1
	next := aFrame(t, "next")
	records, _ := readFrames(t, append(outer, next...), 100)
	assert.Equal(t, []string{string(next)}, records)
}

func TestCopy(t *testing.T) {
	l, f := line(t, "x"), aFrame(t, "x")
	l = l[:len(l)-1]
	same, err := Reader{}.Copy(Lines{}, l)
	require.NoError(t, err)
	assert.Equal(t, string(l)+"\n", string(same))
	same, err = Reader{}.Copy(Frames{}, f)
	require.NoError(t, err)
	assert.Equal(t, f, same)
	for _, c := range []struct {
		to     Codec
		record []byte
	}{{Lines{}, f}, {Frames{}, l}} {
		other, err := Reader{}.Copy(c.to, c.record)
		require.NoError(t, err)
		rec, n := c.to.Next(other, true)
		require.Equal(t, len(other), n)
		m, err := Reader{}.Parse(rec)
		require.NoError(t, err)
		assert.Equal(t, meta, m)
	}
	_, err = Reader{}.Copy(Frames{}, []byte("x"))
	require.ErrorIs(t, err, ErrDamaged)
}

func FuzzFrames(f *testing.F) {
	f.Add(aFrame(f, "a"), true)
	f.Add(append(aFrame(f, "a"), aFrame(f, "b")[:30]...), false)
	f.Add([]byte(magic+magic), true)
	for _, c := range frameKinds(f) {
		b, err := c.Append(nil, protoPayload(f, "a"), meta)
		require.NoError(f, err)
		f.Add(b, true)
	}
	f.Fuzz(func(t *testing.T, data []byte, final bool) {
		rec, n := Frames{}.Next(data, final)
		if n < 0 || n > len(data) || len(rec) > n {
			t.Fatalf("n = %d, record = %d of %d bytes", n, len(rec), len(data))
		}
		if rec != nil {
			if h, state := readHeader(rec); state != whole || !h.matchesSum(rec) {
				t.Fatal("unverified record")
			}
			_, _, _ = Frames{Key: aKey(t, 1)}.Split(rec)
		}
		_, _ = Reader{}.Parse(data)
		_ = Size(data)
	})
}
