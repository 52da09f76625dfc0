package language

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// place is a word in a file.
type place struct{ path, word string }

// Exceptions has the number of times that a file may use a word.
type Exceptions map[place]int

// ParseExceptions reads lines of path, word and count, separated by tabs. If several lines have the same path and word, the
// lowest count applies. Such lines result from git's union merge, which .gitattributes selects for the file.
func ParseExceptions(content string) (Exceptions, error) {
	out := Exceptions{}
	scanner := bufio.NewScanner(strings.NewReader(content))
	for number := 1; scanner.Scan(); number++ {
		fields := strings.Split(scanner.Text(), "\t")
		if len(fields) != 3 {
			return nil, fmt.Errorf("line %d: must be path, word and count, separated by tabs (got %q)", number, scanner.Text())
		}
		count, err := strconv.Atoi(fields[2])
		if err != nil || count < 1 {
			return nil, fmt.Errorf("line %d: count must be a positive number (got %q)", number, fields[2])
		}
		key := place{fields[0], fields[1]}
		if listed, ok := out[key]; ok {
			count = min(count, listed)
		}
		out[key] = count
	}
	return out, scanner.Err()
}

// String returns the form that ParseExceptions reads, sorted by path and word.
func (e Exceptions) String() string {
	var b strings.Builder
	for _, key := range e.places() {
		fmt.Fprintf(&b, "%s\t%s\t%d\n", key.path, key.word, e[key])
	}
	return b.String()
}

func (e Exceptions) places() []place {
	return slices.SortedFunc(maps.Keys(e), func(a, b place) int {
		return cmp.Or(cmp.Compare(a.path, b.path), cmp.Compare(a.word, b.word))
	})
}

// total returns the sum of a word's counts over all files.
func (e Exceptions) total(word string) int {
	sum := 0
	for key, count := range e {
		if key.word == word {
			sum += count
		}
	}
	return sum
}

func count(findings []Finding) Exceptions {
	out := Exceptions{}
	for _, f := range findings {
		out[place{f.Path, f.Word}]++
	}
	return out
}

// Check compares the findings with the exceptions. If a file uses a word more often than listed, the error names every place
// of the word in the file, because the check cannot know which one is new.
func (e Exceptions) Check(findings []Finding) error {
	found := count(findings)
	var errs []error
	for _, f := range findings {
		key := place{f.Path, f.Word}
		switch {
		case e[key] == 0:
			errs = append(errs, errors.New(f.String()))
		case found[key] > e[key]:
			errs = append(errs, fmt.Errorf("%v (one of %d places, %d listed)", f, found[key], e[key]))
		}
	}
	for _, key := range e.places() {
		if found[key] < e[key] {
			errs = append(errs, fmt.Errorf("%s: %q is listed %d times and found %d times: run 'make language' to lower the list",
				key.path, key.word, e[key], found[key]))
		}
	}
	return errors.Join(errs...)
}

// Lower returns the exceptions that the findings need. A word may move from one file to another, but its total must not rise.
// Otherwise the error names the places in the files that use it more often than listed.
func (e Exceptions) Lower(findings []Finding) (Exceptions, error) {
	found := count(findings)
	var errs []error
	for _, f := range findings {
		key := place{f.Path, f.Word}
		if listed, now := e.total(f.Word), found.total(f.Word); now > listed && found[key] > e[key] {
			errs = append(errs, fmt.Errorf("%v (%d places in all files, %d listed)", f, now, listed))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return found, nil
}
