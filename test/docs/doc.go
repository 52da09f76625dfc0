// Package docs contains tests of the repository's pages: they may name only tests and paths that exist, and link only to
// files and headings that exist.
package docs
