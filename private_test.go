package guard_test

import (
	"context"
	"io"
	"net/http"
	"testing"

	"github.com/routeguard/guard"
)

// Caches keep what anyone may see, and nothing else: neither what a session sees, nor
// what an unsafe method answers, such as a new token.
func TestPrivateAnswersAreNotStored(t *testing.T) {
	t.Parallel()
	type caller = guard.Call[User, guard.None, guard.None]
	errs, _ := logged()
	users := guard.Bearer((&service{}).verify)
	mux := guard.NewMux(errs)
	mux.Handle("/anyone", guard.New(guard.Anyone, guard.NoPayload, guard.NoResource, free, errs, ok))
	mux.Handle("/user", guard.New(users, guard.NoPayload, guard.NoResource, free, errs, whoami[User]))
	mux.Handle("/visitor", guard.New(guard.AllowAnonymous(users), guard.NoPayload, guard.NoResource, free, errs, whoami[guard.Maybe[User]]))
	mux.Handle("/stream", guard.New(users, guard.NoPayload, guard.NoResource, free, errs,
		guard.Stream(func(_ context.Context, _ *caller, w http.ResponseWriter) error {
			_, err := io.WriteString(w, "x")
			return err
		})))
	mux.Handle("/wrap", guard.Wrap(users, guard.NoPayload, guard.NoResource, free, errs, http.NotFoundHandler()))
	mux.Handle("/own", guard.New(users, guard.NoPayload, guard.NoResource, free, errs,
		func(context.Context, *caller) (guard.Reply[string], error) {
			return guard.Reply[string]{Header: http.Header{"Cache-Control": {"private, max-age=60"}}}, nil
		}))
	tests := []struct {
		name, method, path, want string
		fields                   []string
	}{
		{name: "anyone reads", method: "GET", path: "/anyone"},
		{name: "anyone asks for the header", method: "HEAD", path: "/anyone"},
		{name: "anyone posts", method: "POST", path: "/anyone", want: "no-store"},
		{name: "anyone deletes", method: "DELETE", path: "/anyone", want: "no-store"},
		{name: "a user reads", method: "GET", path: "/user", fields: []string{alice}, want: "no-store"},
		{name: "a user asks for the header", method: "HEAD", path: "/user", fields: []string{alice}, want: "no-store"},
		{name: "a user posts", method: "POST", path: "/user", fields: []string{alice}, want: "no-store"},
		{name: "a visitor who might have a session", method: "GET", path: "/visitor", want: "no-store"},
		{name: "a stream", method: "GET", path: "/stream", fields: []string{alice}, want: "no-store"},
		{name: "a wrapped handler", method: "GET", path: "/wrap", fields: []string{alice}, want: "no-store"},
		{name: "a refusal", method: "GET", path: "/user", want: "no-store"},
		{name: "an unknown path", method: "GET", path: "/nope", want: "no-store"},
		{name: "what a Reply says", method: "GET", path: "/own", fields: []string{alice}, want: "private, max-age=60"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := send(mux, tt.method, tt.path, "", tt.fields...)
			if got := r.Header.Get("Cache-Control"); got != tt.want {
				t.Errorf("got Cache-Control %q with status %d, want %q", got, r.StatusCode, tt.want)
			}
			if got := r.Header.Get("X-Content-Type-Options"); got != "nosniff" {
				t.Errorf("got X-Content-Type-Options %q, want nosniff", got)
			}
		})
	}
}
