package streamid

import "math/bits"

// key is secret to senders.
type key [2]uint64

// sip is SipHash-1-3 of s: one round a word of eight bytes, three at the end.
//
// The texts that are hashed are chosen by senders. Of a hash without a key, or with
// one that only goes into the beginning or the end as in xxhash, they can construct
// collisions offline, which then hold for every seed. SipHash is made for this;
// hash/maphash is too, and faster (6 instead of 10 ns for a short text), but its seed
// cannot leave the process.
//
// Specification: https://www.aumasson.jp/siphash/siphash.pdf
func (k *key) sip(s string) uint64 {
	v0, v1 := k[0]^0x736f6d6570736575, k[1]^0x646f72616e646f6d
	v2, v3 := k[0]^0x6c7967656e657261, k[1]^0x7465646279746573
	n := len(s)
	for len(s) >= 8 {
		m := word(s)
		v3 ^= m
		v0, v1, v2, v3 = round(v0, v1, v2, v3)
		v0 ^= m
		s = s[8:]
	}
	m := uint64(n) << 56 // the length modulo 256, then what is left of s
	for i := range len(s) {
		m |= uint64(s[i]) << (8 * i)
	}
	v3 ^= m
	v0, v1, v2, v3 = round(v0, v1, v2, v3)
	v0 ^= m
	v2 ^= 0xff
	v0, v1, v2, v3 = round(v0, v1, v2, v3)
	v0, v1, v2, v3 = round(v0, v1, v2, v3)
	v0, v1, v2, v3 = round(v0, v1, v2, v3)
	return v0 ^ v1 ^ v2 ^ v3
}

// round is one SipRound.
func round(v0, v1, v2, v3 uint64) (a, b, c, d uint64) {
	v0 += v1
	v2 += v3
	v1 = bits.RotateLeft64(v1, 13) ^ v0
	v3 = bits.RotateLeft64(v3, 16) ^ v2
	v0 = bits.RotateLeft64(v0, 32) + v3
	v2 += v1
	return v0, bits.RotateLeft64(v1, 17) ^ v2, bits.RotateLeft64(v2, 32), bits.RotateLeft64(v3, 21) ^ v0
}

// word reads eight bytes, which is one instruction.
func word(s string) uint64 {
	_ = s[7]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}
