package seekable

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// pieces are frames' contents that compress, more or less.
func pieces(seed uint64, sizes ...int) (all [][]byte) {
	rng := rand.New(rand.NewPCG(seed, 1))
	for _, n := range sizes {
		b := make([]byte, 0, n+20)
		for len(b) < n {
			b = fmt.Appendf(b, `{"name":"request %d"}`, rng.IntN(50))
		}
		all = append(all, b[:n])
	}
	return all
}

func compress(t testing.TB, frames [][]byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := NewWriter(&out)
	require.NoError(t, err)
	for _, f := range frames {
		require.NoError(t, w.Frame(f))
	}
	require.NoError(t, w.Close())
	require.EqualValues(t, out.Len(), w.Written())
	return out.Bytes()
}

func reader(t testing.TB, file []byte) *Reader {
	t.Helper()
	x, err := ReadIndex(bytes.NewReader(file), int64(len(file)))
	require.NoError(t, err)
	return NewReader(bytes.NewReader(file), x)
}

// whole returns all of it, in pieces as read, with what is damaged left out, and the damage.
func whole(t testing.TB, r *Reader) (data []byte, damage []*Damage) {
	t.Helper()
	buf := make([]byte, 100)
	for off := int64(0); ; {
		n, err := r.ReadAt(buf, off)
		data = append(data, buf[:n]...)
		off += int64(n)
		var d *Damage
		switch {
		case errors.As(err, &d):
			require.Equal(t, off, d.Start)
			require.Greater(t, d.End, d.Start)
			damage = append(damage, d)
			off = d.End
		case errors.Is(err, io.EOF):
			require.Equal(t, r.Size, off)
			return data, damage
		default:
			require.NoError(t, err)
		}
	}
}

func TestAnyPlaceCanBeRead(t *testing.T) {
	frames := pieces(1, 1000, 1, 70_000, MaxFrame, 333)
	want := bytes.Join(frames, nil)
	file := compress(t, frames)
	r := reader(t, file)
	assert.False(t, r.Rebuilt)
	assert.EqualValues(t, len(want), r.Size)
	assert.Len(t, r.Frames, len(frames))
	rng := rand.New(rand.NewPCG(2, 3))
	for range 500 {
		from := rng.IntN(len(want))
		p := make([]byte, rng.IntN(100_000))
		n, err := r.ReadAt(p, int64(from))
		require.Equal(t, min(len(p), len(want)-from), n)
		if n < len(p) {
			require.ErrorIs(t, err, io.EOF)
		} else {
			require.NoError(t, err)
		}
		require.True(t, bytes.Equal(want[from:from+n], p[:n]))
	}
	require.NoError(t, r.Verify())
}

// Whatever reads zstd reads the file.
func TestOthersReadIt(t *testing.T) {
	frames := pieces(1, 1000, 1, 70_000, 333)
	want := bytes.Join(frames, nil)
	file := compress(t, frames)
	d, err := zstd.NewReader(bytes.NewReader(file))
	require.NoError(t, err)
	defer d.Close()
	got, err := io.ReadAll(d)
	require.NoError(t, err)
	assert.True(t, bytes.Equal(want, got))

	tool, err := exec.LookPath("zstd")
	if err != nil {
		t.Skip("the zstd tool is not there")
	}
	name := filepath.Join(t.TempDir(), "x.jsonl.zst")
	require.NoError(t, os.WriteFile(name, file, 0o600))
	out, err := exec.Command(tool, "-t", name).CombinedOutput()
	require.NoError(t, err, "%s", out)
	got, err = exec.Command(tool, "-dcq", name).Output()
	require.NoError(t, err)
	assert.True(t, bytes.Equal(want, got))
}

// The end of the file is as the seekable format has it, read here by its page alone.
func TestSeekTable(t *testing.T) {
	frames := pieces(1, 1000, 500, 2000)
	file := compress(t, frames)
	footer := file[len(file)-9:]
	require.Equal(t, uint32(0x8F92EAB1), binary.LittleEndian.Uint32(footer[5:]))
	require.Equal(t, byte(1<<7), footer[4], "checksums, nothing else")
	n := int(binary.LittleEndian.Uint32(footer))
	table := file[len(file)-9-12*n-8:]
	require.Equal(t, uint32(0x184D2A5E), binary.LittleEndian.Uint32(table))
	require.EqualValues(t, 12*n+9, binary.LittleEndian.Uint32(table[4:]))
	d, err := zstd.NewReader(nil)
	require.NoError(t, err)
	defer d.Close()
	var got [][]byte
	at := 0
	for k := range n {
		e := table[8+12*k:]
		packed, size := int(binary.LittleEndian.Uint32(e)), int(binary.LittleEndian.Uint32(e[4:]))
		if size > 0 {
			data, err := d.DecodeAll(file[at:at+packed], nil)
			require.NoError(t, err)
			require.Len(t, data, size)
			// The checksum of the table is that of zstd's own frame, its last four bytes.
			require.Equal(t, e[8:12], file[at+packed-4:at+packed])
			got = append(got, data)
		}
		at += packed
	}
	assert.Equal(t, len(file)-len(table), at)
	assert.Equal(t, frames, got)
}

// Every byte is changed, in each of its bits: at most the frame that it is in is lost, at its place, and nothing changes
// silently.
func TestFlippedByteLosesAtMostItsFrame(t *testing.T) {
	frames := pieces(3, 200, 90, 300, 1)
	file := compress(t, frames)
	rebuilt := 0
	for at := range file {
		for bit := range 8 {
			bad := bytes.Clone(file)
			bad[at] ^= 1 << bit
			r := reader(t, bad)
			if r.Rebuilt {
				rebuilt++
			}
			data, damage := whole(t, r)
			require.LessOrEqual(t, len(damage), 1, "byte %d bit %d", at, bit)
			var want []byte
			start := int64(0)
			for _, f := range frames {
				if len(damage) == 0 || damage[0].Start != start {
					want = append(want, f...)
				} else {
					require.EqualValues(t, len(f), damage[0].End-damage[0].Start)
					require.NotEmpty(t, damage[0].Data)
				}
				start += int64(len(f))
			}
			require.True(t, bytes.Equal(want, data), "byte %d bit %d", at, bit)
			require.Equal(t, start, r.Size)
		}
	}
	assert.Equal(t, 8*(locatorLen+int(tableLen(9))), rebuilt, "each of the table and its locator, and no other")
}

// Table and one frame, or table and one locator, damaged together: still at most one frame is lost.
func TestDamagedTableAndAnythingElse(t *testing.T) {
	frames := pieces(3, 200, 90, 300, 1)
	file := compress(t, frames)
	for at := range len(file) - int(tableLen(9)) - locatorLen {
		bad := bytes.Clone(file)
		bad[at] ^= 0x10
		bad[len(bad)-1] ^= 1
		r := reader(t, bad)
		require.True(t, r.Rebuilt)
		data, damage := whole(t, r)
		require.LessOrEqual(t, len(damage), 1)
		if len(damage) == 0 {
			require.True(t, bytes.Equal(bytes.Join(frames, nil), data), "byte %d", at) // a bit that zstd does not use
			continue
		}
		lost := damage[0].End - damage[0].Start
		require.Len(t, data, len(bytes.Join(frames, nil))-int(lost), "byte %d", at)
		require.Contains(t, []int64{200, 90, 300, 1}, lost, "byte %d", at)
	}
}

// The file is cut at every byte: the frames before are read, what is left of the one that is cut is damage.
func TestCutFile(t *testing.T) {
	frames := pieces(3, 200, 90, 300, 1)
	file := compress(t, frames)
	full := reader(t, file)
	for cut := range file {
		r := reader(t, file[:cut])
		require.True(t, r.Rebuilt)
		data, damage := whole(t, r)
		var want []byte
		for k, f := range full.Frames {
			if f.At+f.Packed <= int64(cut) {
				want = append(want, frames[k]...)
			}
		}
		require.True(t, bytes.Equal(want, data), "cut at %d", cut)
		require.LessOrEqual(t, len(damage), 1)
	}
}

func TestEmptyAndForeignFiles(t *testing.T) {
	r := reader(t, nil)
	assert.Zero(t, r.Size)
	data, damage := whole(t, reader(t, compress(t, nil)))
	assert.Empty(t, data)
	assert.Empty(t, damage)

	// One that the zstd tool has made has no index: it is damage as a whole.
	e, err := zstd.NewWriter(nil)
	require.NoError(t, err)
	foreign := e.EncodeAll(bytes.Join(pieces(1, 5000), nil), nil)
	data, damage = whole(t, reader(t, foreign))
	assert.Empty(t, data)
	require.Len(t, damage, 1)
	assert.Equal(t, foreign, damage[0].Data)
}

// A forged table or locator costs no more memory than a frame.
func TestForgedSizes(t *testing.T) {
	frames := pieces(1, 1000)
	file := compress(t, frames)
	e, err := zstd.NewWriter(nil)
	require.NoError(t, err)
	bomb := e.EncodeAll(make([]byte, 256<<20), nil)
	require.Less(t, len(bomb), 1<<15)
	for _, size := range []int64{1, MaxFrame, MaxFrame + 1, 1 << 31} {
		f := Frame{Size: size, At: locatorLen, Packed: int64(len(bomb)), sum: sum(make([]byte, 1))}
		forged := append(appendLocator(nil, f), bomb...)
		forged = appendTable(forged, []Frame{f}, size)
		r := reader(t, forged)
		assert.LessOrEqual(t, cap(r.bound), MaxFrame)
		data, damage := whole(t, r)
		assert.Empty(t, data, "size %d", size)
		assert.NotEmpty(t, damage)
	}
	// A footer that speaks of more entries than the file has room for.
	binary.LittleEndian.PutUint32(file[len(file)-9:], 1<<31)
	r := reader(t, file)
	assert.True(t, r.Rebuilt)
	data, _ := whole(t, r)
	assert.True(t, bytes.Equal(frames[0], data))
}

type failing struct {
	io.ReaderAt
	from int64
}

var errDisk = errors.New("disk")

func (f failing) ReadAt(p []byte, off int64) (int, error) {
	if off >= f.from {
		return 0, errDisk
	}
	return f.ReaderAt.ReadAt(p, off)
}

// An error of the disk is no damage.
func TestDiskErrors(t *testing.T) {
	file := compress(t, pieces(1, 9000, 9000))
	_, err := ReadIndex(failing{bytes.NewReader(file), 0}, int64(len(file)))
	require.ErrorIs(t, err, errDisk)
	x, err := ReadIndex(bytes.NewReader(file), int64(len(file)))
	require.NoError(t, err)
	_, err = NewReader(failing{bytes.NewReader(file), 0}, x).ReadAt(make([]byte, 1), 0)
	require.ErrorIs(t, err, errDisk)
	_, err = NewReader(bytes.NewReader(file[:100]), x).ReadAt(make([]byte, 9000), 9000)
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	w, err := NewWriter(errWriter{})
	require.NoError(t, err)
	require.ErrorIs(t, w.Frame([]byte("x")), errDisk)
	require.ErrorIs(t, w.Close(), errDisk)
}

type errWriter struct{}

func (errWriter) Write([]byte) (int, error) { return 0, errDisk }

// Any bytes: no panic, no frame larger than allowed, no gap, and what is read twice is the same.
func FuzzReader(f *testing.F) {
	f.Add(compress(f, pieces(3, 200, 90, 300, 1)))
	f.Add(compress(f, nil))
	f.Add(compress(f, pieces(1, 5000))[:500])
	f.Fuzz(func(t *testing.T, file []byte) {
		r := reader(t, file)
		end := int64(0)
		for _, fr := range r.Frames {
			if fr.Start != end || fr.Size <= 0 || fr.At < 0 || fr.At+fr.Packed > int64(len(file)) || !fr.lost && fr.Size > MaxFrame {
				t.Fatalf("%+v after %d", fr, end)
			}
			end = fr.Start + fr.Size
		}
		if end != r.Size {
			t.Fatalf("size %d, frames end at %d", r.Size, end)
		}
		if len(r.Frames) < 1000 {
			whole(t, r)
		}
	})
}

func BenchmarkReader(b *testing.B) {
	file := compress(b, pieces(1, MaxFrame, MaxFrame, MaxFrame, MaxFrame))
	r := reader(b, file)
	b.SetBytes(r.Size)
	for b.Loop() {
		r.have = -1
		if err := r.Verify(); err != nil {
			b.Fatal(err)
		}
	}
}
