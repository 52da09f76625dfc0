package segment

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// frames is a format for tests: a marker, a length, a checksum, the bytes.
type frames struct{}

const frameHeader = 9

func frame(s string) []byte {
	b := []byte{'#'}
	b = binary.LittleEndian.AppendUint32(b, uint32(len(s)))
	b = binary.LittleEndian.AppendUint32(b, crc32.Checksum([]byte(s), castagnoli))
	return append(b, s...)
}

func (frames) Next(data []byte, final bool) ([]byte, int) {
	incomplete := len(data) < frameHeader
	if data[0] == '#' && !incomplete {
		n := int(binary.LittleEndian.Uint32(data[1:]))
		incomplete = len(data)-frameHeader < n
		if !incomplete {
			body := data[frameHeader : frameHeader+n]
			if crc32.Checksum(body, castagnoli) == binary.LittleEndian.Uint32(data[5:]) {
				return body, frameHeader + n
			}
		}
	}
	if incomplete && !final {
		return nil, 0
	}
	if i := bytes.IndexByte(data[1:], '#'); i >= 0 {
		return nil, 1 + i
	}
	if incomplete {
		return nil, 0
	}
	return nil, len(data)
}

var testKind = Kind{Extension: ".seg", Format: frames{}}

func options(dir string) Options {
	return Options{
		Dir: dir, Kind: testKind, Budget: &Budget{Max: 1 << 30},
		MaxSegmentBytes: 1 << 20, Sync: SyncBatch,
	}
}

func open(t testing.TB, opt Options) *Log {
	t.Helper()
	l, err := Open(opt)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, l.Close()) })
	return l
}

func appendAll(t testing.TB, l *Log, records ...string) {
	t.Helper()
	for _, r := range records {
		require.NoError(t, l.Append(frame(r)))
	}
}

// drain reads all records. With markDone it also marks them as done.
func drain(t testing.TB, l *Log, markDone bool) (records []string) {
	t.Helper()
	for {
		e, ok, err := l.Next()
		require.NoError(t, err)
		if !ok {
			return records
		}
		records = append(records, string(e.Record))
		if markDone {
			require.NoError(t, l.Done(e))
		}
	}
}

func files(t testing.TB, dir string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*.seg"))
	require.NoError(t, err)
	return names
}

// long returns records of about 110 bytes.
func long(n int) (records []string) {
	for i := range n {
		records = append(records, fmt.Sprintf("record %03d %s", i, strings.Repeat("text ", 20)))
	}
	return records
}

// smallSegments returns options for segments of six long records.
func smallSegments(dir string) Options {
	opt := options(dir)
	opt.MaxSegmentBytes = int64(6 * len(frame(long(1)[0])))
	return opt
}

func numbered(n int) (records []string) {
	for i := range n {
		records = append(records, fmt.Sprintf("record %d", i))
	}
	return records
}
