package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/routeguard/guard"
	"github.com/routeguard/guard/examples/server/password"
	"github.com/routeguard/guard/examples/server/store"
	"github.com/routeguard/guard/openapi/openapitest"
	"github.com/routeguard/guard/redisstore"
)

// service is the whole service on a real listener, with a database of its own and the demo data.
type service struct {
	*app
	url string
	key []byte
	log *syncBuffer
	mux *guard.Mux

	contract *openapitest.Contract
}

const (
	seedPassword = "correct horse battery staple"
	aliceProject = store.DemoProjectAlice
	bobProject   = store.DemoProjectBob
)

// startService starts the service with settings as its environment would have them.
func startService(t *testing.T, settings map[string]string) *service {
	t.Helper()
	s := &service{key: bytes.Repeat([]byte("k"), 31), log: &syncBuffer{}}
	s.key = append(s.key, 'x')
	env := map[string]string{
		"JWT_HS256_KEY": base64.StdEncoding.EncodeToString(s.key), "SEED_PASSWORD": seedPassword, "LOG_LEVEL": "debug", "LOG_FORMAT": "json",
		"CALLER_LIMIT": "1000",
	}
	for name, value := range settings {
		env[name] = value
	}
	cfg, err := loadConfig(func(name string) string { return env[name] })
	if err != nil {
		t.Fatal(err)
	}
	db, err := store.Open(t.Context(), cfg.databaseURL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	shared := patientStore(t, cfg)
	t.Cleanup(func() { shared.Close() })
	s.app = &app{
		store: db, shared: shared, passwords: password.New(2),
		tokens:    signer{key: cfg.jwtHS256Key, issuer: cfg.jwtIssuer, audience: cfg.jwtAudience},
		completer: localCompleter{},
	}
	mux, err := s.routes(cfg, cfg.logger(s.log))
	if err != nil {
		t.Fatal(err)
	}
	s.mux = mux
	if s.contract, err = openapitest.Read(s.document(t)); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(s.handler(mux))
	t.Cleanup(server.Close)
	s.url = server.URL
	hash, err := seedHash()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.SeedDemo(t.Context(), hash); err != nil {
		t.Fatal(err)
	}
	return s
}

// patientStore is the service's own, but for its time limit: a busy machine is no outage.
func patientStore(t *testing.T, c config) *redisstore.Store {
	t.Helper()
	if c.redisURL == nil {
		return nil
	}
	s, err := redisstore.Connect(string(c.redisURL), redisstore.Options{Prefix: "projects", Timeout: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// seedHash is that of seedPassword. It is made once: TestAttack starts hundreds of services, and hashing is slow on purpose.
var seedHash = sync.OnceValues(func() (string, error) { return password.New(1).Hash(context.Background(), seedPassword) })

// token mints a session token; change may spoil its claims.
func (s *service) token(t *testing.T, subject string, change ...func(jwt.MapClaims)) string {
	t.Helper()
	now := time.Now()
	claims := jwt.MapClaims{"sub": subject, "iss": "https://projects.example", "aud": "projects-api",
		"iat": now.Unix(), "exp": now.Add(time.Hour).Unix(), "jti": "jti-of-" + subject}
	for _, f := range change {
		f(claims)
	}
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString(s.key)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func (s *service) bearer(t *testing.T, subject string, change ...func(jwt.MapClaims)) string {
	t.Helper()
	return "Authorization: Bearer " + s.token(t, subject, change...)
}

type response struct {
	status int
	header http.Header
	body   string
}

// code is the code of a problem.
func (r response) code(t *testing.T) string {
	t.Helper()
	var p struct{ Code string }
	if err := json.Unmarshal([]byte(r.body), &p); err != nil {
		t.Errorf("status %d, body %q: %v", r.status, r.body, err)
	}
	return p.Code
}

// do sends a request. Headers are "Name: value"; "Repeat: 6" sends it six times and returns the last response.
func (s *service) do(t *testing.T, method, path, body string, headers ...string) response {
	t.Helper()
	if method == "" {
		method = http.MethodGet
	}
	times := 1
	var last response
	for n := 0; n < times; n++ {
		r, err := http.NewRequestWithContext(t.Context(), method, s.url+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		if body != "" {
			r.Header.Set("Content-Type", "application/json")
		}
		for _, h := range headers {
			switch name, value, _ := strings.Cut(h, ": "); name {
			case "Repeat":
				times = int(value[0] - '0')
			case "Content-Type":
				r.Header.Set(name, value)
			default:
				r.Header.Add(name, value)
			}
		}
		last = send(t, r)
		s.described(t, method, path, last)
	}
	return last
}

func send(t *testing.T, r *http.Request) response {
	t.Helper()
	res, err := (&http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response{res.StatusCode, res.Header, string(b)}
}

// syncBuffer is a log that several goroutines write.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *syncBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *syncBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
