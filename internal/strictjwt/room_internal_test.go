package strictjwt

import "testing"

// What a token said is not left in a pool. It does not run in parallel: others take rooms, too.
func TestRoomsAreWiped(t *testing.T) {
	r := &room{bytes: make([]byte, 0, 1<<10)}
	if b, err := r.decode("c2VjcmV0IGNsYWltcw"); err != nil || string(b) != "secret claims" {
		t.Fatalf("got %q, %v", b, err)
	}
	r.header.KeyID.value, r.claims.Audience = "secret", texts{"secret"}
	kept := r.bytes[:cap(r.bytes)]
	r.release()
	for i, c := range kept {
		if c != 0 {
			t.Fatalf("byte %d is %q, want 0", i, c)
		}
	}
	if r.header.KeyID.value != "" || r.claims.Audience != nil {
		t.Errorf("got %+v and %+v in the pool", r.header, r.claims)
	}
}
