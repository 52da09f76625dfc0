package seekable

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
)

// Index says where the frames of a file are. They are in order, without gaps in what was compressed.
type Index struct {
	Frames []Frame
	// Size of what was compressed.
	Size int64
	// Rebuilt: the table is damaged, and this is what the locators say. What follows the last of them that can be read
	// has its own length for its size.
	Rebuilt bool
}

// tailLen is read at first: the table of 300 frames, and so of most files.
const tailLen = 8 << 10

// ReadIndex reads the index of a file of this length, at the cost of one or two reads, but where the table is damaged:
// then of one a frame. Errors are those of reading.
func ReadIndex(file io.ReaderAt, length int64) (Index, error) {
	tail, err := readAt(file, max(0, length-tailLen), min(length, tailLen))
	if err != nil {
		return Index{}, err
	}
	if n, ok := tableAt(tail[max(0, len(tail)-footerLen):], length); ok {
		if n > int64(len(tail)) {
			if tail, err = readAt(file, length-n, n); err != nil {
				return Index{}, err
			}
		}
		if frames, size, ok := readTable(tail[int64(len(tail))-n:], length); ok {
			return Index{Frames: frames, Size: size}, nil
		}
	}
	return rebuild(file, length)
}

// rebuild walks from locator to locator, and looks for the next one where there is none.
func rebuild(file io.ReaderAt, length int64) (Index, error) {
	x := Index{Rebuilt: true}
	at, ended := int64(0), false
	for lost := at; ; {
		b, err := readAt(file, at, min(locatorLen, length-at))
		if err != nil {
			return Index{}, err
		}
		f, ok := readLocator(b)
		ok = ok && f.Start >= x.Size && at+locatorLen+min(f.Packed, 1) <= length
		if !ok {
			next, err := nextLocator(file, at+1, length)
			if err != nil {
				return Index{}, err
			}
			if next >= length {
				at = lost
				break
			}
			at = next
			continue
		}
		if f.Start > x.Size {
			x.add(Frame{Start: x.Size, Size: f.Start - x.Size, At: lost, Packed: at - lost, lost: true})
		}
		at += locatorLen
		if ended = f.Size == 0; ended {
			break
		}
		f.At, f.Packed = at, min(f.Packed, length-at)
		x.add(f)
		at += f.Packed
		lost = at
	}
	if ended || at == length {
		return x, nil
	}
	// Maybe it is but the last locator that is damaged, and what follows the frames is the table.
	footer, err := readAt(file, max(at, length-footerLen), min(footerLen, length-at))
	if err != nil {
		return Index{}, err
	}
	rest := length - at
	if n, ok := tableAt(footer, length); !ok || n != rest {
		x.add(Frame{Start: x.Size, Size: rest, At: at, Packed: rest, lost: true})
	}
	return x, nil
}

func (x *Index) add(f Frame) {
	x.Frames = append(x.Frames, f)
	x.Size = f.Start + f.Size
}

// nextLocator returns where the first locator from at on is, length where there is none.
func nextLocator(file io.ReaderAt, at, length int64) (int64, error) {
	front := binary.LittleEndian.AppendUint32(nil, locatorMagic)
	for at+locatorLen <= length {
		b, err := readAt(file, at, min(MaxFrame, length-at))
		if err != nil {
			return 0, err
		}
		for from := 0; ; from++ {
			i := bytes.Index(b[from:], front)
			if i < 0 || from+i+locatorLen > len(b) {
				break
			}
			from += i
			if _, ok := readLocator(b[from:]); ok {
				return at + int64(from), nil
			}
		}
		at += max(1, int64(len(b))-locatorLen+1)
	}
	return length, nil
}

// readAt reads n bytes.
func readAt(file io.ReaderAt, at, n int64) ([]byte, error) {
	b := make([]byte, n)
	got, err := file.ReadAt(b, at)
	if got == len(b) {
		return b, nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return nil, err
}
