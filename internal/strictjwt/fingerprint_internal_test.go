package strictjwt

import (
	"crypto/fips140"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// TestFingerprints: whatever is changed in a token changes its fingerprint, in the
// approved form as in the other.
func TestFingerprints(t *testing.T) {
	t.Parallel()
	token := strings.Repeat("eyJhbGciOiJIUzI1NiJ9.", 12)
	for _, approved := range []bool{false, true} {
		f := newFingerprinter(approved)
		seen := map[fingerprint]string{}
		add := func(what, token string) {
			t.Helper()
			sum := f.of(token)
			if sum != f.of(token) {
				t.Errorf("approved %v: %s: got two fingerprints of one token", approved, what)
			}
			if other, ok := seen[sum]; ok {
				t.Errorf("approved %v: %s has the fingerprint of %s", approved, what, other)
			}
			seen[sum] = what
		}
		add("the token", token)
		for i := range len(token) * 8 {
			changed := []byte(token)
			changed[i/8] ^= 1 << (i % 8)
			add("a bit flipped", string(changed))
		}
		for n := range len(token) {
			add("a beginning", token[:n])
		}
		for n := 1; n < 40; n++ { // padding to a whole block must not count
			add("zeros behind", token+strings.Repeat("\x00", n))
			add("zeros before", strings.Repeat("\x00", n)+token)
		}
		add("blocks swapped", token[16:32]+token[:16]+token[32:])
		add("the longest", strings.Repeat("A", MaxTokenBytes))
		add("the longest but one", strings.Repeat("A", MaxTokenBytes-1))

		if f.of(token) == newFingerprinter(approved).of(token) {
			t.Errorf("approved %v: two caches have one fingerprint for a token", approved)
		}
	}
}

// TestCacheUsesWhatIsApproved: SHA-256 where the process runs in FIPS 140-3 mode, the
// polynomial elsewhere. Of the headroom, only SHA-256 takes the second half.
func TestCacheUsesWhatIsApproved(t *testing.T) {
	t.Parallel()
	b := append(make([]byte, headroom), "a.b.c"...)
	newCache(0, 0).fingerprints.sum(b)
	hashed := slices.ContainsFunc(b[headroom/2:headroom], func(c byte) bool { return c != 0 })
	if hashed != fips140.Enabled() {
		t.Errorf("got SHA-256 %v, want %v", hashed, fips140.Enabled())
	}
}

func TestFingerprintInputsAreWiped(t *testing.T) {
	t.Parallel()
	for _, approved := range []bool{false, true} {
		f := newFingerprinter(approved)
		sum := f.sum
		var input []byte
		f.sum = func(b []byte) fingerprint {
			input = b
			return sum(b)
		}
		for _, token := range []string{"a secret", strings.Repeat("a long secret", 200)} {
			f.of(token)
			if slices.ContainsFunc(input, func(c byte) bool { return c != 0 }) || len(input) != headroom+len(token) {
				t.Errorf("approved %v: got %q in the pool", approved, input)
			}
		}
	}
}

// TestCacheInFIPSMode runs tests of the cache where GCM with a nonce of one's own is
// refused.
func TestCacheInFIPSMode(t *testing.T) {
	if fips140.Enabled() {
		t.Skip("is in it")
	}
	t.Parallel()
	for _, mode := range []string{"on", "only"} {
		cmd := exec.Command(os.Args[0], "-test.run=^(TestFingerprints|TestCacheUsesWhatIsApproved|TestForget|TestCacheSparesTheSignature|TestVerifiersShareNothing)$", "-test.v")
		cmd.Env = append(os.Environ(), "GODEBUG=fips140="+mode)
		out, err := cmd.CombinedOutput()
		if err != nil || strings.Count(string(out), "--- PASS: Test") != 5 {
			t.Errorf("%s: got %v, want five tests passed:\n%s", mode, err, out)
		}
	}
}
