package input

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// level is the part of a validate tag that judges one level of a type: the field itself, its items after dive, its keys.
type level struct {
	tokens []token
	keys   *level
	items  *level
}

// token is one rule, or several of which one must hold.
type token struct {
	text string
	alts []alternative
}

// alternative is one rule and its parameter.
type alternative struct {
	tag, param string
	hasParam   bool
}

// parseLevel reads a validate tag as validator does.
func parseLevel(tag string) (*level, error) {
	words := strings.Split(tag, ",")
	l, rest, err := parseWords(words, false)
	if err == nil && len(rest) > 0 {
		err = fmt.Errorf("validate: endkeys without keys: write dive,keys,…,endkeys")
	}
	return l, err
}

func parseWords(words []string, inKeys bool) (*level, []string, error) {
	l := &level{}
	for i, w := range words {
		rest := words[i+1:]
		switch w {
		case "":
			return nil, nil, errors.New("validate: has an empty rule: write one comma between rules")
		case "endkeys":
			if !inKeys {
				return nil, nil, errors.New("validate: endkeys without keys: write dive,keys,…,endkeys")
			}
			return l, rest, nil
		case "keys":
			return nil, nil, errors.New("validate: keys does not follow dive: write dive,keys,…,endkeys")
		case "dive":
			return l.parseDive(rest, inKeys)
		}
		l.tokens = append(l.tokens, parseToken(w))
	}
	if inKeys {
		return nil, nil, errors.New("validate: keys without endkeys: write dive,keys,…,endkeys")
	}
	return l, nil, nil
}

// parseDive reads what follows dive.
func (l *level) parseDive(words []string, inKeys bool) (*level, []string, error) {
	if inKeys {
		return nil, nil, errors.New("validate: dive inside keys: a key has no items, leave it out")
	}
	var err error
	if len(words) > 0 && words[0] == "keys" {
		if l.keys, words, err = parseWords(words[1:], true); err != nil {
			return nil, nil, err
		}
	}
	if len(words) == 0 {
		l.items = &level{}
		return l, nil, nil
	}
	l.items, words, err = parseWords(words, false)
	return l, words, err
}

// The separators of a validate tag, as they are written in a parameter.
var (
	escapeParam   = strings.NewReplacer(",", "0x2C", "|", "0x7C")
	unescapeParam = strings.NewReplacer("0x2C", ",", "0x7C", "|")
)

func parseToken(w string) token {
	t := token{text: w}
	for _, part := range strings.Split(w, "|") {
		tag, param, has := strings.Cut(part, "=")
		param = unescapeParam.Replace(param)
		t.alts = append(t.alts, alternative{tag: tag, param: param, hasParam: has})
	}
	return t
}

// has reports whether the level has a rule that stands alone.
func (l *level) has(tag string) bool {
	if l == nil {
		return false
	}
	for _, t := range l.tokens {
		if len(t.alts) == 1 && t.alts[0].tag == tag {
			return true
		}
	}
	return false
}

// max returns the largest length that the level's rules allow.
func (l *level) max() (int, bool) {
	if l == nil {
		return 0, false
	}
	best, found := 0, false
	for _, t := range l.tokens {
		if len(t.alts) != 1 {
			continue
		}
		n, err := strconv.ParseInt(t.alts[0].param, 0, 32)
		if err != nil || n < 0 {
			continue
		}
		switch t.alts[0].tag {
		case "max", "lte", "len", "eq":
		case "lt":
			n--
		default:
			continue
		}
		if !found || int(n) < best {
			best, found = max(int(n), 0), true
		}
	}
	return best, found
}

// dive returns the rules of the items.
func (l *level) dive() *level {
	if l == nil {
		return nil
	}
	return l.items
}

// words returns the texts that a oneof rule allows, where they are few: what is one of them need not be copied out of a body.
func (l *level) words() []string {
	if l == nil {
		return nil
	}
	for _, t := range l.tokens {
		if len(t.alts) != 1 || t.alts[0].tag != "oneof" {
			continue
		}
		if words := splitWords(t.alts[0].param); len(words) <= maxWords {
			return words
		}
	}
	return nil
}

// checks returns what must hold for text before validator judges it.
func (l *level) checks() []check {
	if l == nil {
		return nil
	}
	var list []check
	for _, t := range l.tokens {
		if len(t.alts) != 1 {
			continue
		}
		if fits, ok := preconditions[t.alts[0].tag]; ok {
			p := describe(subject{tag: t.alts[0].tag, param: t.alts[0].param})
			p.soft = true
			list = append(list, check{fits: fits, problem: p})
		}
	}
	return list
}

// check is a condition on text that holds before a rule of the same name runs.
type check struct {
	fits    func(string) bool
	problem *problem
}

// preconditions close the soft spots of validator's own rules, whichever *validator.Validate a service brings. They
// only ever refuse more. They do not look at a rule that is one of several alternatives (email|url).
var preconditions = map[string]func(string) bool{
	// The expression behind email takes a local part of any length, and needs time for it.
	"email": func(s string) bool {
		at := strings.LastIndexByte(s, '@')
		return len(s) <= maxEmailBytes && at <= maxEmailLocalBytes
	},
	// url and uri take addresses that run a script or read a file when a browser follows them.
	"url": harmlessScheme,
	"uri": harmlessScheme,
	// ipv4 takes ::ffff:192.0.2.1, a second spelling that other code does not match.
	"ipv4":     noColon,
	"ip4_addr": noColon,
	"cidrv4":   noColon,
	// These take work or memory for every byte, and nothing that they accept is long.
	"timezone":                  upTo(64),
	"credit_card":               upTo(64),
	"luhn_checksum":             upTo(255),
	"bcp47_language_tag":        upTo(255),
	"bcp47_strict_language_tag": upTo(255),
}

func upTo(n int) func(string) bool { return func(s string) bool { return len(s) <= n } }

func noColon(s string) bool { return !strings.Contains(s, ":") }

// harmlessScheme refuses the schemes that a browser executes or that reach the local machine. A browser skips leading
// control characters and any tab or line break before it looks at the scheme.
func harmlessScheme(s string) bool {
	scheme, _, ok := strings.Cut(s, ":")
	if !ok {
		return true
	}
	if strings.ContainsFunc(scheme, blank) {
		return false
	}
	switch strings.ToLower(scheme) {
	case "javascript", "vbscript", "livescript", "data", "file", "blob", "filesystem", "view-source", "jar", "about":
		return false
	}
	return true
}
