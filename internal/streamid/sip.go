package streamid

import "math/bits"

// key is the key of SipHash. Senders must not know it.
type key [2]uint64

// sip returns SipHash-1-3 of s: one round per word of eight bytes, and three at the end.
//
// Senders choose the texts. If a hash had no key, or used it only at the beginning or the end like xxhash, they could
// construct collisions offline that are collisions under every seed. SipHash is designed to prevent this. So is
// hash/maphash, which is faster (6 instead of 10 ns for a short text), but its seed cannot be stored for the next
// process.
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
	m := uint64(n)<<56 | tail(s) // the length modulo 256, and the remaining bytes of s
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

// word reads eight bytes. The compiler turns it into one instruction.
func word(s string) uint64 {
	_ = s[7]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

// tail reads fewer than eight bytes without a loop.
func tail(s string) uint64 {
	switch n := len(s); {
	case n >= 4: // two halves, which may overlap
		return half(s) | half(s[n-4:])<<(8*(n-4)&63)
	case n > 0: // the first, the middle and the last byte; two of them may be the same
		return uint64(s[0]) | uint64(s[n/2])<<(8*(n/2)&63) | uint64(s[n-1])<<(8*(n-1)&63)
	default:
		return 0
	}
}

// half reads four bytes. The compiler turns it into one instruction.
func half(s string) uint64 {
	_ = s[3]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24
}
