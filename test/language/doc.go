// Package language checks how the repository's texts are written: Go comments, log messages, error texts, declared names,
// Markdown pages, and the comments and descriptions of YAML files. TestTree runs the check.
//
// Words lists what a text must avoid and the better form. Places that are older than the check are listed in
// exceptions.txt, per file and word with a count. A count above the listed one fails with the place and the better form;
// a count below it fails until `make language` has lowered it. That target never raises a word's total, so exceptions
// shrink; a text that moves to another file keeps its exceptions.
package language
