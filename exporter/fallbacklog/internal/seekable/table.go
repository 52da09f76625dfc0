package seekable

import "encoding/binary"

// The seek table is a skippable frame, too: its entries have lengths and checksums of the frames in their order, the
// locators among them as frames of nothing; its footer, the last bytes of the file, says how many.
const (
	tableMagic  = 0x184D2A5E
	footerMagic = 0x8F92EAB1
	footerLen   = 9
	entryLen    = 12
	withSums    = 0x80 // the entries have checksums
)

// appendTable appends the table for frames, each with its locator before it, and the table's own locator.
func appendTable(dst []byte, frames []Frame, end int64) []byte {
	n := 2*len(frames) + 1
	table := make([]byte, 0, tableLen(n))
	table = binary.LittleEndian.AppendUint32(table, tableMagic)
	table = binary.LittleEndian.AppendUint32(table, uint32(tableLen(n)-8)) //nolint:gosec // 4 GiB of table are a petabyte of records
	entry := func(packed, size int64, sum uint32) {
		table = binary.LittleEndian.AppendUint32(table, uint32(packed)) //nolint:gosec // as appendLocator
		table = binary.LittleEndian.AppendUint32(table, uint32(size))   //nolint:gosec // as appendLocator
		table = binary.LittleEndian.AppendUint32(table, sum)
	}
	for _, f := range frames {
		entry(locatorLen, 0, sum(nil))
		entry(f.Packed, f.Size, f.sum)
	}
	entry(locatorLen, 0, sum(nil))
	table = binary.LittleEndian.AppendUint32(table, uint32(n)) //nolint:gosec // as above
	table = append(table, withSums)
	table = binary.LittleEndian.AppendUint32(table, footerMagic)
	dst = appendLocator(dst, Frame{Start: end, Packed: int64(len(table)), sum: sum(table)})
	return append(dst, table...)
}

// tableLen is the length of a table of n entries.
func tableLen(n int) int64 { return 8 + int64(n)*entryLen + footerLen }

// tableAt returns the length of the locator and the table that end a file, by its footer; ok is false where it has none.
func tableAt(footer []byte, length int64) (n int64, ok bool) {
	if len(footer) != footerLen || footer[4] != withSums || binary.LittleEndian.Uint32(footer[5:]) != footerMagic {
		return 0, false
	}
	n = locatorLen + 8 + int64(binary.LittleEndian.Uint32(footer))*entryLen + footerLen
	return n, n <= length
}

// readTable reads locator and table at the end of a file of this length. It is all right only with its checksum, and
// where it accounts for every byte of the file.
func readTable(b []byte, length int64) (frames []Frame, size int64, ok bool) {
	last, ok := readLocator(b)
	table := b[locatorLen:]
	if !ok || last.Size != 0 || last.Packed != int64(len(table)) || last.sum != sum(table) ||
		binary.LittleEndian.Uint32(table) != tableMagic || int64(binary.LittleEndian.Uint32(table[4:])) != int64(len(table)-8) {
		return nil, 0, false
	}
	entries := table[8 : len(table)-footerLen]
	frames = make([]Frame, 0, len(entries)/entryLen/2)
	at, start := int64(0), int64(0)
	for k := 0; len(entries) > 0; k++ {
		f := Frame{
			At: at, Packed: int64(binary.LittleEndian.Uint32(entries)),
			Start: start, Size: int64(binary.LittleEndian.Uint32(entries[4:])), sum: binary.LittleEndian.Uint32(entries[8:]),
		}
		entries = entries[entryLen:]
		at += f.Packed
		if k%2 == 0 { // a locator
			if f.Packed != locatorLen || f.Size != 0 {
				return nil, 0, false
			}
			continue
		}
		if f.Size == 0 || f.Size > MaxFrame || f.Packed > maxPacked {
			return nil, 0, false
		}
		start += f.Size
		frames = append(frames, f)
	}
	return frames, start, start == last.Start && at == length-int64(len(table))
}
