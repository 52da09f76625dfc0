// Package record holds the formats of the log's records. Lines are one OTLP JSON request each, with a last member that
// carries when and why the line was written and a checksum:
//
//	{"resourceMetrics":[...],"fallbacklog":{"time":"...","signal":"metrics","reason":"...","attempts":5,"items":10,"crc32c":"0123abcd"}}
//
// OTLP readers ignore the unknown member, so a line is read by pdata's JSON unmarshalers and by jq as it is. The
// checksum (CRC32C, eight hexadecimal digits) covers every byte that stands before `"crc32c"`, the rest of the trailer
// included; what follows it is fixed. So no flipped bit goes unnoticed, which JSON alone does not give: most flips
// decode to something else without an error.
//
// Frames hold OTLP protobuf requests: a header with the lengths and the checksums, what the record says of itself, and the
// request, compressed and encrypted where that is asked for. See Frames.
package record
