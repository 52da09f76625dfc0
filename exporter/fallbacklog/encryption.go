package fallbacklog

import (
	"errors"
	"fmt"

	"go.opentelemetry.io/collector/config/configopaque"
	"go.opentelemetry.io/collector/confmap"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/record"
	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/segment"
	"github.com/otelcol-custom/otelcol-custom/internal/check"
)

// EncryptionConfig encrypts what is written.
type EncryptionConfig struct {
	// Key of AES-256-GCM: 32 bytes in base64 or hex. Absent: nothing is encrypted.
	Key configopaque.String `mapstructure:"key"`
}

const keyField = "encryption::key"

// key is nil where there is none.
func (c *EncryptionConfig) key() (*record.Key, error) {
	if c.Key == "" {
		return nil, nil //nolint:nilnil // no key is no mistake
	}
	return record.NewKey(string(c.Key))
}

// refuseEmptyKey refuses a key that is there and empty: an environment variable that is not set would turn encryption off
// unseen.
func refuseEmptyKey(e *check.Errors, conf *confmap.Conf) {
	if !conf.IsSet(keyField) {
		return
	}
	key := conf.Get(keyField)
	e.That(key != nil && key != "", keyField, "a key, or absent: an environment variable for it has to be set", "")
}

func (c *Config) validateEncryption(e *check.Errors) {
	if c.Encryption.Key == "" {
		return
	}
	if _, err := c.Encryption.key(); err != nil {
		e.Wrap(keyField, err)
	}
	e.That(c.Log.Format == FormatProto, "log::format",
		"otlp_proto with "+keyField+", since encrypted lines could be read by nobody", string(c.Log.Format))
}

// formats returns how records are written, and how all are read.
func (c *Config) formats() (record.Codec, record.Reader, error) {
	key, err := c.Encryption.key()
	if err != nil {
		return nil, record.Reader{}, fmt.Errorf("%s: %w", keyField, err)
	}
	codec := record.Codec(record.Lines{})
	if c.Log.Format == FormatProto {
		codec = record.Frames{Zstd: c.Log.Compression == CompressionZstd, Key: key}
	}
	return codec, record.Reader{Key: key}, nil
}

// errOtherKey says that what is in the log could not be sent.
var errOtherKey = errors.New("must be the key of the records that the log holds")

// checkKey looks at the oldest and the newest segment that replay would read: what it could not read is said at start.
func checkKey(l *segment.Log, reader record.Reader, dir string) error {
	return l.Peek(func(rec []byte) error {
		if _, err := reader.Parse(rec); errors.Is(err, record.ErrKey) {
			return fmt.Errorf("%s: %w (got another for %s: %w)", keyField, errOtherKey, dir, err)
		}
		return nil // damage is for the reader
	})
}
