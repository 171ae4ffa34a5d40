package main

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// provider is an identity provider that rotates its keys.
type provider struct {
	*httptest.Server
	mu      sync.Mutex
	keys    map[string]*rsa.PrivateKey
	fetches int
	down    bool
}

func newProvider(t *testing.T) *provider {
	t.Helper()
	p := &provider{keys: map[string]*rsa.PrivateKey{}}
	p.Server = httptest.NewServer(p)
	t.Cleanup(p.Close)
	p.add(t, "k1")
	return p
}

func (p *provider) add(t *testing.T, kid string) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.keys[kid] = key
}

func (p *provider) remove(kid string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.keys, kid)
}

func (p *provider) fetched() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.fetches
}

func (p *provider) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fetches++
	if p.down {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	set := map[string][]map[string]string{"keys": {}}
	for kid, key := range p.keys {
		set["keys"] = append(set["keys"], map[string]string{
			"kty": "RSA", "use": "sig", "alg": "RS256", "kid": kid, "n": base64.RawURLEncoding.EncodeToString(key.N.Bytes()),
			"e": base64.RawURLEncoding.EncodeToString(big.NewInt(int64(key.E)).Bytes()),
		})
	}
	_ = json.NewEncoder(w).Encode(set)
}

// token signs with the key of one kid under the name of another.
func (p *provider) token(t *testing.T, signer, kid, typ string) string {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	token := jwt.NewWithClaims(jwt.SigningMethodRS256, jwt.MapClaims{
		"iss": p.URL, "aud": "projects-api", "sub": "alice", "exp": time.Now().Add(time.Hour).Unix(),
	})
	token.Header["typ"] = typ
	if delete(token.Header, "kid"); kid != "" {
		token.Header["kid"] = kid
	}
	text, err := token.SignedString(p.keys[signer])
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func get(h http.Handler, token string) int {
	r := httptest.NewRequest("GET", "/me", nil)
	r.Header.Set("Authorization", "Bearer "+token)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Code
}

func TestTokens(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	tokens, err := newTokens(t.Context(), p.URL, p.URL, "projects-api", time.Nanosecond)
	if err != nil {
		t.Fatal(err)
	}
	h := routes(tokens)
	p.add(t, "k2")
	for _, tt := range []struct {
		name, signer, kid, typ string
		want                   int
	}{
		{"a key that was fetched at the start", "k1", "k1", "at+jwt", 200},
		{"a key that the provider has added since", "k2", "k2", "at+jwt", 200},
		{"an unknown kid", "k1", "k9", "at+jwt", 401},
		{"a kid that is a path", "k1", "../../etc/passwd", "at+jwt", 401},
		{"no kid: any of the provider's keys may fit", "k1", "", "at+jwt", 200},
		{"another key's signature", "k2", "k1", "at+jwt", 401},
		{"an id token", "k1", "k1", "JWT", 401},
	} {
		if got := get(h, p.token(t, tt.signer, tt.kid, tt.typ)); got != tt.want {
			t.Errorf("%s: got %d, want %d", tt.name, got, tt.want)
		}
	}

	withdrawn := p.token(t, "k1", "k1", "at+jwt")
	tokens.Forget(withdrawn)
	p.remove("k1")
	_ = get(h, p.token(t, "k2", "k9", "at+jwt")) // an unknown kid makes the keys be fetched
	if got := get(h, withdrawn); got != 401 {
		t.Errorf("a withdrawn key: got %d, want 401", got)
	}
}

// Anyone can make up kids: they must neither hold requests up nor pester the provider.
func TestUnknownKeysAreCheap(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	tokens, err := newTokens(t.Context(), p.URL, p.URL, "projects-api", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	h, before, start := routes(tokens), p.fetched(), time.Now()
	for _, kid := range []string{"a", "b", "c", "d", "e", "f"} {
		if got := get(h, p.token(t, "k1", kid, "at+jwt")); got != 401 {
			t.Errorf("kid %s: got %d, want 401", kid, got)
		}
	}
	if n := p.fetched() - before; n != 1 {
		t.Errorf("got %d fetches, want 1", n)
	}
	if d := time.Since(start); d > 10*time.Second {
		t.Errorf("unknown keys took %s", d)
	}
	if got := get(h, p.token(t, "k1", "k1", "at+jwt")); got != 200 {
		t.Errorf("a good token: got %d, want 200", got)
	}
}

func TestProviderDown(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	p.down = true
	if _, err := newTokens(t.Context(), p.URL, p.URL, "projects-api", time.Second); err == nil {
		t.Error("the service starts without keys")
	}
}
