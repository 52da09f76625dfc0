package delivery

import "time"

// sizes contains the sizes that a downstream accepts, in bytes of records. One goroutine uses it.
type sizes struct {
	smallestRefused int // smallest size that was refused; 0: none
	largestPassed   int // largest size that passed since then
	trySize         int // size to try if none has passed
	until           time.Time
}

// These are the times after which a larger request is tried again. After a record has passed in parts the time is long, because
// that proves that the size was the reason. After the refusal of several records together it is short, because one of them may
// have been the reason.
const (
	sizesFor      = 10 * time.Minute
	sizesTogether = time.Minute
)

// tooLarge records that a request of several records was refused for its size.
func (s *sizes) tooLarge(now time.Time, bytes int) { s.learn(now, bytes, bytes/2, sizesTogether) }

// aloneTooLarge records that a record alone was refused for its size. It was then also the reason of the refusals together.
func (s *sizes) aloneTooLarge() {
	if s.trySize > 0 {
		*s = sizes{}
	}
}

// partAccepted records that a part of a record passed that had been refused for its size.
func (s *sizes) partAccepted(now time.Time, record, part int) {
	s.learn(now, record, 0, sizesFor)
	s.passed(part)
}

func (s *sizes) learn(now time.Time, bytes, trySize int, keep time.Duration) {
	if s.smallestRefused == 0 || bytes < s.smallestRefused || now.After(s.until) {
		s.smallestRefused, s.largestPassed = bytes, 0
	}
	s.trySize = trySize
	s.until = now.Add(keep)
}

func (s *sizes) passed(bytes int) {
	switch {
	case bytes >= s.smallestRefused:
		s.smallestRefused, s.largestPassed = 0, 0 // the size was not the reason, or is no longer
	default:
		s.largestPassed = max(s.largestPassed, bytes)
	}
}

// limit returns the largest size of the next requests, or 0 if there is no limit.
func (s *sizes) limit(now time.Time) int {
	if s.smallestRefused == 0 || now.After(s.until) {
		return 0
	}
	return max(s.largestPassed, s.trySize)
}
