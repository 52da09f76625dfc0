package seekable

import (
	"encoding/binary"
	"hash/crc32"

	"github.com/cespare/xxhash/v2"
)

// Frame is a part of the file, and of what was compressed.
type Frame struct {
	Start, Size int64 // uncompressed
	At, Packed  int64 // in the file
	sum         uint32
	lost        bool // what is there is no frame
}

// locator stands before a frame. Integers are little-endian:
//
//	 0  magic of a skippable frame   50 2a 4d 18 (RFC 8878, section 3.1.2: the last digit is free)
//	 4  28
//	 8  mark                         "fbl1"
//	12  start of the frame, uncompressed
//	20  size of it, uncompressed; 0: what follows is the seek table, and start is the size of all
//	24  length of the frame
//	28  low half of the XXH64 of what was compressed, as in the seek table; of the table itself in the last
//	32  CRC32C of the bytes before
//
// A line of JSON has no byte 18, so nothing that a sender writes looks like one.
const (
	locatorMagic = 0x184D2A50
	locatorLen   = 36
	locatorMark  = "fbl1"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// sum is the checksum of the seekable format.
func sum(b []byte) uint32 { return uint32(xxhash.Sum64(b)) } //nolint:gosec // the low half is what is wanted

func appendLocator(dst []byte, f Frame) []byte {
	from := len(dst)
	dst = binary.LittleEndian.AppendUint32(dst, locatorMagic)
	dst = binary.LittleEndian.AppendUint32(dst, locatorLen-8)
	dst = append(dst, locatorMark...)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(f.Start))  //nolint:gosec // not negative
	dst = binary.LittleEndian.AppendUint32(dst, uint32(f.Size))   //nolint:gosec // at most MaxFrame
	dst = binary.LittleEndian.AppendUint32(dst, uint32(f.Packed)) //nolint:gosec // as above
	dst = binary.LittleEndian.AppendUint32(dst, f.sum)
	return binary.LittleEndian.AppendUint32(dst, crc32.Checksum(dst[from:], castagnoli))
}

// readLocator returns what the locator at the front of b says of the frame behind it.
func readLocator(b []byte) (f Frame, ok bool) {
	if len(b) < locatorLen || binary.LittleEndian.Uint32(b) != locatorMagic || string(b[8:12]) != locatorMark ||
		crc32.Checksum(b[:locatorLen-4], castagnoli) != binary.LittleEndian.Uint32(b[locatorLen-4:]) {
		return Frame{}, false
	}
	f = Frame{
		Start:  int64(binary.LittleEndian.Uint64(b[12:])), //nolint:gosec // refused below where it does not fit
		Size:   int64(binary.LittleEndian.Uint32(b[20:])),
		Packed: int64(binary.LittleEndian.Uint32(b[24:])),
		sum:    binary.LittleEndian.Uint32(b[28:]),
	}
	return f, f.Start >= 0 && f.Start < maxSize && f.Size <= MaxFrame && f.Packed > 0
}
