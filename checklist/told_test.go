package checklist_test

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/routeguard/guard"
	"github.com/routeguard/guard/checklist"
)

type shown struct {
	ID      string    `json:"id"`
	Created time.Time `json:"created"`
	Picture []byte    `json:"picture,omitempty"`
	Secret  string    `json:"-"`
	Spare   int
	hidden  string
}

type shownList struct {
	shown
	All   []*shown         `json:"all"`
	By    map[string][]int `json:"by"`
	Raw   json.RawMessage  `json:"raw"`
	Any   any              `json:"any"`
	Again *shownTree       `json:"again"`
}

type shownTree struct {
	Name     string      `json:"name"`
	Children []shownTree `json:"children"`
}

// told is what the checklist says of a handler's result.
func told[Out any](t *testing.T) []string {
	t.Helper()
	mux := guard.NewMux(&guard.Responder{})
	mux.Handle("GET /", guard.New(guard.Anyone, guard.NoPayload, guard.NoResource, guard.Unlimited("a test"), &guard.Responder{},
		func(context.Context, *guard.Call[guard.Anonymous, guard.None, guard.None]) (out Out, err error) {
			return out, nil
		}))
	var b strings.Builder
	if err := checklist.WriteText(&b, mux.Routes()); err != nil {
		t.Fatal(err)
	}
	var lines []string
	for line := range strings.Lines(b.String()) {
		if member, ok := strings.CutPrefix(line, "\ttells\t"); ok {
			lines = append(lines, strings.TrimSuffix(member, "\n"))
		}
	}
	return lines
}

// A member that is added to a response is a line of its own, as a review needs it.
func TestWriteTextListsWhatAResultTells(t *testing.T) {
	t.Parallel()
	_ = shown{}.hidden
	one := func(at string) []string {
		return []string{at + "/id string", at + "/created time.Time", at + "/picture []uint8", at + "/Spare int"}
	}
	list := slices.Concat(one(""), one("/all/*"), []string{"/by/*/* int", "/raw raw JSON", "/any interface {}", "/again/name string"})
	if got := told[guard.Reply[shown]](t); !slices.Equal(got, one("")) {
		t.Errorf("of a reply: got %q, want %q", got, one(""))
	}
	if got := told[shownList](t); len(got) < len(list) || !slices.Equal(got[:len(list)], list) {
		t.Errorf("of nested structs: got %q, want it to begin with %q", got, list)
	} else if last := got[len(got)-1]; !strings.HasSuffix(last, "checklist_test.shownTree") {
		t.Errorf("of a type within itself: got %q at last, want its name", last)
	}
	if got := told[guard.None](t); len(got) > 0 {
		t.Errorf("of nothing: got %q", got)
	}
	if got, want := told[[]string](t), []string{"/* string"}; !slices.Equal(got, want) {
		t.Errorf("of a list: got %q, want %q", got, want)
	}
}

// What becomes of a captured message is a line, too: a wider tolerance, or a store that forgets.
func TestWriteTextSaysHowLongAMessageIsGood(t *testing.T) {
	t.Parallel()
	secret := "whsec_" + strings.Repeat("MDEy", 8)
	for _, test := range []struct {
		name   string
		sender guard.Webhook
		want   string
	}{
		{"the defaults", guard.Webhook{Secrets: []string{secret}}, "\tmessages\twithin 5m, remembered 24h\n"},
		{"a wider tolerance", guard.Webhook{Secrets: []string{secret}, Tolerance: time.Hour}, "\tmessages\twithin 1h, remembered 24h\n"},
		{"a store", guard.Webhook{Secrets: []string{secret}, Replay: forgetful{}}, "\tmessages\twithin 5m, remembered 24h in checklist_test.forgetful\n"},
		{"no signed time", guard.Webhook{Scheme: guard.GitHub, Secrets: []string{strings.Repeat("s", 20)}}, "\tmessages\tof any time, remembered 168h\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			sender, err := guard.Signed(test.sender)
			if err != nil {
				t.Fatal(err)
			}
			g := guard.New(sender, guard.JSON[update], guard.NoResource, guard.Unlimited("a test"), &guard.Responder{},
				func(context.Context, *guard.Call[guard.Message, update, guard.None]) (guard.None, error) {
					return guard.None{}, nil
				})
			var b strings.Builder
			if err := checklist.WriteText(&b, []checklist.Route{guard.Describe("POST /hook", g)}); err != nil || !strings.Contains(b.String(), test.want) {
				t.Errorf("got %q, %v, want %q", &b, err, test.want)
			}
		})
	}
}

type forgetful struct{ guard.ReplayStore }
