package record

import "bytes"

// Lines is the codec of OTLP JSON lines. The payload of a line is the whole line.
type Lines struct{}

// Extension returns ".jsonl".
func (Lines) Extension() string { return ".jsonl" }

// Encoding returns JSON: each payload is on one line.
func (Lines) Encoding() Encoding { return JSON }

// Next returns the first record of data. A line that does not verify may be two records whose newline was damaged, or a torn
// record and the next one. Next splits both at checksums and at the beginnings of OTLP requests.
func (Lines) Next(data []byte, final bool) (record []byte, n int) {
	end := bytes.IndexByte(data, '\n')
	used := end + 1
	if end < 0 {
		if !final {
			return nil, 0
		}
		end, used = len(data), len(data)
	}
	line := data[:end]
	if verify(line) {
		return line, used
	}
	for at := nextSum(line, 0); at >= 0; at = nextSum(line, at) {
		if verify(line[:at]) {
			// The byte after a checksum is the damaged newline.
			return line[:at], min(at+1, used)
		}
		if start := beginning(line[:at]); start > 0 {
			return nil, start
		}
	}
	if end == len(data) && nextSum(line, 0) < 0 {
		return nil, 0 // without a newline and a checksum the tail is torn
	}
	return nil, used
}

// nextSum returns the end of the first checksum that ends after from, or -1.
func nextSum(line []byte, from int) int {
	for {
		i := bytes.Index(line[from:], []byte(sumName))
		if i < 0 {
			return -1
		}
		end := from + i + sumLen
		if end > len(line) {
			return -1
		}
		if _, ok := parseSum(line[end-sumLen : end]); ok {
			return end
		}
		from += i + len(sumName)
	}
}

// beginnings are the possible beginnings of an OTLP request.
var beginnings = [][]byte{[]byte(`{"resourceMetrics":[`), []byte(`{"resourceSpans":[`), []byte(`{"resourceLogs":[`)}

// beginning returns the offset of a verified record that ends with part, if it is greater than 0, or -1.
func beginning(part []byte) int {
	for _, b := range beginnings {
		for from := 1; from < len(part); {
			i := bytes.Index(part[from:], b)
			if i < 0 {
				break
			}
			if verify(part[from+i:]) {
				return from + i
			}
			from += i + len(b)
		}
	}
	return -1
}
