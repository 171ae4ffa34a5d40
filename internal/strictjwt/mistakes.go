package strictjwt

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// mistakes collects what is wrong, so that one run shows all of it.
type mistakes []error

func (m *mistakes) add(format string, args ...any) {
	*m = append(*m, fmt.Errorf("JWT: "+format, args...))
}

func (c Config) checkNames(m *mistakes) {
	checkName(m, "Issuer", c.Issuer)
	if len(c.Audience) == 0 {
		m.add("Audience is empty: name this service as the aud of its tokens does")
	}
	for i, name := range c.Audience {
		checkName(m, fmt.Sprintf("Audience[%d]", i), name)
	}
	if c.Type != "" && !isMediaType(fullType(c.Type)) {
		m.add("Type %q is not a media type: write at+jwt, or leave it empty", c.Type)
	}
}

// checkName refuses what no token can match or what a stray line end in an
// environment variable makes of it.
func checkName(m *mistakes, field, name string) {
	switch {
	case name == "":
		m.add("%s is empty: an empty name would check nothing", field)
	case name != strings.TrimSpace(name) || hasControl(name):
		m.add("%s %q has space around it or control characters", field, name)
	}
}

// isMediaType reports whether s is a type and a subtype in lower case, both as
// RFC 6838, section 4.2, has it.
func isMediaType(s string) bool {
	top, sub, _ := strings.Cut(s, "/")
	return isRestrictedName(top) && isRestrictedName(sub)
}

func isRestrictedName(s string) bool {
	return s != "" && len(s) <= 127 && !strings.ContainsFunc(s, func(r rune) bool {
		letter := 'a' <= r && r <= 'z' || '0' <= r && r <= '9'
		return !letter && !strings.ContainsRune("!#$&-^_.+", r)
	})
}

// pinned is the algorithms that were asked for.
type pinned struct {
	byName map[string]algorithm
	names  []string
}

func (c Config) pin(m *mistakes) *pinned {
	p := &pinned{byName: map[string]algorithm{}}
	if len(c.Algorithms) == 0 {
		m.add("Algorithms is empty: pin the one that your issuer signs with")
	}
	families := map[string]string{}
	for _, name := range c.Algorithms {
		a, ok := algorithms[name]
		switch {
		case lowerASCII(name) == "none":
			m.add("the algorithm %q would accept tokens that nobody signed", name)
			continue
		case !ok:
			m.add("the algorithm %q is not known: names are as in RS256, with capitals", name)
			continue
		case p.byName[name].name != "":
			m.add("the algorithm %s is listed twice", name)
			continue
		}
		if other := families[a.family]; other != "" && c.Keyfunc == nil {
			m.add("%s and %s take the same keys, and a key serves one algorithm: pin one, or use a Keyfunc", other, name)
		}
		families[a.family] = name
		p.byName[name] = a
		p.names = append(p.names, name)
	}
	if hmac := families["HMAC"]; hmac != "" && len(families) > 1 {
		m.add("%s is mixed with asymmetric algorithms: a public key could pass for its secret", hmac)
	}
	return p
}

// takeKeys checks and copies the keys of the one source that is set.
func (c Config) takeKeys(m *mistakes, p *pinned) *keySource {
	sources := 0
	for _, set := range []bool{c.Key != nil, c.Keys != nil, c.Keyfunc != nil} {
		if set {
			sources++
		}
	}
	if sources != 1 {
		m.add("%d of Key, Keys and Keyfunc are set: set exactly one", sources)
	}
	s := &keySource{find: c.Keyfunc}
	used := map[string]bool{}
	if c.Key != nil {
		s.single = p.take(m, used, "Key", c.Key)
	}
	if c.Keys != nil {
		if len(c.Keys) == 0 {
			m.add("Keys is empty: no token could be verified")
		}
		s.byID = make(map[string]*boundKey, len(c.Keys))
		for _, kid := range slices.Sorted(maps.Keys(c.Keys)) {
			if kid == "" || len(kid) > maxNameBytes || hasControl(kid) {
				m.add("Keys has the kid %q: 1 to %d bytes without control characters are needed", kid, maxNameBytes)
			}
			s.byID[kid] = p.take(m, used, fmt.Sprintf("Keys[%q]", kid), c.Keys[kid])
		}
	}
	if sources == 1 && c.Keyfunc == nil {
		for _, name := range p.names {
			if !used[p.byName[name].family] {
				m.add("no key is for %s: add one, or do not pin it", name)
			}
		}
	}
	return s
}

// take copies a key that fits a pinned algorithm, and notes its family.
func (p *pinned) take(m *mistakes, used map[string]bool, field string, key any) *boundKey {
	if len(p.names) == 0 {
		return nil // reported already; there is nothing to hold the key to
	}
	var reason error
	for _, name := range p.names {
		a := p.byName[name]
		err := a.check(key)
		if _, wrongType := errors.AsType[errKeyType](err); wrongType {
			reason = err
			continue
		}
		used[a.family] = true
		if err == nil {
			var bound *boundKey
			if bound, err = a.bind(key); err == nil {
				return bound
			}
		}
		m.add("%s: %v", field, err)
		return nil
	}
	m.add("%s: %v", field, reason)
	return nil
}

func (c Config) checkTimes(m *mistakes) {
	if c.Leeway < 0 || c.Leeway > maxLeeway {
		m.add("Leeway is %v: 0 means 30s, time.Nanosecond none, and %v is the maximum", c.Leeway, maxLeeway)
	}
	if c.MaxAge < 0 {
		m.add("MaxAge is %v: 0 means no maximum", c.MaxAge)
	}
	if c.CacheSize == 1 || c.CacheSize > maxCache {
		m.add("CacheSize is %d: 0 means %d, a negative number none, otherwise 2 to %d", c.CacheSize, defaultCache, maxCache)
	}
	if c.CacheAge < 0 || c.CacheAge > maxCacheAge {
		m.add("CacheAge is %v: 0 means a minute, and %v is the maximum", c.CacheAge, maxCacheAge)
	}
}
