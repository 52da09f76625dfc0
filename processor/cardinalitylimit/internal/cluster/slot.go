package cluster

import "strings"

// slotCount is the number of slots of a cluster.
const slotCount = 1 << 14

// slotOf returns the slot of a key: CRC-16/XMODEM of its hash tag, which is the part between the first pair of braces, or of
// the whole key if it has none.
func slotOf(key string) int {
	if _, rest, ok := strings.Cut(key, "{"); ok {
		if tag, _, ok := strings.Cut(rest, "}"); ok && tag != "" {
			key = tag
		}
	}
	const polynomial = 0x1021
	crc := uint16(0)
	for _, b := range []byte(key) {
		crc ^= uint16(b) << 8
		for range 8 {
			carry := crc >> 15
			crc = crc<<1 ^ carry*polynomial
		}
	}
	return int(crc) % slotCount
}
