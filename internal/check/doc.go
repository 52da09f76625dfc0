// Package check collects the errors of a configuration, so that a user sees all of them at once and in one form:
//
//	limits::0::max_series: must be at least 1 (got 0)
//
// The path has the form that the Collector's own errors use: the keys and list indexes below the component's
// configuration, joined by "::".
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
// A number that is not finite fails every check. [Whole] examines the numbers as the file has them, because decoding
// into an integer cuts fractions off and wraps large values.
package check
