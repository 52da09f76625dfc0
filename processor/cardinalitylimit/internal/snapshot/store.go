package snapshot

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"maps"
)

// ErrMissing means that nothing is stored, as at the first start.
var ErrMissing = errors.New("no snapshot")

// Storage is a key-value store; the client of a storage extension is one. Get
// returns nil for a key that is not there.
type Storage interface {
	Get(ctx context.Context, key string) ([]byte, error)
	Set(ctx context.Context, key string, value []byte) error
	Delete(ctx context.Context, key string) error
}

// Store reads and writes the sections of one processor. Not safe for concurrent use.
type Store struct {
	storage  Storage
	manifest manifest
	// Where setting a manifest failed it may be there all the same: which of the two
	// holds must be known before the slot that it names is written.
	tried *manifest
}

// Section is a part of the state and how to write it.
type Section struct {
	Name   string
	Encode func(e *Encoder)
}

const manifestKey = "manifest"

// Open reads what is stored. Where that fails the error says why, and the Store is
// empty, with the seed given, and can be written.
func Open(ctx context.Context, storage Storage, seed uint64) (*Store, error) {
	s := &Store{storage: storage, manifest: manifest{seed: seed, sections: make(map[string]section)}}
	b, err := storage.Get(ctx, manifestKey)
	if err != nil {
		return s, err
	}
	if b == nil {
		return s, ErrMissing
	}
	m, err := decodeManifest(b)
	if err != nil {
		return s, err
	}
	s.manifest = m
	return s, nil
}

// Seed is the one that was stored, or the one given.
func (s *Store) Seed() uint64 { return s.manifest.seed }

// Restart empties the store and gives it another seed. Where it fails some of what was stored may stay behind, and is not
// read.
func (s *Store) Restart(ctx context.Context, seed uint64) error {
	err := s.Keep(ctx, func(string) bool { return false })
	s.manifest = manifest{seed: seed, sections: make(map[string]section)}
	return err
}

// Clean tells whether what is stored was written by a process that wrote nothing
// after it and ended.
func (s *Store) Clean() bool { return s.manifest.clean }

// Read returns a section that is stored.
func (s *Store) Read(ctx context.Context, name string) (*Decoder, error) {
	at, ok := s.manifest.sections[name]
	if !ok {
		return nil, ErrMissing
	}
	var all []byte
	for i := range at.chunks[at.slot] {
		b, err := s.storage.Get(ctx, key(name, at.slot, i))
		if err != nil {
			return nil, err
		}
		if b == nil {
			return nil, ErrCorrupt
		}
		all = append(all, b...)
	}
	if crc32.Checksum(all, castagnoli) != at.crc {
		return nil, ErrCorrupt
	}
	return NewDecoder(all), nil
}

// Write stores sections, all of them or, where it returns an error, none; those not
// given stay as they are. A storage that fails to answer may have stored them all the
// same. Clean says that the process ends with this state. The context is passed on to
// the storage.
func (s *Store) Write(ctx context.Context, clean bool, sections ...Section) error {
	if err := s.settle(ctx); err != nil {
		return err
	}
	next := manifest{seed: s.manifest.seed, clean: clean, sections: maps.Clone(s.manifest.sections)}
	for _, from := range sections {
		at := next.sections[from.Name]
		at.slot = 1 - at.slot
		before := at.chunks[at.slot]
		var err error
		at.chunks[at.slot], at.crc, err = s.fill(ctx, from, at.slot)
		if err == nil { // the slot is not in use: what it had more of can go before the manifest
			err = s.delete(ctx, from.Name, at.slot, at.chunks[at.slot], before)
		}
		if err != nil {
			s.occupied(from.Name, at.slot, max(before, at.chunks[at.slot]))
			return fmt.Errorf("section %s: %w", from.Name, err)
		}
		next.sections[from.Name] = at
	}
	if err := s.storage.Set(ctx, manifestKey, next.encode()); err != nil {
		s.tried = &next
		return err
	}
	s.manifest = next
	return nil
}

// settle finds out which manifest holds after one has failed.
func (s *Store) settle(ctx context.Context) error {
	if s.tried == nil {
		return nil
	}
	b, err := s.storage.Get(ctx, manifestKey)
	if err != nil {
		return err
	}
	if m, err := decodeManifest(b); err == nil && m.equal(s.tried) {
		s.manifest = *s.tried
	} else {
		for name, at := range s.tried.sections {
			s.occupied(name, at.slot, at.chunks[at.slot])
		}
	}
	s.tried = nil
	return nil
}

// occupied remembers that a slot that is not in use has chunks to be deleted.
func (s *Store) occupied(name string, slot, chunks int) {
	if at, known := s.manifest.sections[name]; known {
		at.chunks[slot] = max(at.chunks[slot], chunks)
		s.manifest.sections[name] = at
	}
}

// fill writes the chunks of a section.
func (s *Store) fill(ctx context.Context, from Section, slot int) (chunks int, crc uint32, err error) {
	e := &Encoder{write: func(chunk []byte) error {
		crc = crc32.Update(crc, castagnoli, chunk)
		chunks++
		// Some stores keep the slice.
		return s.storage.Set(ctx, key(from.Name, slot, chunks-1), append([]byte(nil), chunk...))
	}}
	from.Encode(e)
	err = e.close()
	return chunks, crc, err
}

// Keep removes the sections that keep does not want. It takes effect with the next
// Write.
func (s *Store) Keep(ctx context.Context, keep func(name string) bool) error {
	for name, at := range s.manifest.sections {
		if keep(name) {
			continue
		}
		for slot := range at.chunks {
			if err := s.delete(ctx, name, slot, 0, at.chunks[slot]); err != nil {
				return err
			}
		}
		delete(s.manifest.sections, name)
	}
	return nil
}

func (s *Store) delete(ctx context.Context, name string, slot, from, to int) error {
	for i := from; i < to; i++ {
		if err := s.storage.Delete(ctx, key(name, slot, i)); err != nil {
			return err
		}
	}
	return nil
}

func key(name string, slot, chunk int) string { return fmt.Sprintf("%s.%d.%d", name, slot, chunk) }
