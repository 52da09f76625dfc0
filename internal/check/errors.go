package check

import (
	"errors"
	"fmt"
	"strconv"
)

// delimiter is confmap.KeyDelimiter.
const delimiter = "::"

// Error describes one field with an invalid value.
type Error struct {
	Path  string // of the field, below the component's configuration
	Must  string // completes "must be"
	Got   any    // the invalid value
	Cause error  // details, or nil
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
	errs   []error // of the root only
	root   *Errors // the collection that receives the errors; nil in the root itself
}

// At returns a collection for the fields below path. Errors that are added to it appear in e, with path in front.
func (e *Errors) At(path string) *Errors {
	return &Errors{prefix: e.prefix + path + delimiter, root: e.rootOrSelf()}
}

// Item returns the path of an element of a list.
func Item(list string, index int) string {
	return list + delimiter + strconv.Itoa(index)
}

// That adds an error unless ok. Must completes the sentence "field must be"; got is the value, printed in quotes if it
// is a string.
func (e *Errors) That(ok bool, field, must string, got any) {
	if !ok {
		e.add(&Error{Path: e.prefix + field, Must: must, Got: got})
	}
}

// Wrap adds err under the path of a field, unless it is nil. The text of err must say what is wrong.
func (e *Errors) Wrap(field string, err error) {
	if err != nil {
		e.add(fmt.Errorf("%s%s: %w", e.prefix, field, err))
	}
}

// Err returns all errors of the collection joined, or nil if it has none. A collection made by At returns the errors of
// the whole.
func (e *Errors) Err() error { return errors.Join(e.rootOrSelf().errs...) }

func (e *Errors) add(err error) {
	root := e.rootOrSelf()
	root.errs = append(root.errs, err)
}

func (e *Errors) rootOrSelf() *Errors {
	if e.root != nil {
		return e.root
	}
	return e
}
