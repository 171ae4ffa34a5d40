package guard_test

import (
	"context"
	"errors"
	"testing"

	"github.com/routeguard/guard"
)

// An upload without a signature is refused without the 100 that would invite it.
func TestUnsignedUploadIsNotInvited(t *testing.T) {
	t.Parallel()
	who, err := guard.Signed(guard.Webhook{Secrets: []string{webhookSecret}})
	if err != nil {
		t.Fatal(err)
	}
	errs, _ := logged()
	mux := route("POST /hook", errs, guard.New(who, guard.JSON[note], guard.NoResource, free, errs,
		func(context.Context, *guard.Call[guard.Message, note, guard.None]) (guard.None, error) {
			return guard.None{}, nil
		}))
	got := rawSend(t, listen(t, mux), head("POST /hook", "Content-Type: application/json", "Content-Length: 20000", "Expect: 100-continue"), false)
	if got.invited || got.StatusCode != 401 {
		t.Errorf("got %+v, want 401 and no invitation", got)
	}
}

type unsure struct {
	Text string `json:"text"`
}

func (unsure) Validate(context.Context) error { return errors.New("the rules cannot be read") }

// A rule that fails is the same 500 as any other failure of the service.
func TestRuleThatFailsIsInternal(t *testing.T) {
	t.Parallel()
	errs, _ := logged()
	g := guard.New(guard.Anyone, guard.JSON[unsure], guard.NoResource, free, errs,
		func(context.Context, *guard.Call[guard.Anonymous, unsure, guard.None]) (guard.None, error) {
			return guard.None{}, nil
		})
	checkRefusal(t, send(g, "POST", "/", `{"text":"x"}`), 500, "internal")
}
