// Package seekable compresses a file so that it can be read from any place: zstd frames of at most MaxFrame bytes each, and
// a seek table at the end that says where they are (zstd's seekable format, contrib/seekable_format in its repository).
// Whatever reads zstd reads the file from its beginning; Reader reads it in the coordinates of what was compressed.
//
// Before each frame, the table included, stands a locator, a skippable frame of our own that says where the bytes of the
// next one belong and what their checksum is. The table has no checksum in the format: the last locator has it. Where the
// table is damaged the locators take its place, so that no damage costs more than the frames that it is in.
//
// Nothing here trusts a length that it reads: a frame that claims more than MaxFrame bytes is none.
package seekable
