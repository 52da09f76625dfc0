package record

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"hash/crc32"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

func secret(fill byte) []byte { return bytes.Repeat([]byte{fill}, keySize) }

func aKey(t testing.TB, fill byte) *Key {
	t.Helper()
	k, err := NewKey(hex.EncodeToString(secret(fill)))
	require.NoError(t, err)
	return k
}

// frameKinds are all kinds of frames of version 2.
func frameKinds(t testing.TB) map[string]Frames {
	t.Helper()
	return map[string]Frames{
		"zstd": {Zstd: true}, "encrypted": {Key: aKey(t, 1)}, "zstd and encrypted": {Zstd: true, Key: aKey(t, 1)},
	}
}

func bigPayload(t testing.TB) []byte {
	t.Helper()
	md := pmetric.NewMetrics()
	metrics := md.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty().Metrics()
	for range 20 {
		m := metrics.AppendEmpty()
		m.SetName("http.server.request.duration")
		m.SetEmptySum().DataPoints().AppendEmpty().Attributes().PutStr("http.route", "/a-known-value")
	}
	b, err := (&pmetric.ProtoMarshaler{}).MarshalMetrics(md)
	require.NoError(t, err)
	return b
}

func TestNewKey(t *testing.T) {
	want := aKey(t, 0xfe)
	for _, text := range []string{
		hex.EncodeToString(secret(0xfe)), strings.ToUpper(hex.EncodeToString(secret(0xfe))) + "\n",
		base64.StdEncoding.EncodeToString(secret(0xfe)), base64.RawStdEncoding.EncodeToString(secret(0xfe)),
		base64.URLEncoding.EncodeToString(secret(0xfe)), " " + base64.RawURLEncoding.EncodeToString(secret(0xfe)),
	} {
		k, err := NewKey(text)
		require.NoError(t, err, text)
		assert.Equal(t, want.id, k.id)
	}
	assert.NotEqual(t, want.id, aKey(t, 1).id)
	for _, text := range []string{
		"", "x", "a secret that is no key!", hex.EncodeToString(secret(1)[:31]), hex.EncodeToString(append(secret(1), 1)),
		base64.StdEncoding.EncodeToString(secret(1)[:16]), hex.EncodeToString(secret(1))[:63],
	} {
		_, err := NewKey(text)
		require.ErrorIs(t, err, errKeyForm, text)
		if text != "" && text != "x" {
			assert.NotContains(t, err.Error(), text)
		}
	}
}

func TestFramesOfVersion2KeepThePayload(t *testing.T) {
	for name, c := range frameKinds(t) {
		for _, payload := range [][]byte{nil, {0}, []byte(magic), bigPayload(t)} {
			f, err := c.Append([]byte("before"), payload, meta)
			require.NoError(t, err)
			f = f[len("before"):]
			rec, n := Frames{}.Next(append(bytes.Clone(f), "after"...), false)
			require.Equal(t, len(f), n, "without the key")
			m, got, err := Reader{Key: c.Key}.CodecOf(rec).Split(rec)
			require.NoError(t, err, name)
			assert.Equal(t, meta, m)
			assert.True(t, bytes.Equal(payload, got))
			m, err = Reader{Key: c.Key}.Parse(rec)
			require.NoError(t, err)
			assert.Equal(t, meta, m)
			trailer := 0
			if c.Key != nil {
				trailer = nonceSize + tagSize
			}
			if len(payload) > 100 && c.Zstd {
				assert.Less(t, len(rec), len(payload)/2, name)
				assert.Greater(t, Size(rec), len(payload))
			} else {
				assert.Equal(t, len(rec), Size(rec))
				assert.GreaterOrEqual(t, len(rec), len(payload)+trailer)
			}
		}
	}
}

// A payload that does not get smaller is written as in version 1, and so is every payload without compression and encryption.
func TestFramesOfVersion1AreWrittenWhereTheyWillDo(t *testing.T) {
	for _, c := range []Frames{{}, {Zstd: true}} {
		f, err := c.Append(nil, []byte{1, 2, 3}, meta)
		require.NoError(t, err)
		assert.EqualValues(t, 1, f[4])
	}
}

// Each bit of each byte of the middle frame is flipped. Only that frame is lost, and no change goes unnoticed, with and without
// the key.
func TestFlippedByteLosesItsFrameOfVersion2(t *testing.T) {
	for name, kind := range frameKinds(t) {
		a := aFrame(t, "a")
		b, err := kind.Append(nil, bigPayload(t), meta)
		require.NoError(t, err)
		c, err := kind.Append(nil, protoPayload(t, "c"), meta)
		require.NoError(t, err)
		whole := bytes.Join([][]byte{a, b, c}, nil)
		for at := len(a); at < len(a)+len(b); at++ {
			for bit := range 8 {
				data := bytes.Clone(whole)
				data[at] ^= 1 << bit
				for _, chunk := range []int{1 << 20, 23} {
					records, damaged := readFrames(t, data, chunk)
					require.Equal(t, []string{string(a), string(c)}, records, "%s: byte %d bit %d chunk %d", name, at, bit, chunk)
					require.Equal(t, len(b), damaged)
				}
			}
		}
	}
}

// Authentication finds a change even if the checksums, which are not secret, are changed to match.
func TestForgedFrameIsDamaged(t *testing.T) {
	c := Frames{Zstd: true, Key: aKey(t, 1)}
	frame, err := c.Append(nil, bigPayload(t), meta)
	require.NoError(t, err)
	h, _ := readHeader(frame)
	for at := range frame {
		if at >= authenticated && at < h.size() {
			continue // the checksums
		}
		forged := bytes.Clone(frame)
		forged[at] ^= 1
		h.putSums(forged[:h.size()], crc32.Checksum(forged[h.size():], castagnoli))
		if fh, _ := readHeader(forged); fh.frame() != len(forged) {
			continue // a length: the frame is not whole
		}
		_, _, err := c.Split(forged)
		require.Error(t, err, "byte %d", at)
		_, err = Reader{Key: c.Key}.Parse(forged)
		require.Error(t, err, "byte %d", at)
	}
}

func TestTornFrameOfVersion2AtEveryByte(t *testing.T) {
	for name, kind := range frameKinds(t) {
		a, err := kind.Append(nil, bigPayload(t), meta)
		require.NoError(t, err)
		for cut := 1; cut < len(a); cut++ {
			rec, n := Frames{}.Next(a[:cut], true)
			require.Nil(t, rec)
			require.Zero(t, n, "%s cut at %d: torn, not damaged", name, cut)
		}
	}
}

func TestAnotherKeyIsNoDamage(t *testing.T) {
	frame, err := Frames{Key: aKey(t, 1)}.Append(nil, protoPayload(t, "x"), meta)
	require.NoError(t, err)
	for _, k := range []*Key{nil, aKey(t, 2)} {
		_, err := Reader{Key: k}.Parse(frame)
		require.ErrorIs(t, err, ErrKey)
		require.NotErrorIs(t, err, ErrDamaged)
		require.ErrorContains(t, err, aKey(t, 1).id.String())
		_, _, err = Reader{Key: k}.CodecOf(frame).Split(frame)
		require.ErrorIs(t, err, ErrKey)
		same, err := Reader{Key: k}.Copy(Frames{Key: k}, frame)
		require.NoError(t, err)
		assert.Equal(t, frame, same, "it is copied without its key")
	}
	frame[len(frame)-1] ^= 1
	_, err = Reader{}.Parse(frame)
	require.ErrorIs(t, err, ErrDamaged)
}

// Without the key only the lengths of a record can be read, and two equal records look different.
func TestEncryptedFrameShowsNothing(t *testing.T) {
	c := Frames{Key: aKey(t, 1)}
	one, err := c.Append(nil, bigPayload(t), meta)
	require.NoError(t, err)
	two, err := c.Append(nil, bigPayload(t), meta)
	require.NoError(t, err)
	for _, text := range []string{"a-known-value", "metrics", "breaker_open", "http.route"} {
		assert.NotContains(t, string(one), text)
	}
	assert.NotEqual(t, one[36:48], two[36:48], "nonces")
	assert.NotEqual(t, one[48:], two[48:])
}

// A record that was written without a key is encrypted when it is copied.
func TestCopyEncrypts(t *testing.T) {
	c := Frames{Key: aKey(t, 1)}
	for _, rec := range [][]byte{aFrame(t, "known-name"), bytes.TrimSuffix(line(t, "known-name"), []byte("\n"))} {
		out, err := Reader{Key: c.Key}.Copy(c, rec)
		require.NoError(t, err)
		assert.NotContains(t, string(out), "known-name")
		m, err := Reader{Key: c.Key}.Parse(out)
		require.NoError(t, err)
		assert.Equal(t, meta, m)
	}
}

// A forged frame expands to at most the size in its header, which must be at most maxUncompressed.
func TestForgedFrameDoesNotExpand(t *testing.T) {
	payload := make([]byte, 8<<20)
	frame, err := Frames{Zstd: true}.Append(nil, payload, meta)
	require.NoError(t, err)
	require.Less(t, len(frame), 1<<12)
	h, _ := readHeader(frame)
	say := func(n uint32) []byte {
		forged := bytes.Clone(frame)
		binary.LittleEndian.PutUint32(forged[16:], n)
		h.putSums(forged[:h.size()], h.sum)
		return forged
	}
	for _, n := range []uint32{0, 1, 8<<20 - 1, 8<<20 + 1} {
		_, _, err = Frames{}.Split(say(n))
		require.ErrorIs(t, err, ErrDamaged)
	}
	rec, n := Frames{}.Next(say(maxUncompressed+1), true)
	assert.Nil(t, rec)
	assert.Positive(t, n)
	large, err := Frames{Zstd: true}.Append(nil, make([]byte, maxUncompressed+1), meta)
	require.NoError(t, err)
	assert.EqualValues(t, 1, large[4], "as it is: nobody would decompress it")
}
