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

// EncryptionConfig configures the encryption of new records.
type EncryptionConfig struct {
	// Key is the key of AES-256-GCM: 32 bytes in base64 or hex. If it is absent nothing is encrypted.
	Key configopaque.String `mapstructure:"key"`
}

const keyField = "encryption::key"

// key returns nil if no key is configured.
func (c *EncryptionConfig) key() (*record.Key, error) {
	if c.Key == "" {
		return nil, nil //nolint:nilnil // no key is no mistake
	}
	return record.NewKey(string(c.Key))
}

// refuseEmptyKey refuses a key that is set but empty: an environment variable that is missing would turn encryption off without
// notice.
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

// formats returns the codec of new records and the reader of all records.
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

// errOtherKey means that the records of the log could not be sent.
var errOtherKey = errors.New("must be the key of the records in the log")

// checkKey checks the key with the first unread record of the oldest and of the newest segment, so that a wrong key is reported
// at start.
func checkKey(l *segment.Log, reader record.Reader, dir string) error {
	return l.Peek(func(rec []byte) error {
		if _, err := reader.Parse(rec); errors.Is(err, record.ErrKey) {
			return fmt.Errorf("%s: %w (got another for %s: %w)", keyField, errOtherKey, dir, err)
		}
		return nil // the reader reports damage
	})
}
