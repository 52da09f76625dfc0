package record

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

const (
	keySize   = 32 // AES-256
	nonceSize = 12
	tagSize   = 16
)

var (
	// errKeyForm means that a text is no key. It never contains the text.
	errKeyForm = errors.New("must be 32 bytes in base64 or hex")
	// ErrKey means that a record is whole but encrypted with another key. See keyError.
	ErrKey = errors.New("encrypted with another key")
)

// keyID identifies a key without revealing it: it is the beginning of a hash.
type keyID [8]byte

// String returns the id in hexadecimal.
func (k keyID) String() string { return hex.EncodeToString(k[:]) }

// keyError is an ErrKey with the ids of the keys.
type keyError struct {
	Need keyID
	Have *Key // nil: there is no key
}

// Error implements error.
func (e *keyError) Error() string {
	have := "there is none"
	if e.Have != nil {
		have = "the key there is has the id " + e.Have.id.String()
	}
	return fmt.Sprintf("the record needs the key with the id %s: %s", e.Need, have)
}

// Is makes errors.Is match ErrKey.
func (*keyError) Is(target error) bool { return target == ErrKey }

// Key encrypts records with AES-256-GCM. Each record has a random nonce of 96 bits, so one key may encrypt 2^32 records (NIST
// SP 800-38D, section 8.3). It is safe for concurrent use.
type Key struct {
	id   keyID
	aead cipher.AEAD
}

// NewKey parses a key: 32 bytes in base64, with the standard or the URL alphabet, padded or not, or 64 hexadecimal digits.
func NewKey(text string) (*Key, error) {
	text = strings.TrimSpace(text)
	secret, err := hex.DecodeString(text)
	if err != nil || len(secret) != keySize {
		unpadded := strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(text, "="))
		secret, err = base64.RawStdEncoding.Strict().DecodeString(unpadded)
	}
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w (got a text of %d characters that is neither)", errKeyForm, len(text))
	case len(secret) != keySize:
		return nil, fmt.Errorf("%w (got %d bytes)", errKeyForm, len(secret))
	}
	block, err := aes.NewCipher(secret)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	k := &Key{aead: aead}
	id := sha256.Sum256(append([]byte("fallbacklog key id\x00"), secret...))
	copy(k.id[:], id[:])
	return k, nil
}

// encrypt appends a nonce and the encrypted parts to dst, which must have the capacity for them. It authenticates header, which
// may be a part of dst.
func (k *Key) encrypt(dst, header []byte, parts ...[]byte) ([]byte, error) {
	at := len(dst)
	dst = dst[:at+nonceSize]
	if _, err := rand.Read(dst[at:]); err != nil {
		return dst[:at], err
	}
	nonce, text := dst[at:], len(dst)
	for _, p := range parts {
		dst = append(dst, p...)
	}
	return k.aead.Seal(dst[:text], nonce, dst[text:], header), nil
}

// decrypt is the inverse of encrypt.
func (k *Key) decrypt(header, ciphertext []byte) ([]byte, error) {
	text, err := k.aead.Open(nil, ciphertext[:nonceSize], ciphertext[nonceSize:], header)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return text, nil
}
