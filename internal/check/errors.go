package check

import (
	"errors"
	"fmt"
	"strconv"
)

// delimiter is confmap.KeyDelimiter.
const delimiter = "::"

// Error is one field that is not as it must be.
type Error struct {
	Path  string // of the field, from the component's configuration on
	Must  string // completes "must be"
	Got   any
	Cause error // more about it, or nil
}

// Error implements error.
func (e *Error) Error() string {
	format := "%s: must be %s (got %v)"
	if _, ok := e.Got.(string); ok {
		format = "%s: must be %s (got %q)"
	}
	text := fmt.Sprintf(format, e.Path, e.Must, e.Got)
	if e.Cause != nil {
		text += ": " + e.Cause.Error()
	}
	return text
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// Errors collects errors. The zero value is empty and ready. Not safe for
// concurrent use.
type Errors struct {
	prefix string
	errs   []error
	whole  *Errors // the collection that this is a part of; nil for the whole
}

// At returns the part of the collection for what is below path: errors added to it
// are added to e, under that path.
func (e *Errors) At(path string) *Errors {
	return &Errors{prefix: e.prefix + path + delimiter, whole: e.all()}
}

// Item is the path of an element of a list.
func Item(list string, index int) string {
	return list + delimiter + strconv.Itoa(index)
}

// That adds an error unless ok. Must completes "must be"; got is what it is, and
// quoted if it is a string.
func (e *Errors) That(ok bool, field, must string, got any) {
	if !ok {
		e.add(&Error{Path: e.prefix + field, Must: must, Got: got})
	}
}

// Wrap adds an error about a field that says itself what must be, unless it is nil.
func (e *Errors) Wrap(field string, err error) {
	if err != nil {
		e.add(fmt.Errorf("%s%s: %w", e.prefix, field, err))
	}
}

// Err returns everything added to the collection of which e is the whole or a part,
// joined, or nil.
func (e *Errors) Err() error { return errors.Join(e.all().errs...) }

func (e *Errors) add(err error) {
	all := e.all()
	all.errs = append(all.errs, err)
}

func (e *Errors) all() *Errors {
	if e.whole != nil {
		return e.whole
	}
	return e
}
