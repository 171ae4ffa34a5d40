package strictjwt

import (
	"strings"
	"testing"
)

func TestNestsWithin(t *testing.T) {
	t.Parallel()
	nested := func(n int) string { return strings.Repeat(`{"a":[`, n/2) + strings.Repeat("]}", n/2) }
	for _, tt := range []struct {
		name, data string
		want       bool
	}{
		{name: "as deep as the limit", data: nested(8), want: true},
		{name: "deeper", data: "[" + nested(8) + "]", want: false},
		{name: "far deeper", data: nested(2000), want: false},
		{name: "more objects than the limit, beside each other", data: "[" + strings.Repeat("{},", 100) + "{}]", want: true},
		{name: "deeper behind those", data: "[" + strings.Repeat("{},", 100) + nested(8) + "]", want: false},
		{name: "brackets in a string", data: `{"a":"` + strings.Repeat("[{", 100) + `"}`, want: true},
		{name: "brackets behind an escaped quote", data: `{"a":"\"` + strings.Repeat("[", 100) + `"}`, want: true},
		{name: "deeper behind an escaped backslash", data: `{"a":"\\",` + nested(8) + `}`, want: false},
		{name: "nothing", data: "", want: true},
	} {
		if got := nestsWithin([]byte(tt.data), 8); got != tt.want {
			t.Errorf("%s: got %v, want %v", tt.name, got, tt.want)
		}
	}
}
