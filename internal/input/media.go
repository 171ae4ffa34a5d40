package input

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// mediaRange is a media type; a subtype "*+json" stands for all with that suffix.
type mediaRange struct{ major, minor string }

func (m mediaRange) String() string { return m.major + "/" + m.minor }

func (m mediaRange) matches(major, minor string) bool {
	if suffix, ok := strings.CutPrefix(m.minor, "*"); ok {
		return major == m.major && len(minor) > len(suffix) && strings.HasSuffix(minor, suffix)
	}
	return major == m.major && minor == m.minor
}

// mediaTypes checks and stores the media types of a JSON plan.
func (c *compiler) mediaTypes(types []string) {
	if len(types) == 0 {
		types = []string{"application/json"}
	}
	for _, t := range types {
		m, err := parseMediaRange(t)
		if err != nil {
			c.mistakes = append(c.mistakes, err)
			continue
		}
		c.plan.media = append(c.plan.media, m)
		if c.plan.usual == "" && !strings.Contains(t, "*") {
			c.plan.usual = t
		}
	}
}

func parseMediaRange(t string) (mediaRange, error) {
	major, minor, _ := strings.Cut(t, "/")
	base := strings.TrimPrefix(minor, "*")
	switch {
	case t != strings.ToLower(t) || !isToken(major) || !isToken(base) || strings.Contains(base, "*"):
		return mediaRange{}, fmt.Errorf(
			"media type %q: not a lower-case type/subtype: write one such as application/json or application/*+json", t)
	case minor != "json" && !strings.HasSuffix(minor, "+json"):
		return mediaRange{}, fmt.Errorf("media type %q: not JSON: write one that is json or ends in +json", t)
	case base != minor && base != "+json":
		return mediaRange{}, fmt.Errorf("media type %q: the star stands for the whole name: write application/*+json", t)
	}
	return mediaRange{major, minor}, nil
}

var errOtherMedia = errors.New("input: no accepted media type")

// checkMedia checks Content-Type and Content-Encoding. A body may have one media type without parameters but
// charset=utf-8, and no coding, "identity" included: RFC 9110 §8.4.1 keeps that word out of Content-Encoding.
func (p *Plan) checkMedia(r *http.Request) error {
	if len(r.Header["Content-Encoding"]) > 0 {
		return errors.New("input: body has a Content-Encoding")
	}
	values := r.Header["Content-Type"]
	if len(values) != 1 {
		return fmt.Errorf("input: %d Content-Type fields", len(values))
	}
	if values[0] == p.usual {
		return nil
	}
	major, minor, params, ok := splitMedia(values[0])
	if !ok || !onlyUTF8(params) {
		return errOtherMedia
	}
	for _, m := range p.media {
		if m.matches(major, minor) {
			return nil
		}
	}
	return errOtherMedia
}

// splitMedia splits a media type and its parameters. mime.ParseMediaType would also take what only looks like one
// ("text/plain; application/json") and continuations of parameters.
func splitMedia(s string) (major, minor, params string, ok bool) {
	s, params, _ = strings.Cut(s, ";")
	major, minor, _ = strings.Cut(strings.ToLower(strings.Trim(s, " \t")), "/")
	return major, minor, params, isToken(major) && isToken(minor)
}

// onlyUTF8 reports whether parameters say nothing but charset=utf-8, at most once.
func onlyUTF8(params string) bool {
	seen := false
	for part := range strings.SplitSeq(params, ";") {
		part = strings.Trim(part, " \t")
		if part == "" {
			continue
		}
		if seen || !strings.EqualFold(part, "charset=utf-8") && !strings.EqualFold(part, `charset="utf-8"`) {
			return false
		}
		seen = true
	}
	return true
}

// isToken reports whether s is a token of RFC 9110 §5.6.2.
func isToken(s string) bool {
	for i := 0; i < len(s); i++ {
		if !tokenChars[s[i]] {
			return false
		}
	}
	return s != ""
}

var tokenChars = func() (token [256]bool) {
	for c := '!'; c <= '~'; c++ {
		token[c] = !strings.ContainsRune(`"(),/:;<=>?@[\]{}`, c)
	}
	return token
}()
