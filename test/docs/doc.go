// Package docs holds tests of what the repository says about itself: a page may name only tests
// that exist and link only to files that exist.
package docs
