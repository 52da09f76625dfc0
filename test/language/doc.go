// Package language checks the language of the repository: Go comments, log messages, error texts, declared names, Markdown
// pages, and the comments and descriptions of YAML files. TestTree runs the check.
//
// Words lists the forms to avoid, each with a better form. exceptions.txt lists the places that are older than the check,
// with a count per file and word. A higher count fails with the place and the better form. A lower count fails until
// `make language` has lowered the list. That target never raises the total of a word, so the exceptions can only decrease.
// If a text moves to another file, its exceptions move with it.
package language
