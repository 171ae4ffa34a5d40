package strictjwt

import (
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"time"

	"github.com/go-json-experiment/json"
)

// Claims is what a verified token says.
//
// It is a copy that the caller owns: changing it changes no other request's. The
// zero value is the claims of nobody. Its text forms and its log value leave out
// everything but issuer and expiry.
type Claims struct {
	Subject   string    // sub: 1 to 255 bytes without control characters
	Issuer    string    // iss: the configured one
	ID        string    // jti, or ""
	KeyID     string    // kid of the header, or ""
	Audience  []string  // aud: at least one of them is configured
	ExpiresAt time.Time // exp
	IssuedAt  time.Time // iat; the zero Time where absent
	NotBefore time.Time // nbf; the zero Time where absent

	// A string cannot be changed by an UnmarshalJSON method that writes into
	// its argument, and fmt prints a nested pointer as an address.
	payload *kept
}

// Decode decodes all claims into dst, a pointer to a struct of the service.
//
// It is as strict as the verification: exact names only. Members that dst does
// not have are ignored. Its errors match [ErrInvalid]; their text holds types,
// never values.
func (c Claims) Decode(dst any) error {
	if c.payload == nil {
		return invalid("Decode of Claims that Verify did not return")
	}
	v := reflect.ValueOf(dst)
	isFresh := fresh(v)
	if isFresh && c.payload.repeat(v) {
		return nil
	}
	err := json.Unmarshal([]byte(*c.payload.text), dst)
	if err == nil {
		if isFresh {
			c.payload.remember(v)
		}
		return nil
	}
	if sem, ok := errors.AsType[*json.SemanticError](err); ok && sem.GoType != nil {
		return fmt.Errorf("%w: the claims do not fit %T: a JSON %v for a Go %v", ErrInvalid, dst, sem.JSONKind, sem.GoType)
	}
	return fmt.Errorf("%w: the claims do not fit %T", ErrInvalid, dst)
}

// String tells issuer and expiry only: a subject may be a mail address.
func (c Claims) String() string {
	return fmt.Sprintf("claims of %q until %s", c.Issuer, c.ExpiresAt.Format(time.RFC3339))
}

// GoString is String: the %#v form must not show more.
func (c Claims) GoString() string { return c.String() }

// LogValue is String, for [log/slog].
func (c Claims) LogValue() slog.Value { return slog.StringValue(c.String()) }

// wireClaims is the registered claims of RFC 7519, section 4.1.
type wireClaims struct {
	Issuer    text        `json:"iss"`
	Subject   text        `json:"sub"`
	Audience  texts       `json:"aud"`
	ExpiresAt numericDate `json:"exp"`
	NotBefore numericDate `json:"nbf"`
	IssuedAt  numericDate `json:"iat"`
	ID        text        `json:"jti"`
}

// readClaims parses a payload whose signature was good, in r, and checks what does not
// change with time.
func (v *Verifier) readClaims(payload []byte, r *room) (Claims, error) {
	wire := &r.claims
	if err := decodeObject(payload, wire, "claims"); err != nil {
		return Claims{}, err
	}
	if wire.Issuer.value != v.issuer { // the configured one is never empty
		return Claims{}, invalid("the iss is not the configured issuer")
	}
	if !slices.ContainsFunc(v.audience, func(a string) bool { return slices.Contains(wire.Audience, a) }) {
		return Claims{}, invalid("the aud names no configured audience")
	}
	if sub := wire.Subject.value; sub == "" || len(sub) > maxNameBytes || hasControl(sub) {
		return Claims{}, invalid("the sub is missing, too long or has control characters")
	}
	if jti := wire.ID; jti.present && (jti.value == "" || len(jti.value) > maxNameBytes || hasControl(jti.value)) {
		return Claims{}, invalid("the jti is empty, too long or has control characters")
	}
	if !wire.ExpiresAt.present {
		return Claims{}, invalid("the exp is missing")
	}
	if v.maxAge > 0 && !wire.IssuedAt.present {
		return Claims{}, invalid("the iat is missing and a maximum age is set")
	}
	text := string(payload)
	return Claims{
		Subject:   wire.Subject.value,
		Issuer:    wire.Issuer.value,
		ID:        wire.ID.value,
		Audience:  wire.Audience,
		ExpiresAt: wire.ExpiresAt.time(),
		IssuedAt:  wire.IssuedAt.time(),
		NotBefore: wire.NotBefore.time(),
		payload:   &kept{text: &text},
	}, nil
}

func (d numericDate) time() time.Time {
	if !d.present {
		return time.Time{}
	}
	return time.Unix(d.seconds, 0).UTC()
}

// checkTimes checks what does change with time, on every use of a token, cached
// or not. The leeway is for clocks that differ; it is the same for all.
func (v *Verifier) checkTimes(c *Claims, now time.Time) error {
	// RFC 7519, section 4.1.4: now must be before exp, not at it.
	if !now.Before(c.ExpiresAt.Add(v.leeway)) {
		return invalid("the exp has passed")
	}
	ahead := now.Add(v.leeway)
	if ahead.Before(c.NotBefore) { // an absent nbf is the zero Time, long ago
		return invalid("the nbf is in the future")
	}
	if ahead.Before(c.IssuedAt) {
		return invalid("the iat is in the future")
	}
	if v.maxAge > 0 && now.Sub(c.IssuedAt) > v.maxAge+v.leeway {
		return invalid("the iat is longer ago than the maximum age")
	}
	return nil
}
