package report

import (
	"fmt"
	"strconv"
	"time"
)

// Duration is a time for a person, in one unit.
func Duration(d time.Duration) string {
	switch {
	case d < 2*time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < 2*time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", int(d.Hours()))
	default:
		return fmt.Sprintf("%d days", int(d.Hours()/24))
	}
}

// maxSeconds is a hundred years: what lasts longer is said to last that long.
const maxSeconds = 100 * 365 * 86400

// Seconds is Duration of a number of seconds.
func Seconds(s float64) string {
	if s >= maxSeconds {
		return "100 years"
	}
	return Duration(time.Duration(s * float64(time.Second)))
}

// Bytes are bytes for a person, in one binary unit.
func Bytes(n int64) string {
	value, unit := float64(n), "B"
	for _, next := range []string{"KiB", "MiB", "GiB", "TiB"} {
		if value < 1000 {
			break
		}
		value, unit = value/1024, next
	}
	if unit == "B" || value >= 100 {
		return fmt.Sprintf("%.0f %s", value, unit)
	}
	return fmt.Sprintf("%.1f %s", value, unit)
}

// number writes an integer with commas between thousands.
func number(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// rate is a number per second for a person.
func rate(perSecond float64) string {
	if perSecond != 0 && perSecond < 10 && perSecond > -10 {
		return fmt.Sprintf("%.1f/s", perSecond)
	}
	return number(int64(perSecond)) + "/s"
}

// subject says what is over a limit: the metric, or the key with all its metrics.
func subject(metric, key string) string {
	switch {
	case metric != "":
		return "metric " + metric
	case key != "":
		return "key " + key
	default:
		return "the total of all metrics"
	}
}

func plural(n int64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return number(n) + " " + noun + "s"
}
