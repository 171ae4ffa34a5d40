package input

import (
	"errors"
	"net/netip"
	"net/url"
	"reflect"
	"strings"
	"sync"
	"unicode"

	"github.com/go-playground/validator/v10"
)

// ownRules are the rules that this package adds to validator's.
var ownRules = map[string]rule{
	"notblank":    text("must not be blank"),
	"single_line": text("must be one line without control characters"),
	"web_url":     text("must be an http or https address"),
}

// RegisterRules adds this package's rules to a service's own validator.
//
// They are notblank (something visible), single_line (no line break, no control character, nothing that turns the direction of
// text) and web_url (an absolute http or https address with a host and without a password). It must be called before v is first used. A rule of
// the same name is replaced.
func RegisterRules(v *validator.Validate) error {
	if v == nil {
		return errors.New("input: RegisterRules: v is nil: write validator.New()")
	}
	var mistakes []error
	for name, fits := range ownConditions {
		mistakes = append(mistakes, v.RegisterValidation(name, onText(fits)))
	}
	return errors.Join(mistakes...)
}

// ownConditions are what the own rules ask of a text.
var ownConditions = map[string]func(string) bool{
	"notblank":    notBlank,
	"single_line": singleLine,
	"web_url":     webURL,
}

// shared is the validator of every plan that brings none. It is made once, since it caches what it learns of types.
var shared = sync.OnceValue(func() *validator.Validate {
	v := validator.New(validator.WithRequiredStructEnabled())
	if err := RegisterRules(v); err != nil {
		// The names are this file's own and valid; a test calls RegisterRules.
		panic(err)
	}
	return v
})

// onText makes a rule of a condition on strings. What is no string does not fit.
func onText(fits func(string) bool) validator.Func {
	return func(fl validator.FieldLevel) bool {
		return fl.Field().Kind() == reflect.String && fits(fl.Field().String())
	}
}

func notBlank(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return !blank(r) })
}

// singleLine refuses what ends a line or commands a terminal, and the embeddings, overrides and isolates of the bidirectional
// algorithm (Unicode UAX #9), which make the text around them read as something else: "invoice\u202Efdp.exe". Directional
// marks and joiners, which Hebrew, Persian and emoji are written with, change nothing around them.
func singleLine(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool {
		return unicode.IsControl(r) || r >= '\u2028' && r <= '\u202E' || r >= '\u2066' && r <= '\u2069'
	})
}

// webURL takes what a browser and net/url read the same way: absolute, http or https, a host of letters, digits, dots
// and hyphens or an IP address, no user name, no backslash, no space.
func webURL(s string) bool {
	if len(s) > maxURLBytes || strings.ContainsFunc(s, func(r rune) bool { return blank(r) || r == '\\' }) {
		return false
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.User != nil || u.Opaque != "" || strings.Contains(u.Host, "@") {
		return false
	}
	if port := u.Port(); strings.HasSuffix(u.Host, ":") || port != "" && (!shortestDigits(port) || len(port) > 5 || len(port) == 5 && port > "65535") {
		return false
	}
	return webHost(u.Hostname(), strings.HasPrefix(u.Host, "["))
}

func webHost(host string, bracketed bool) bool {
	if bracketed {
		a, err := netip.ParseAddr(host)
		return err == nil && a.Is6() && a.Zone() == ""
	}
	if host == "" || len(host) > 253 {
		return false
	}
	for label := range strings.SplitSeq(strings.TrimSuffix(host, "."), ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for i := 0; i < len(label); i++ {
			c := label[i] | 0x20
			if (c < 'a' || c > 'z') && (label[i] < '0' || label[i] > '9') && label[i] != '-' {
				return false
			}
		}
	}
	return true
}
