package guardtest_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/routeguard/guard"
	"github.com/routeguard/guard/guardtest"
)

type caller struct{ id string }

func (c caller) Subject() string { return c.id }
func (c caller) Admin() bool     { return c.id == "admin" }

// recorder is a testing.TB that notes a failure instead of ending the test.
type recorder struct {
	testing.TB
	failure string
}

func (r *recorder) Helper() {}
func (r *recorder) Fatalf(format string, args ...any) {
	r.failure = fmt.Sprintf(format, args...)
	panic(r)
}
func (r *recorder) Fatal(args ...any) { r.Fatalf("%s", fmt.Sprint(args...)) }

func golden(t *testing.T, mux *guard.Mux, file string) (failure string) {
	t.Helper()
	r := &recorder{TB: t}
	defer func() {
		if p := recover(); p != nil && p != any(r) {
			panic(p)
		}
		failure = r.failure
	}()
	guardtest.Golden(r, mux, file)
	return ""
}

func muxOf(who guard.Authenticator[caller], limit guard.Limit, more ...string) *guard.Mux {
	errs := &guard.Responder{}
	mux := guard.NewMux(errs)
	ok := func(context.Context, *guard.Call[caller, guard.None, guard.None]) (guard.None, error) {
		return guard.None{}, nil
	}
	mux.Handle("POST /role", guard.New(who, guard.NoPayload, guard.NoResource, limit, errs, ok))
	for _, pattern := range more {
		mux.Unguarded(pattern, "a test", http.NotFoundHandler())
	}
	return mux
}

type strict struct {
	Name string `json:"name" normalize:"trim" validate:"required,max=80"`
}

type lax struct {
	Name string `json:"name" validate:"max=8000"`
	Role string `json:"role" validate:"max=9" guard:"client"`
}

func inputOf[T any]() *guard.Mux {
	errs := &guard.Responder{}
	mux := guard.NewMux(errs)
	mux.Handle("POST /names", guard.New(guard.Anyone, guard.JSON[T], guard.NoResource, guard.Unlimited("a test"), errs,
		func(context.Context, *guard.Call[guard.Anonymous, T, guard.None]) (guard.None, error) {
			return guard.None{}, nil
		}))
	return mux
}

func TestGoldenSeesTheRulesOfAnInput(t *testing.T) {
	file := filepath.Join(t.TempDir(), "routes.golden")
	t.Setenv("GUARD_UPDATE", "1")
	if got := golden(t, inputOf[strict](), file); got != "" {
		t.Fatal(got)
	}
	t.Setenv("GUARD_UPDATE", "")
	if got := golden(t, inputOf[strict](), file); got != "" {
		t.Errorf("the same input: got %s", got)
	}
	got := golden(t, inputOf[lax](), file)
	for _, want := range []string{
		"- \tfield\t/name string normalize:\"trim\" validate:\"required,max=80\"\n",
		"+ \tfield\t/name string validate:\"max=8000\"\n",
		"+ \tfield\t/role string validate:\"max=9\" guard:\"client\"\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
}

// Not parallel: it sets the environment.
func TestGolden(t *testing.T) {
	users := guard.Bearer(func(context.Context, string) (caller, error) { return caller{}, guard.ErrNoSession })
	admins := guard.Only(users, caller.Admin)
	limits := &guard.Limiter{}
	ten := limits.PerCaller(10, time.Minute)
	file := filepath.Join(t.TempDir(), "testdata", "routes.golden")
	if got := golden(t, muxOf(admins, ten), file); !strings.Contains(got, "does not exist") {
		t.Errorf("without a file: got %q", got)
	}
	t.Setenv("GUARD_UPDATE", "1")
	if got := golden(t, muxOf(admins, ten), file); got != "" {
		t.Fatalf("writing: got %q", got)
	}
	t.Setenv("GUARD_UPDATE", "")
	if b, err := os.ReadFile(file); err != nil || string(b) != "POST /role\n\twho\tbearer only caller.Admin\n\twhat\tnone\n\twhich\tnone\n\tlimits\t10/1m per caller\n\terrors\tapplication/problem+json\n\tends\thandler\n\tlook at\tno hook follows this mutation\n" {
		t.Errorf("got file %q, %v", b, err)
	}
	tests := []struct {
		name string
		mux  *guard.Mux
		want []string // nothing: no difference
	}{
		{name: "the same routes", mux: muxOf(admins, ten)},
		{name: "a role that was dropped", mux: muxOf(users, ten), want: []string{"  POST /role\n- \twho\tbearer only caller.Admin\n+ \twho\tbearer\n"}},
		{name: "a limit that was raised", mux: muxOf(admins, limits.PerCaller(1000, time.Minute)), want: []string{"+ \tlimits\t1000/1m per caller\n"}},
		{name: "a limit that was dropped", mux: muxOf(admins, guard.Unlimited("later")), want: []string{"+ \tlimits\tunlimited: later\n"}},
		{name: "a new route", mux: muxOf(admins, ten, "GET /debug"), want: []string{"+ GET /debug\n", "+ \tunguarded\ta test\n"}},
		{name: "no routes", mux: guard.NewMux(&guard.Responder{}), want: []string{"- POST /role\n"}},
	}
	for _, tt := range tests {
		got := golden(t, tt.mux, file)
		if (got == "") != (len(tt.want) == 0) {
			t.Errorf("%s: got %q", tt.name, got)
		}
		for _, want := range tt.want {
			if !strings.Contains(got, want) {
				t.Errorf("%s: no %q in\n%s", tt.name, want, got)
			}
		}
	}
}
