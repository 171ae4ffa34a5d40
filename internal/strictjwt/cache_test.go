package strictjwt_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/routeguard/guard/internal/strictjwt"
)

// observed is a Verifier whose clock the test moves, and which counts how often
// a signature was checked: a hit asks the Keyfunc for nothing.
type observed struct {
	*strictjwt.Verifier
	now    time.Time
	key    any
	checks int
}

func observe(t *testing.T, change func(*strictjwt.Config)) *observed {
	t.Helper()
	o := &observed{now: clock(), key: secret}
	c := config("HS256")
	c.Key, c.Keyfunc = nil, func(*jwt.Token) (any, error) {
		o.checks++
		return o.key, nil
	}
	c.Now = func() time.Time { return o.now }
	if change != nil {
		change(&c)
	}
	o.Verifier = newVerifier(t, c)
	return o
}

func (o *observed) wantChecks(t *testing.T, want int) {
	t.Helper()
	if o.checks != want {
		t.Errorf("got %d signature checks, want %d", o.checks, want)
	}
}

func TestCacheSparesTheSignature(t *testing.T) {
	t.Parallel()
	o := observe(t, nil)
	first := accepted(t, o.Verifier, mint("HS256"))
	second := accepted(t, o.Verifier, mint("HS256"))
	o.wantChecks(t, 1)
	if a, b := fmt.Sprint(first.Subject, first.ID, first.KeyID, first.Audience, first.ExpiresAt, first.IssuedAt, first.NotBefore),
		fmt.Sprint(second.Subject, second.ID, second.KeyID, second.Audience, second.ExpiresAt, second.IssuedAt, second.NotBefore); a != b {
		t.Errorf("got %s from the cache, want %s", b, a)
	}
	type roles struct {
		Role string `json:"role"`
	}
	var want, got roles
	if err := first.Decode(&want); err != nil || want.Role != "member" {
		t.Errorf("got %+v, %v", want, err)
	}
	if err := second.Decode(&got); err != nil || got != want {
		t.Errorf("got %+v, %v from the cache", got, err)
	}
}

func TestCacheCanBeSwitchedOff(t *testing.T) {
	t.Parallel()
	o := observe(t, func(c *strictjwt.Config) { c.CacheSize = -1 })
	accepted(t, o.Verifier, mint("HS256"))
	accepted(t, o.Verifier, mint("HS256"))
	o.wantChecks(t, 2)
	o.Forget(mint("HS256"))
}

// TestCacheChecksTimesOnEveryHit: what is cached is the signature, not the
// verdict.
func TestCacheChecksTimesOnEveryHit(t *testing.T) {
	t.Parallel()
	hour := func(c *strictjwt.Config) { c.CacheAge = time.Hour }
	for _, tt := range []struct {
		name   string
		change func(*strictjwt.Config)
		token  string
		first  time.Duration // since clock
		then   time.Duration
		want   string
	}{
		{"exp", hour, mint("HS256"), 59 * time.Minute, time.Hour + 30*time.Second, "exp has passed"},
		{"a short exp", nil, claiming(swap(basePayload, "1800003600", "1800000005")), 0, 35 * time.Second, "exp has passed"},
		{"nbf, when the clock goes back", hour, mint("HS256"), 0, -31 * time.Second, "nbf is in the future"},
		{"iat, when the clock goes back", hour, claiming(swap(basePayload, `"nbf":1800000000,`, "")), 0, -31 * time.Second, "iat is in the future"},
		{"the maximum age", func(c *strictjwt.Config) { c.CacheAge, c.MaxAge = time.Hour, 20*time.Minute }, mint("HS256"), 0, 21 * time.Minute, "maximum age"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := observe(t, tt.change)
			o.now = clock().Add(tt.first)
			accepted(t, o.Verifier, tt.token)
			accepted(t, o.Verifier, tt.token)
			o.wantChecks(t, 1)
			o.now = clock().Add(tt.then)
			refused(t, o.Verifier, tt.token, tt.want)
		})
	}
}

// TestWithdrawnKeyStopsWithinCacheAge: the promise of Config.CacheAge.
func TestWithdrawnKeyStopsWithinCacheAge(t *testing.T) {
	t.Parallel()
	for _, age := range []time.Duration{0, 10 * time.Second, time.Hour} {
		o := observe(t, func(c *strictjwt.Config) { c.CacheAge = age })
		if age == 0 {
			age = time.Minute
		}
		token := claiming(swap(basePayload, "1800003600", "1900000000"))
		accepted(t, o.Verifier, token)
		o.key = []byte(strings.Repeat("another key ", 4))
		// Uses in between do not prolong it.
		for range 9 {
			o.now = o.now.Add(age / 10)
			accepted(t, o.Verifier, token)
		}
		o.now = clock().Add(age - time.Nanosecond)
		accepted(t, o.Verifier, token)
		o.wantChecks(t, 1)
		o.now = clock().Add(age)
		refused(t, o.Verifier, token, "does not verify")
		o.wantChecks(t, 2)
		renewed := sign("HS256", o.key, baseHeader, swap(basePayload, "1800003600", "1900000000"))
		accepted(t, o.Verifier, renewed)
		refused(t, o.Verifier, token, "does not verify")
	}
}

func TestCacheDistrustsEntriesOfTheFuture(t *testing.T) {
	t.Parallel()
	o := observe(t, nil)
	o.now = clock().Add(time.Minute)
	accepted(t, o.Verifier, mint("HS256"))
	o.now = clock() // put right
	accepted(t, o.Verifier, mint("HS256"))
	o.wantChecks(t, 2)
}

func TestForget(t *testing.T) {
	t.Parallel()
	o := observe(t, nil)
	one, two := mint("HS256"), claiming(swap(basePayload, "user-1", "user-2"))
	accepted(t, o.Verifier, one)
	accepted(t, o.Verifier, two)
	o.Forget(one)
	o.Forget("never seen")
	o.Forget(strings.Repeat("x", 1<<20))
	accepted(t, o.Verifier, two)
	o.wantChecks(t, 2)
	o.key = []byte(strings.Repeat("another key ", 4))
	refused(t, o.Verifier, one, "does not verify")
	accepted(t, o.Verifier, two)
	o.Forget(two)
	refused(t, o.Verifier, two, "does not verify")
}

// TestCacheCannotBePoisoned changes a cached token in every bit and in its
// spelling, and looks for a hit.
func TestCacheCannotBePoisoned(t *testing.T) {
	t.Parallel()
	for _, alg := range []string{"HS256", "ES256"} {
		c := config(alg)
		v := newVerifier(t, c)
		good := mint(alg)
		accepted(t, v, good)
		for i := range len(good) * 8 {
			bad := []byte(good)
			bad[i/8] ^= 1 << (i % 8)
			refused(t, v, string(bad), "")
		}
		for i := range len(good) {
			refused(t, v, good[:i]+good[i+1:], "")
			refused(t, v, good[:i]+"\n"+good[i:], "")
			refused(t, v, good[:i]+"="+good[i:], "")
		}
		dot := strings.LastIndexByte(good, '.')
		refused(t, v, good[:dot+1], "")
		refused(t, v, good+"\x00", "")
		// The payload of another subject under the signature of this one.
		part := strings.Split(good, ".")
		refused(t, v, part[0]+"."+encode(swap(basePayload, "user-1", "admin"))+"."+part[2], "does not verify")
		accepted(t, v, good)
	}
}

func TestRefusedTokensAreNotCached(t *testing.T) {
	t.Parallel()
	o := observe(t, func(c *strictjwt.Config) { c.CacheSize = 2 })
	good := mint("HS256")
	accepted(t, o.Verifier, good)
	for _, token := range []string{
		claiming(swap(basePayload, "projects-api", "other")),
		claiming(swap(basePayload, "1800003600", "1")),
		claiming(`{}`),
		forge(good),
	} {
		before := o.checks
		refused(t, o.Verifier, token, "")
		refused(t, o.Verifier, token, "")
		o.wantChecks(t, before+2)
	}
	// The smallest cache still has the good one, whatever was sent in between.
	before := o.checks
	for i := range 1000 {
		forged := sign("HS256", []byte("an attacker's key, 32 bytes long"), baseHeader, swap(basePayload, "user-1", fmt.Sprint("user-", i)))
		refused(t, o.Verifier, forged, "does not verify")
	}
	accepted(t, o.Verifier, good)
	o.wantChecks(t, before+1000)
}

// hostile writes into what it is given, which encoding/json forbids and nobody
// prevents.
type hostile struct{}

func (*hostile) UnmarshalJSON(b []byte) error {
	for i := range b {
		b[i] = 'x'
	}
	return nil
}

func TestClaimsAreTheCallersOwn(t *testing.T) {
	t.Parallel()
	v := newVerifier(t, config("HS256"))
	for range 3 { // the first is put into the cache, the next come from it
		claims := accepted(t, v, mint("HS256"))
		if !slices.Equal(claims.Audience, []string{"projects-api"}) {
			t.Fatalf("got audience %q", claims.Audience)
		}
		var role struct {
			Role string `json:"role"`
		}
		if err := claims.Decode(&role); err != nil || role.Role != "member" {
			t.Fatalf("got %+v, %v", role, err)
		}
		claims.Audience[0], claims.Subject = "changed", "admin"
		_ = claims.Decode(new(hostile))
		_ = claims.Decode(new(struct {
			Role hostile `json:"role"`
		}))
	}
}

func TestVerifiersShareNothing(t *testing.T) {
	t.Parallel()
	accepted(t, newVerifier(t, config("HS256")), mint("HS256"))
	c := config("HS256")
	c.Key = []byte(strings.Repeat("another key ", 4))
	refused(t, newVerifier(t, c), mint("HS256"), "does not verify")
	c = config("HS256")
	c.Audience = []string{"other"}
	refused(t, newVerifier(t, c), mint("HS256"), "aud")
}
