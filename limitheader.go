package guard

import (
	"strconv"
	"strings"
	"time"
)

// quota is the state of one policy, for the RateLimit field.
type quota struct {
	policy    string
	remaining int
	wait      time.Duration // until there is more; 0: not told
}

// policies returns the RateLimit-Policy field of a route, and marks the counters
// that it names. It is empty where there is nothing to tell, or nothing that may be
// told: how many guesses are left helps only who guesses.
func policies(counters []*counter) string {
	var b []byte
	for _, c := range counters {
		if c.onFailure {
			return ""
		}
	}
	for _, c := range counters {
		// The draft knows no unit for weights.
		if c.hidden || c.shadow || c.weigh != nil || !c.limiter.Headers {
			continue
		}
		if len(b) > 0 {
			b = append(b, ", "...)
		}
		b = appendSFString(b, c.label)
		b = strconv.AppendInt(append(b, ";q="...), int64(c.count), 10)
		if c.inFlight {
			b = append(b, `;qu="concurrent-requests"`...)
			continue
		}
		b = strconv.AppendInt(append(b, ";w="...), seconds(c.per), 10)
		// What is left in a bucket that others share would tell of them.
		c.policy = c.scope != globally && c.scope != byInput
	}
	return string(b)
}

// appendSFString appends a String of RFC 9651, section 3.3.3. What it cannot hold
// becomes a question mark.
func appendSFString(b []byte, s string) []byte {
	b = append(b, '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case r < ' ' || r > '~':
			b = append(b, '?')
		default:
			b = append(b, byte(r))
		}
	}
	return append(b, '"')
}

// seconds rounds up: nobody is told to come back too early.
func seconds(d time.Duration) int64 { return int64((d-1)/time.Second) + 1 }

// wholeSeconds is seconds for a wait that a bucket told, at least 1. The table adds
// a microsecond to each, so that rounding errors cannot make it too short; without
// taking that off, a wait of exactly 12 seconds would be told as 13.
func wholeSeconds(d time.Duration) int64 { return max(1, seconds(d-time.Microsecond)) }

// noteQuota keeps a decision for the RateLimit field.
func (x *exchange) noteQuota(w *claim, d *Decision) {
	if !w.policy {
		return
	}
	q := quota{policy: w.label, remaining: d.Remaining, wait: d.Next}
	if !d.Allowed {
		q.wait = d.RetryAfter
	}
	x.quotas = append(x.quotas, q)
}

// announce sets the RateLimit field from what was decided so far. A wait that is
// longer than Retry-After would contradict it, and is not told; 0 is no Retry-After.
func (x *exchange) announce(retryAfter time.Duration) {
	if len(x.quotas) == 0 {
		return
	}
	var b strings.Builder
	for i, q := range x.quotas {
		if i > 0 {
			b.WriteString(", ")
		}
		b.Write(appendSFString(nil, q.policy))
		b.WriteString(";r=" + strconv.Itoa(q.remaining))
		if q.wait > 0 && (retryAfter <= 0 || wholeSeconds(q.wait) <= wholeSeconds(retryAfter)) {
			b.WriteString(";t=" + strconv.FormatInt(wholeSeconds(q.wait), 10))
		}
	}
	x.set(x.w.Header(), "Ratelimit", b.String())
}
