package guard_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/routeguard/guard"
)

var (
	hmacKey   = bytes.Repeat([]byte{3}, 32)
	issuerRSA = sync.OnceValue(func() *rsa.PrivateKey {
		k, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			panic(err)
		}
		return k
	})
)

// obj is a JSON object that a test edits.
type obj map[string]any

func (o obj) with(name string, value any) obj {
	c := maps.Clone(o)
	if c[name] = value; value == nil {
		delete(c, name)
	}
	return c
}

func tokenClaims() obj {
	now := signedAt.Unix()
	return obj{"iss": "https://issuer.example", "aud": "projects", "sub": "alice", "jti": "t-1", "iat": now, "exp": now + 600}
}

// rawToken signs any two texts with HS256, well-formed or not.
func rawToken(header, claims string, key []byte) string {
	head := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString([]byte(claims))
	m := hmac.New(sha256.New, key)
	m.Write([]byte(head))
	return head + "." + base64.RawURLEncoding.EncodeToString(m.Sum(nil))
}

func hs256(claims obj) string {
	b, err := json.Marshal(claims)
	if err != nil {
		panic(err)
	}
	return rawToken(`{"alg":"HS256","typ":"JWT"}`, string(b), hmacKey)
}

// users is a session function over a table that a test changes.
type users struct {
	err     error
	deny    map[string]bool // by jti
	nothing bool
	panics  bool
	calls   int
}

func (u *users) session(_ context.Context, c guard.Claims) (*pointerUser, error) {
	u.calls++
	switch {
	case u.panics:
		panic("session")
	case u.err != nil:
		return nil, u.err
	case u.nothing:
		return nil, nil
	case u.deny[c.ID]:
		return nil, fmt.Errorf("%w: revoked", guard.ErrNoSession)
	}
	return &pointerUser{c.Subject}, nil
}

func jwtRules() guard.JWT {
	return guard.JWT{Issuer: "https://issuer.example", Audience: []string{"projects"}, Algorithms: []string{"HS256"}, Key: hmacKey,
		Now: func() time.Time { return signedAt }}
}

func newJWT(t testing.TB, c guard.JWT) *guard.JWTVerifier {
	t.Helper()
	v, err := guard.NewJWT(c)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// The verifier's own tests have every trick; these show that none of them gets
// through a route, and what the caller and the log learn.
func TestForgedTokens(t *testing.T) {
	t.Parallel()
	good := hs256(tokenClaims())
	parts := strings.Split(good, ".")
	claims := func(name string, value any) string { return hs256(tokenClaims().with(name, value)) }
	header := func(h string) string {
		b, _ := json.Marshal(tokenClaims())
		return rawToken(h, string(b), hmacKey)
	}
	raw := func(c string) string { return rawToken(`{"alg":"HS256"}`, c, hmacKey) }
	now := signedAt.Unix()
	bad := map[string]string{
		"no token":                          "x",
		"two segments":                      parts[0] + "." + parts[1],
		"four segments":                     good + "." + parts[2],
		"no signature":                      parts[0] + "." + parts[1] + ".",
		"the alg none":                      base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." + parts[1] + ".",
		"the alg none, signed":              header(`{"alg":"none"}`),
		"another case of the alg":           header(`{"alg":"hs256"}`),
		"no alg":                            header(`{"typ":"JWT"}`),
		"another HMAC":                      header(`{"alg":"HS384"}`),
		"two algs":                          header(`{"alg":"HS256","alg":"none"}`),
		"a crit":                            header(`{"alg":"HS256","crit":["exp"],"exp":1}`),
		"an access token's typ":             header(`{"alg":"HS256","typ":"at+jwt"}`),
		"a header that is no object":        header(`null`),
		"another key":                       rawToken(`{"alg":"HS256"}`, `{"sub":"alice"}`, bytes.Repeat([]byte{4}, 32)),
		"an empty key":                      rawToken(`{"alg":"HS256"}`, `{"sub":"alice"}`, nil),
		"a changed payload":                 parts[0] + "." + base64.RawURLEncoding.EncodeToString([]byte(`{"sub":"admin"}`)) + "." + parts[2],
		"padding":                           parts[0] + "." + parts[1] + "." + parts[2] + "=",
		"the other base64":                  parts[0] + "." + parts[1] + "." + "+/" + parts[2][2:],
		"claims null":                       raw(`null`),
		"two subjects":                      raw(strings.Replace(`{"iss":"https://issuer.example","aud":"projects","sub":"alice","exp":EXP,"sub":"admin"}`, "EXP", fmt.Sprint(now+60), 1)),
		"an expired token":                  claims("exp", now-31),
		"an exp of 0":                       claims("exp", 0),
		"no exp":                            claims("exp", nil),
		"an exp as text":                    claims("exp", "9999999999"),
		"an exp after year 9999":            claims("exp", 1e300),
		"a token for later":                 claims("nbf", now+31),
		"an nbf that overflows":             claims("nbf", 1e19),
		"a token from the future":           claims("iat", now+31),
		"another issuer":                    claims("iss", "https://issuer.example/"),
		"no issuer":                         claims("iss", nil),
		"another audience":                  claims("aud", []string{"other"}),
		"no audience":                       claims("aud", nil),
		"an audience that is no text":       claims("aud", 17),
		"no subject":                        claims("sub", nil),
		"an empty subject":                  claims("sub", ""),
		"a subject that is no text":         claims("sub", 17),
		"a very long subject":               claims("sub", strings.Repeat("a", 5000)),
		"a token over 8 KiB":                claims("x", strings.Repeat("a", 8<<10)),
		"the public key's text as a secret": rawToken(`{"alg":"RS256"}`, `{}`, hmacKey),
	}
	for name, token := range bad {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			u, log := &users{}, &logBuffer{}
			verify := guard.SessionFrom(newJWT(t, jwtRules()), u.session)
			h := behind(guard.FirstOf(guard.Bearer(verify), guard.Cookie("__Host-session", verify)), log)
			for _, fields := range [][]string{
				{"Authorization: Bearer " + token}, {"Authorization: Bearer " + token}, // the second might meet a cache
				{"Authorization: Bearer " + token, "Cookie: __Host-session=" + good}, // no falling back
			} {
				r := send(h, "POST", "/", "", fields...)
				checkRefusal(t, r, 401, "unauthenticated")
				if got, want := r.Header.Get("WWW-Authenticate"), `Bearer error="invalid_token"`; got != want {
					t.Errorf("got challenge %q, want %q", got, want)
				}
			}
			if r := send(h, "POST", "/", "", "Cookie: __Host-session="+token); r.StatusCode != 401 || r.Header.Get("WWW-Authenticate") != "Bearer" {
				t.Errorf("as a cookie: got %d %q, want 401 with a bare challenge", r.StatusCode, r.Header.Get("WWW-Authenticate"))
			}
			if u.calls > 0 {
				t.Error("a session was looked up")
			}
			if len(token) > 1 && strings.Contains(log.String(), token) {
				t.Errorf("the log holds the token: %s", log)
			}
		})
	}
}

func TestSessionOutcomes(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name      string
		users     users
		status    int
		challenge string
		cause     string
	}{
		{name: "a session", status: 200},
		{name: "a revoked token", users: users{deny: map[string]bool{"t-1": true}}, status: 401, challenge: `Bearer error="invalid_token"`, cause: "revoked"},
		{name: "a deleted user", users: users{err: guard.ErrNotFound}, status: 401, challenge: `Bearer error="invalid_token"`, cause: "not found"},
		{name: "a typed nil", users: users{nothing: true}, status: 401, challenge: `Bearer error="invalid_token"`, cause: "nil session"},
		{name: "a broken store", users: users{err: errors.New("connection refused")}, status: 503, cause: "connection refused"},
		{name: "a store that takes too long", users: users{err: context.DeadlineExceeded}, status: 503, cause: "deadline exceeded"},
		{name: "a public error is still a broken store", users: users{err: guard.Fail(403, "x", "X.")}, status: 503, cause: "x"},
		{name: "a panic", users: users{panics: true}, status: 500, cause: "panic: session"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			log, token := &logBuffer{}, hs256(tokenClaims())
			h := behind(guard.Bearer(guard.SessionFrom(newJWT(t, jwtRules()), tt.users.session)), log)
			for range 2 { // the signature is cached the second time, the session never
				r := send(h, "POST", "/", "", "Authorization: Bearer "+token)
				if got := r.Header.Get("WWW-Authenticate"); r.StatusCode != tt.status || got != tt.challenge {
					t.Errorf("got %d %q, want %d %q", r.StatusCode, got, tt.status, tt.challenge)
				}
			}
			if tt.users.calls != 2 {
				t.Errorf("got %d session lookups, want one a request", tt.users.calls)
			}
			if !strings.Contains(log.String(), tt.cause) || strings.Contains(log.String(), token) {
				t.Errorf("got log %s, want %q and no token in it", log, tt.cause)
			}
		})
	}
}

// Revocation takes effect at once, whatever is cached.
func TestRevocationIsImmediate(t *testing.T) {
	t.Parallel()
	u := &users{deny: map[string]bool{}}
	h := behind(guard.Bearer(guard.SessionFrom(newJWT(t, jwtRules()), u.session)), &logBuffer{})
	token := "Authorization: Bearer " + hs256(tokenClaims())
	for i, step := range []struct {
		revoked bool
		want    int
	}{{false, 200}, {true, 401}, {false, 200}} {
		u.deny["t-1"] = step.revoked
		if r := send(h, "POST", "/", "", token); r.StatusCode != step.want {
			t.Errorf("step %d: got %d, want %d", i, r.StatusCode, step.want)
		}
	}
}

// A withdrawn key, a broken key source, and the algorithm confusion of RS256 and HS256.
func TestKeysOfTokens(t *testing.T) {
	t.Parallel()
	now, fail := signedAt, error(nil)
	keys := map[string]*rsa.PublicKey{"k1": &issuerRSA().PublicKey}
	c := jwtRules()
	c.Algorithms, c.Key, c.Now = []string{"RS256"}, nil, func() time.Time { return now }
	c.Keyfunc = func(token *jwt.Token) (any, error) {
		if fail != nil {
			return nil, fail
		}
		kid, _ := token.Header["kid"].(string)
		if key, ok := keys[kid]; ok {
			return key, nil
		}
		return nil, errors.New("unknown kid")
	}
	u := &users{}
	h := behind(guard.Bearer(guard.SessionFrom(newJWT(t, c), u.session)), &logBuffer{})
	sign := func(kid string) string {
		token := jwt.NewWithClaims(jwt.SigningMethodRS256, jwt.MapClaims(tokenClaims()))
		token.Header["kid"] = kid
		text, err := token.SignedString(issuerRSA())
		if err != nil {
			t.Fatal(err)
		}
		return "Authorization: Bearer " + text
	}
	b, _ := json.Marshal(tokenClaims())
	confused := rawToken(`{"alg":"HS256","kid":"k1"}`, string(b), issuerRSA().PublicKey.N.Bytes())
	steps := []struct {
		name   string
		change func()
		token  string
		want   int
	}{
		{name: "a known key", token: sign("k1"), want: 200},
		{name: "an unknown kid", token: sign("k2"), want: 401},
		{name: "a kid that is a path", token: sign("../../etc/passwd"), want: 401},
		{name: "the public key as an HMAC key", token: "Authorization: Bearer " + confused, want: 401},
		{name: "a key source that is down, for a new kid", change: func() { fail = &net.OpError{Op: "dial", Err: errors.New("refused")} }, token: sign("k3"), want: 503},
		{name: "a withdrawn key, after CacheAge", change: func() { fail = nil; delete(keys, "k1"); now = now.Add(time.Minute) }, token: sign("k1"), want: 401},
	}
	for _, step := range steps {
		if step.change != nil {
			step.change()
		}
		if r := send(h, "POST", "/", "", step.token); r.StatusCode != step.want {
			t.Errorf("%s: got %d, want %d", step.name, r.StatusCode, step.want)
		}
	}
}

func TestJWTMistakes(t *testing.T) {
	t.Parallel()
	_, err := guard.NewJWT(guard.JWT{Audience: []string{""}, Algorithms: []string{"none", "HS256", "RS256"}, Key: []byte("short"), Leeway: time.Hour})
	if err == nil || !strings.HasPrefix(err.Error(), "guard: NewJWT: ") || strings.Contains(err.Error(), "short\"") {
		t.Fatalf("got %v", err)
	}
	for _, want := range []string{"Issuer", "Audience", "none", "HS256", "Leeway"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("got %q, want %q in it", err, want)
		}
	}
	c := jwtRules()
	c.Key = []byte("a key that nobody must ever see!")
	for _, text := range []string{fmt.Sprintf("%v %+v %#v %s", c, c, c, c), c.LogValue().String()} {
		if strings.Contains(text, "nobody must") || strings.Contains(text, "97 32 107") {
			t.Errorf("got %q", text)
		}
	}
	mustPanic(t, "no verifier", "the verifier is nil", func() { guard.SessionFrom(nil, (&users{}).session) })
	mustPanic(t, "no session", "session is nil", func() { guard.SessionFrom[*pointerUser](newJWT(t, jwtRules()), nil) })
	h := behind(guard.Bearer(guard.SessionFrom(&guard.JWTVerifier{}, (&users{}).session)), &logBuffer{})
	if r := send(h, "POST", "/", "", "Authorization: Bearer "+hs256(tokenClaims())); r.StatusCode != 401 && r.StatusCode != 503 {
		t.Errorf("the zero verifier: got %d", r.StatusCode)
	}
}

// What was forgotten is verified anew; what was not is not.
func TestForgetToken(t *testing.T) {
	t.Parallel()
	asked := 0
	c := jwtRules()
	c.Key, c.Keyfunc = nil, func(*jwt.Token) (any, error) { asked++; return hmacKey, nil }
	tokens := newJWT(t, c)
	h := behind(guard.Bearer(guard.SessionFrom(tokens, (&users{}).session)), &logBuffer{})
	token := hs256(tokenClaims())
	for i, want := range []int{1, 1, 2} {
		if i == 2 {
			tokens.Forget(token)
		}
		if r := send(h, "POST", "/", "", "Authorization: Bearer "+token); r.StatusCode != 200 || asked != want {
			t.Errorf("request %d: got %d, asked for the key %d times, want 200 and %d", i, r.StatusCode, asked, want)
		}
	}
	(*guard.JWTVerifier)(nil).Forget(token)
}
