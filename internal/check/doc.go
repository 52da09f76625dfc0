// Package check collects what is wrong with a configuration, so that a user sees
// all of it at once and in one form:
//
//	limits::0::max_series: must be at least 1 (got 0)
//
// The path is the one that the Collector's own errors use: keys and list indexes,
// from the component's configuration on, joined by "::".
//
//	func (c *Config) Validate() error {
//		var e check.Errors
//		check.OneOf(&e, "mode", c.Mode, "enforce", "dry_run")
//		check.Positive(&e, "window::duration", c.Window.Duration)
//		for i := range c.Limits {
//			c.Limits[i].validate(e.At(check.Item("limits", i)))
//		}
//		return e.Err()
//	}
//
// A number that is not finite passes no check. [Whole] looks at what the file says
// before it is decoded, since decoding into an integer cuts and wraps.
package check
