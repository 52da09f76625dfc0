package logtool

import (
	"bytes"
	"errors"
	"slices"
	"time"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/record"
)

// Filter chooses the records that match every field that is set.
type Filter struct {
	Codes   []string  `json:"codes,omitempty"`   // one of them
	Reasons []string  `json:"reasons,omitempty"` // one of them
	Since   time.Time `json:"since,omitzero"`    // written at that time or later
	Until   time.Time `json:"until,omitzero"`    // written before that time
	// Contains is a text in the record as Cat writes it, including the backend's message.
	Contains string `json:"contains,omitempty"`
}

// Empty reports whether the filter chooses all records.
func (f Filter) Empty() bool {
	return len(f.Codes) == 0 && len(f.Reasons) == 0 && f.Since.IsZero() && f.Until.IsZero() && f.Contains == ""
}

// matches reports whether the filter chooses a record. meta is the record's.
func (f Filter) matches(l Log, rec []byte, meta record.Meta) (bool, error) {
	if len(f.Codes) > 0 && !slices.Contains(f.Codes, meta.Code) ||
		len(f.Reasons) > 0 && !slices.Contains(f.Reasons, meta.Reason) ||
		meta.Time.Before(f.Since) || !f.Until.IsZero() && !meta.Time.Before(f.Until) {
		return false, nil
	}
	if f.Contains == "" {
		return true, nil
	}
	line, err := l.asLine(rec, meta)
	if err != nil {
		return false, err
	}
	return bytes.Contains(line, []byte(f.Contains)), nil
}

// chooses is matches for records that may be damaged or encrypted with another key. An empty filter also chooses these, since
// they are moved unchanged.
func (f Filter) chooses(l Log, rec []byte) (chosen bool, meta record.Meta, err error) {
	meta, err = l.reader.Parse(rec)
	switch {
	case errors.Is(err, record.ErrKey), errors.Is(err, record.ErrDamaged):
		return f.Empty(), meta, err
	case err != nil:
		return false, meta, err
	}
	chosen, err = f.matches(l, rec, meta)
	return chosen, meta, err
}
