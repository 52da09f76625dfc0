package answer

import (
	"net/http"
	"strconv"
	"time"
)

// remoteWriteHeader is on every request of Prometheus remote write (specification 1.0 and 2.0, "Protocol").
const remoteWriteHeader = "X-Prometheus-Remote-Write-Version"

// maxRetryAfter bounds what a header may ask for: no timer is due in more than a year.
const maxRetryAfter = 365 * 24 * time.Hour

// RoundTripper notes what Next answers.
type RoundTripper struct {
	Next http.RoundTripper
	Now  func() time.Time
}

var _ http.RoundTripper = RoundTripper{}

// RoundTrip is Next's.
func (t RoundTripper) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := t.Next.RoundTrip(req)
	n := from(req.Context())
	if n == nil {
		return resp, err
	}
	remoteWrite := req.Header.Get(remoteWriteHeader) != ""
	switch {
	case err != nil:
		n.refused(Refusal{Err: err, RemoteWrite: remoteWrite})
	case resp.StatusCode/100 == 2:
		n.took(remoteWrite)
		if !remoteWrite {
			listen(n, resp)
		}
	default:
		n.refused(Refusal{HTTP: resp.StatusCode, RetryAfter: retryAfter(resp.Header, t.Now), RemoteWrite: remoteWrite})
	}
	return resp, err
}

// retryAfter reads Retry-After: seconds, or a date (RFC 9110, section 10.2.3), which is the downstream's own: compared
// with its Date, where it has one, it needs no agreement about the time.
func retryAfter(h http.Header, now func() time.Time) time.Duration {
	value := h.Get("Retry-After")
	if seconds, err := strconv.ParseInt(value, 10, 64); err == nil {
		return time.Duration(min(max(0, seconds), int64(maxRetryAfter/time.Second))) * time.Second
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	since, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		since = now()
	}
	return min(max(0, at.Sub(since)), maxRetryAfter)
}
