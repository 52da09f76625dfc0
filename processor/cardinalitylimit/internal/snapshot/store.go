package snapshot

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"maps"
)

// ErrMissing means that the store contains no snapshot, as at the first start.
var ErrMissing = errors.New("no snapshot")

// Storage is a key-value store, such as the client of a storage extension. Get returns nil for a missing key.
type Storage interface {
	Get(ctx context.Context, key string) ([]byte, error)
	Set(ctx context.Context, key string, value []byte) error
	Delete(ctx context.Context, key string) error
}

// Store reads and writes the sections of one processor. It is not safe for concurrent use.
type Store struct {
	storage  Storage
	manifest manifest
	// uncertain is a manifest that the storage failed to set. The storage may contain it nevertheless, so the next Write
	// reads the manifest before it overwrites a slot that uncertain may name. It is nil if the last Set succeeded.
	uncertain *manifest
}

// Section is a part of the state, with the function that writes it.
type Section struct {
	Name   string
	Encode func(e *Encoder)
}

const manifestKey = "manifest"

// Open reads the manifest. If that fails, the error names the reason, and the returned Store is empty, has the given seed
// and can be written.
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

// Seed returns the stored seed, or the one given to Open if none was stored.
func (s *Store) Seed() uint64 { return s.manifest.seed }

// Restart empties the store and gives it another seed. If it returns an error, chunks may remain in the storage, but no
// Read returns them.
func (s *Store) Restart(ctx context.Context, seed uint64) error {
	err := s.DeleteExcept(ctx, func(string) bool { return false })
	s.manifest = manifest{seed: seed, sections: make(map[string]section)}
	return err
}

// Clean reports whether the last Write of the stored state was clean: the process wrote it when it ended.
func (s *Store) Clean() bool { return s.manifest.clean }

// Read returns a stored section.
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

// Write stores all given sections, or none of them if it returns an error. The other sections remain unchanged. A storage
// that does not answer may have stored all of them nevertheless. Clean means that the process ends with this state. Ctx is
// passed on to the storage.
func (s *Store) Write(ctx context.Context, clean bool, sections ...Section) error {
	if err := s.resolve(ctx); err != nil {
		return err
	}
	next := manifest{seed: s.manifest.seed, clean: clean, sections: maps.Clone(s.manifest.sections)}
	for _, from := range sections {
		at := next.sections[from.Name]
		at.slot = 1 - at.slot
		before := at.chunks[at.slot]
		var err error
		at.chunks[at.slot], at.crc, err = s.fillSlot(ctx, from, at.slot)
		if err == nil { // the slot is not in use, so its superfluous chunks are deleted before the manifest is set
			err = s.delete(ctx, from.Name, at.slot, at.chunks[at.slot], before)
		}
		if err != nil {
			s.noteChunks(from.Name, at.slot, max(before, at.chunks[at.slot]))
			return fmt.Errorf("section %s: %w", from.Name, err)
		}
		next.sections[from.Name] = at
	}
	if err := s.storage.Set(ctx, manifestKey, next.encode()); err != nil {
		s.uncertain = &next
		return err
	}
	s.manifest = next
	return nil
}

// resolve reads which manifest the storage contains after it failed to set one.
func (s *Store) resolve(ctx context.Context) error {
	if s.uncertain == nil {
		return nil
	}
	b, err := s.storage.Get(ctx, manifestKey)
	if err != nil {
		return err
	}
	if m, err := decodeManifest(b); err == nil && m.equal(s.uncertain) {
		s.manifest = *s.uncertain
	} else {
		for name, at := range s.uncertain.sections {
			s.noteChunks(name, at.slot, at.chunks[at.slot])
		}
	}
	s.uncertain = nil
	return nil
}

// noteChunks remembers that a slot that is not in use has chunks to be deleted.
func (s *Store) noteChunks(name string, slot, chunks int) {
	if at, known := s.manifest.sections[name]; known {
		at.chunks[slot] = max(at.chunks[slot], chunks)
		s.manifest.sections[name] = at
	}
}

// fillSlot writes the chunks of a section.
func (s *Store) fillSlot(ctx context.Context, from Section, slot int) (chunks int, crc uint32, err error) {
	e := &Encoder{write: func(chunk []byte) error {
		crc = crc32.Update(crc, castagnoli, chunk)
		chunks++
		// Some storages keep the slice.
		return s.storage.Set(ctx, key(from.Name, slot, chunks-1), append([]byte(nil), chunk...))
	}}
	from.Encode(e)
	err = e.close()
	return chunks, crc, err
}

// DeleteExcept deletes the sections for which keep returns false. The manifest names them until the next Write.
func (s *Store) DeleteExcept(ctx context.Context, keep func(name string) bool) error {
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
