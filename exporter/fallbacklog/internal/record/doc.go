// Package record contains the formats of the log's records. A line is one OTLP JSON request with a last member that contains
// the reason and the time of writing and a checksum:
//
//	{"resourceMetrics":[...],"fallbacklog":{"time":"...","signal":"metrics","reason":"...","attempts":5,"items":10,"crc32c":"0123abcd"}}
//
// OTLP readers ignore the unknown member, so pdata's JSON unmarshalers and jq read a line unchanged. The checksum (CRC32C, eight
// hexadecimal digits) covers every byte before `"crc32c"`, including the rest of the trailer; the bytes after it are fixed. The
// checksum detects every flipped bit. JSON alone does not: most flips decode to other data without an error.
//
// A frame contains an OTLP protobuf request: a header with the lengths and the checksums, the Meta of the record, and the
// request, which may be compressed and encrypted. See Frames.
package record
