package snapshot

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"maps"
)

// ErrVersion means that the store contains another version of the format.
var ErrVersion = errors.New("snapshot has another version")

// version is that of the format, both of the manifest and of all sections.
const version = 6

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// manifest names the slot in use of each section.
//
//	+---------+---------+--------------------------+
//	| version |  CRC-32C of the rest  |    rest    |
//	+---------+---------+--------------------------+
//	 4 bytes    4 bytes
type manifest struct {
	seed     uint64
	clean    bool // the process ended with this state
	sections map[string]section
}

// section is the place of a section in the store.
type section struct {
	slot   int    // in use
	chunks [2]int // stored chunks by slot; those of the slot not in use are to be overwritten or deleted
	crc    uint32 // of all chunks of the slot in use together
}

func (m *manifest) equal(o *manifest) bool {
	return m.seed == o.seed && m.clean == o.clean && maps.Equal(m.sections, o.sections)
}

// headBytes is the size of version and CRC.
const headBytes = 8

func (m *manifest) encode() []byte {
	var e Encoder
	e.Fixed(m.seed)
	e.Bool(m.clean)
	e.Uint(uint64(len(m.sections)))
	for name, s := range m.sections {
		e.Text(name)
		e.Uint(uint64(s.slot))
		e.Uint(uint64(s.chunks[0]))
		e.Uint(uint64(s.chunks[1]))
		e.Uint(uint64(s.crc))
	}
	head := binary.LittleEndian.AppendUint32(nil, version)
	head = binary.LittleEndian.AppendUint32(head, crc32.Checksum(e.buf, castagnoli))
	return append(head, e.buf...)
}

func decodeManifest(b []byte) (manifest, error) {
	if len(b) < headBytes {
		return manifest{}, ErrCorrupt
	}
	if binary.LittleEndian.Uint32(b) != version {
		return manifest{}, ErrVersion
	}
	if binary.LittleEndian.Uint32(b[4:]) != crc32.Checksum(b[headBytes:], castagnoli) {
		return manifest{}, ErrCorrupt
	}
	d := NewDecoder(b[headBytes:])
	m := manifest{seed: d.Fixed(), clean: d.Bool(), sections: make(map[string]section)}
	for range d.Len(5) {
		name := d.Text()
		s := section{slot: int(d.Uint())}
		s.chunks = [2]int{int(d.Uint()), int(d.Uint())}
		s.crc = uint32(d.Uint())
		if s.slot != 0 && s.slot != 1 {
			d.Fail()
		}
		m.sections[name] = s
	}
	return m, d.Done()
}
