package snapshot

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// memory is a storage that fails after a number of writes.
type memory struct {
	values  map[string][]byte
	left    int // writes until it fails; negative: it never fails
	largest int
}

var errFull = errors.New("full")

func (m *memory) Get(_ context.Context, key string) ([]byte, error) { return m.values[key], nil }

func (m *memory) Set(_ context.Context, key string, value []byte) error {
	if m.left == 0 {
		return errFull
	}
	m.left--
	m.largest = max(m.largest, len(value))
	m.values[key] = value
	return nil
}

func (m *memory) Delete(_ context.Context, key string) error {
	if m.left == 0 {
		return errFull
	}
	m.left--
	delete(m.values, key)
	return nil
}

func text(s string) Section {
	return Section{Name: "text", Encode: func(e *Encoder) { e.Text(s) }}
}

func other(n uint64) Section {
	return Section{Name: "other", Encode: func(e *Encoder) { e.Uint(n) }}
}

// The process may end after any number of writes. A reader then gets either the whole state of before or the whole new
// state.
func TestWriteIsAtomic(t *testing.T) {
	ctx := context.Background()
	long := func(b byte, n int) string { return string(bytes.Repeat([]byte{b}, n)) }
	for _, sizes := range [][3]int{{10, 20, 30}, {3 * chunkBytes, 10, chunkBytes - 1}, {10, 3 * chunkBytes, 5 * chunkBytes}} {
		for left := range 20 {
			m := &memory{values: map[string][]byte{}, left: -1}
			s, err := Open(ctx, m, 7)
			require.ErrorIs(t, err, ErrMissing)
			require.NoError(t, s.Write(ctx, false, text(long('a', sizes[0])), other(1)))
			require.NoError(t, s.Write(ctx, false, text(long('b', sizes[1])), other(2)))
			m.left = left
			err = s.Write(ctx, true, text(long('c', sizes[2])), other(3))
			m.left = -1
			s, openErr := Open(ctx, m, 8)
			require.NoError(t, openErr)
			require.EqualValues(t, 7, s.Seed())
			d, readErr := s.Read(ctx, "text")
			require.NoError(t, readErr)
			got := d.Text()
			require.NoError(t, d.Done())
			d, readErr = s.Read(ctx, "other")
			require.NoError(t, readErr)
			if n := d.Uint(); n == 2 {
				require.ErrorIs(t, err, errFull)
				require.Equal(t, long('b', sizes[1]), got)
				require.False(t, s.Clean())
			} else {
				require.EqualValues(t, 3, n)
				require.Equal(t, long('c', sizes[2]), got)
				require.True(t, s.Clean())
			}
			require.LessOrEqual(t, m.largest, chunkBytes)
		}
	}
}

// Chunks that are no longer needed are deleted. The storage contains at most two copies of the largest section.
func TestChunksAreDeleted(t *testing.T) {
	ctx := context.Background()
	m := &memory{values: map[string][]byte{}, left: -1}
	s, err := Open(ctx, m, 7)
	require.ErrorIs(t, err, ErrMissing)
	for _, n := range []int{9, 9, 2, 1, 1} {
		require.NoError(t, s.Write(ctx, false, text(string(make([]byte, n*chunkBytes-100)))))
	}
	require.Len(t, m.values, 3, "two slots of a chunk and the manifest")
	require.NoError(t, s.DeleteExcept(ctx, func(string) bool { return false }))
	require.NoError(t, s.Write(ctx, false))
	require.Len(t, m.values, 1)
}

func TestDecoderReadsWhatWasWritten(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	var e Encoder
	words := make([]uint64, 100)
	for i := range words {
		words[i] = rng.Uint64()
		e.Uint(words[i] >> (i % 64))
		e.Int(int64(words[i]) >> (i % 64))
		e.Fixed(words[i])
		e.Bool(i%2 == 0)
		e.Float(float64(i) / 3)
		e.Text(fmt.Sprint(i))
	}
	e.Words(words)
	d := NewDecoder(e.buf)
	for i := range words {
		require.Equal(t, words[i]>>(i%64), d.Uint())
		require.Equal(t, int64(words[i])>>(i%64), d.Int())
		require.Equal(t, words[i], d.Fixed())
		require.Equal(t, i%2 == 0, d.Bool())
		require.Equal(t, float64(i)/3, d.Float()) //nolint:testifylint // the same bits
		require.Equal(t, fmt.Sprint(i), d.Text())
	}
	require.Equal(t, words, d.Words())
	require.NoError(t, d.Done())
	for n := range e.buf {
		d := NewDecoder(e.buf[:n])
		for range words {
			d.Uint()
			d.Int()
			d.Fixed()
			d.Bool()
			d.Float()
			_ = d.Text()
		}
		d.Words()
		require.ErrorIs(t, d.Done(), ErrCorrupt)
	}
}

// A reader of arbitrary bytes as a manifest returns an error or a manifest that it can write again.
func FuzzManifest(f *testing.F) {
	m := manifest{seed: 7, clean: true, sections: map[string]section{"text": {slot: 1, chunks: [2]int{1, 2}, crc: 5}}}
	f.Add(m.encode())
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		if got, err := decodeManifest(b); err == nil {
			again, err := decodeManifest(got.encode())
			require.NoError(t, err)
			require.Equal(t, got, again)
		}
	})
}

// unsure is a storage that returns an error for manifests that it has stored.
type unsure struct {
	*memory
	manifests, deletes int // number of such manifests, and of failing deletes
}

func (u *unsure) Set(ctx context.Context, key string, value []byte) error {
	err := u.memory.Set(ctx, key, value)
	if key == manifestKey && u.manifests > 0 {
		u.manifests--
		return errFull
	}
	return err
}

func (u *unsure) Delete(ctx context.Context, key string) error {
	if u.deletes > 0 {
		u.deletes--
		return errFull
	}
	return u.memory.Delete(ctx, key)
}

// The storage contains a manifest although setting it returned an error. No later write changes the slots that this manifest
// names, even if the write fails halfway.
func TestManifestThatMayBeThere(t *testing.T) {
	ctx := context.Background()
	for left := range 6 {
		u := &unsure{memory: &memory{values: map[string][]byte{}, left: -1}}
		s, err := Open(ctx, u, 7)
		require.ErrorIs(t, err, ErrMissing)
		require.NoError(t, s.Write(ctx, false, text("a"), other(1)))
		u.manifests = 1
		require.ErrorIs(t, s.Write(ctx, false, text("b"), other(2)), errFull)
		u.left = left
		err = s.Write(ctx, false, text("c"), other(3))
		u.left = -1
		s, openErr := Open(ctx, u, 7)
		require.NoError(t, openErr)
		d, readErr := s.Read(ctx, "text")
		require.NoError(t, readErr)
		want := "c"
		if err != nil {
			want = "b"
		}
		require.Equal(t, want, d.Text())
	}
}

// If a chunk cannot be deleted, the write fails and changes nothing that a reader sees. The next write deletes the chunk.
func TestDeletesThatFail(t *testing.T) {
	ctx := context.Background()
	u := &unsure{memory: &memory{values: map[string][]byte{}, left: -1}}
	s, err := Open(ctx, u, 7)
	require.ErrorIs(t, err, ErrMissing)
	for _, n := range []int{3, 3} {
		require.NoError(t, s.Write(ctx, false, text(string(make([]byte, n*chunkBytes-100)))))
	}
	u.deletes = 1
	require.ErrorIs(t, s.Write(ctx, false, text("short")), errFull)
	again, err := Open(ctx, u, 7)
	require.NoError(t, err)
	d, err := again.Read(ctx, "text")
	require.NoError(t, err)
	require.Len(t, d.Text(), 3*chunkBytes-100)
	for range 2 {
		require.NoError(t, s.Write(ctx, false, text("short")))
	}
	require.Len(t, u.values, 3)
}
