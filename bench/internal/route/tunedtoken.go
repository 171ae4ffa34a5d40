package route

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"hash"
	"hash/maphash"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json"
	"golang.org/x/time/rate"
)

// tunedTokens remembers the sessions of verified tokens, by the token itself.
type tunedTokens struct {
	limit  Limit
	macs   sync.Pool // of hash.Hash
	seed   maphash.Seed
	shards [16]tunedShard

	mu       sync.Mutex
	limiters map[string]*rate.Limiter
}

type tunedShard struct {
	mu       sync.RWMutex
	sessions map[string]*tunedSession
}

// tunedSession is a verified token: whose it is, until when, and their limiter.
type tunedSession struct {
	caller  Caller
	limiter *rate.Limiter
	until   time.Time
}

const (
	maxTunedSessions = 1 << 10 // in a shard, which is then emptied
	tunedSessionAge  = time.Minute
)

func newTunedTokens(limit Limit) *tunedTokens {
	t := &tunedTokens{limit: limit, seed: maphash.MakeSeed(), limiters: map[string]*rate.Limiter{}}
	t.macs.New = func() any { return hmac.New(sha256.New, key) }
	for i := range t.shards {
		t.shards[i].sessions = map[string]*tunedSession{}
	}
	return t
}

func (t *tunedTokens) session(r *http.Request) (*tunedSession, error) {
	fields := r.Header["Authorization"]
	if len(fields) != 1 {
		return nil, errUnauthenticated
	}
	token, ok := strings.CutPrefix(fields[0], "Bearer ")
	if !ok || len(token) > 8<<10 {
		return nil, errUnauthenticated
	}
	now := time.Now()
	shard := &t.shards[maphash.String(t.seed, token)%uint64(len(t.shards))]
	shard.mu.RLock()
	s := shard.sessions[token]
	shard.mu.RUnlock()
	if s != nil && now.Before(s.until) {
		return s, nil
	}
	s, err := t.verify(token, now)
	if err != nil {
		return nil, err
	}
	shard.mu.Lock()
	defer shard.mu.Unlock()
	if len(shard.sessions) >= maxTunedSessions {
		clear(shard.sessions)
	}
	shard.sessions[strings.Clone(token)] = s
	return s, nil
}

// tunedHeader is {"alg":"HS256","typ":"JWT"}, the header of every token of ours.
const tunedHeader = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9"

func (t *tunedTokens) verify(token string, now time.Time) (*tunedSession, error) {
	rest, ok := strings.CutPrefix(token, tunedHeader+".")
	payload, signature, ok2 := strings.Cut(rest, ".")
	if !ok || !ok2 || !t.signed(token[:len(token)-len(signature)-1], signature) {
		return nil, errUnauthenticated
	}
	var buf [512]byte
	text, err := base64.RawURLEncoding.AppendDecode(buf[:0], []byte(payload))
	if err != nil {
		return nil, errUnauthenticated
	}
	var c struct {
		Subject  string `json:"sub"`
		Role     string `json:"role"`
		Issuer   string `json:"iss"`
		Audience string `json:"aud"`
		Expires  int64  `json:"exp"`
	}
	if err := json.Unmarshal(text, &c); err != nil || c.Subject == "" || c.Issuer != issuer || c.Audience != audience || c.Expires == 0 {
		return nil, errUnauthenticated
	}
	until := time.Unix(c.Expires, 0).Add(leeway)
	if !now.Before(until) {
		return nil, errUnauthenticated
	}
	if forget := now.Add(tunedSessionAge); forget.Before(until) {
		until = forget
	}
	return &tunedSession{Caller{c.Subject, c.Role}, t.limiter(c.Subject), until}, nil
}

func (t *tunedTokens) signed(message, signature string) bool {
	var buf, sum [sha256.Size]byte
	got, err := base64.RawURLEncoding.Strict().AppendDecode(buf[:0], []byte(signature))
	if err != nil || len(got) != len(sum) {
		return false
	}
	mac, _ := t.macs.Get().(hash.Hash)
	defer t.macs.Put(mac)
	mac.Reset()
	_, _ = mac.Write([]byte(message))
	return hmac.Equal(got, mac.Sum(sum[:0]))
}

func (t *tunedTokens) limiter(caller string) *rate.Limiter {
	t.mu.Lock()
	defer t.mu.Unlock()
	l, ok := t.limiters[caller]
	if !ok {
		l = rate.NewLimiter(rate.Limit(t.limit.perSecond()), t.limit.N)
		t.limiters[caller] = l
	}
	return l
}
