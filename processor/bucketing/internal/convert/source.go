package convert

import "github.com/otelcol-custom/otelcol-custom/internal/rebucket"

// source is a point that was loaded, of either kind, beside the one before of its stream.
type source interface {
	count() uint64
	// plan is from the point's layout to the target: the stream's, if there is one. Otherwise
	// the point's plan decides the target for the stream's life, however it was chosen.
	plan(s *stream) planned
	apply(p *plan, to []uint64) rebucket.Tally
	// applyKept converts the stream's last point.
	applyKept(s *stream, to []uint64)
	// restarted reports whether the source began anew since the stream's last point without a new start, and
	// what shows it.
	restarted(s *stream) (Violation, bool)
	// meet brings copies of this point and the last to the finest layout that both have, and returns
	// the plan from there. Same: that is the layout of both.
	meet(s *stream) (p *plan, same bool)
	// covers reports whether, there, no bucket has decreased.
	covers() bool
	// applyMet converts this point and the last from there.
	applyMet(p *plan, now, before []uint64)
	// keep makes this point the stream's last.
	keep(s *stream)
}
