package strictjwt

import (
	"encoding/json"
	"reflect"
	"testing"
)

// askedRole counts how often it is decoded: code that may answer differently must
// be asked each time.
type askedRole string

var asked int

func (r *askedRole) UnmarshalJSON(b []byte) error {
	asked++
	return json.Unmarshal(b, (*string)(r))
}

// TestDecodeAgain: what one token was decoded into is repeated for the next
// request, unless that could share or change anything.
func TestDecodeAgain(t *testing.T) {
	text := `{"role":"member","level":3,"deep":{"ok":true},"groups":["a"]}`
	claims := Claims{payload: &kept{text: &text, types: new(typeMemo)}}
	type flatClaims struct {
		Role string `json:"role"`
		Deep struct {
			OK bool `json:"ok"`
		} `json:"deep"`
		Level int8 `json:"level"`
	}
	for i := range 3 {
		var got flatClaims
		if err := claims.Decode(&got); err != nil || got.Role != "member" || !got.Deep.OK || got.Level != 3 {
			t.Errorf("%d: got %+v, %v", i, got, err)
		}
		got.Role, got.Deep.OK = "admin", false // in its own copy
	}
	if claims.payload.last.Load() == nil {
		t.Error("nothing was remembered")
	}

	merged := flatClaims{Level: 9}
	merged.Deep.OK = true
	other := `{"role":"other"}`
	if err := (Claims{payload: &kept{text: &other, types: new(typeMemo)}}).Decode(&merged); err != nil || merged.Level != 9 || merged.Role != "other" {
		t.Errorf("got %+v, %v: what was there must stay", merged, err)
	}

	type shared struct {
		Groups []string `json:"groups"`
	}
	var first, second shared
	if err := claims.Decode(&first); err != nil {
		t.Fatal(err)
	}
	first.Groups[0] = "changed"
	if err := claims.Decode(&second); err != nil || second.Groups[0] != "a" {
		t.Errorf("got %q, %v, want a slice of its own", second.Groups, err)
	}

	var custom struct {
		Role askedRole `json:"role"`
	}
	before := asked
	for range 2 {
		custom.Role = ""
		if err := claims.Decode(&custom); err != nil || custom.Role != "member" {
			t.Errorf("got %q, %v", custom.Role, err)
		}
	}
	if got := asked - before; got != 2 {
		t.Errorf("got %d calls of UnmarshalJSON, want 2", got)
	}

	if err := claims.Decode(&flatClaims{}); err != nil {
		t.Error(err)
	}
	if err := claims.Decode((*flatClaims)(nil)); err == nil {
		t.Error("a nil pointer was accepted")
	}
	if err := claims.Decode(nil); err == nil {
		t.Error("nil was accepted")
	}

	uncached := Claims{payload: &kept{text: &text}}
	var got flatClaims
	if err := uncached.Decode(&got); err != nil || uncached.payload.last.Load() != nil {
		t.Errorf("got %v; without a cache nothing is worth remembering", err)
	}
}

// TestDecodeShares: tokens that say the same share what is remembered, and no token
// gets what another says.
func TestDecodeShares(t *testing.T) {
	t.Parallel()
	type role struct {
		Role  string  `json:"role"`
		Level float64 `json:"level"`
	}
	types := new(typeMemo)
	var last *decoded
	for _, tt := range []struct {
		name   string
		text   string
		want   role
		shared bool // with the row before
	}{
		{name: "the first token", text: `{"sub":"1","role":"member"}`, want: role{Role: "member"}},
		{name: "another user of the same role", text: `{"sub":"2","role":"member"}`, want: role{Role: "member"}, shared: true},
		{name: "another role", text: `{"sub":"3","role":"admin"}`, want: role{Role: "admin"}},
		{name: "the same role at another level", text: `{"sub":"4","role":"admin","level":1}`, want: role{Role: "admin", Level: 1}},
		{name: "no role", text: `{"sub":"5"}`},
	} {
		claims := Claims{payload: &kept{text: &tt.text, types: types}}
		for range 2 {
			var got role
			if err := claims.Decode(&got); err != nil || got != tt.want {
				t.Errorf("%s: got %+v, %v, want %+v", tt.name, got, err, tt.want)
			}
			got.Role = "changed" // in its own copy
		}
		kept := claims.payload.last.Load()
		if got := kept == last; got != tt.shared {
			t.Errorf("%s: got shared %v, want %v", tt.name, got, tt.shared)
		}
		last = kept
	}

	var other struct {
		Role string `json:"role"`
	}
	text := `{"role":"admin"}`
	claims := Claims{payload: &kept{text: &text, types: types}}
	if err := claims.Decode(&other); err != nil || other.Role != "admin" || claims.payload.last.Load() == last {
		t.Errorf("another type: got %+v, %v, want a value of its own", other, err)
	}
}

// TestTypeMemo: a type that came before another is judged again, and the same.
func TestTypeMemo(t *testing.T) {
	t.Parallel()
	var m typeMemo
	for i, of := range []any{"", "", []string{}, []string{}, "", askedRole(""), struct{ N int }{}, struct{ N []int }{}} {
		want := i < 2 || i == 4 || i == 6
		if got := m.flat(reflect.TypeOf(of)); got != want {
			t.Errorf("%d: %T: got %v, want %v", i, of, got, want)
		}
	}
}
