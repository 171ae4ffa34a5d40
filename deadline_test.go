package guard

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"testing/synctest"
	"time"
)

// deadline must not be told from context.WithTimeout, whoever asks it what, in
// whatever order.
func TestDeadline(t *testing.T) {
	t.Parallel()
	type key struct{}
	tests := []struct {
		name string
		run  func(t *testing.T, parent context.CancelFunc, ctx context.Context, end func())
		want error
	}{
		{"nothing happens", func(*testing.T, context.CancelFunc, context.Context, func()) {}, nil},
		{"time passes and nobody waits", func(*testing.T, context.CancelFunc, context.Context, func()) { time.Sleep(time.Minute) }, context.DeadlineExceeded},
		{"somebody waits", func(_ *testing.T, _ context.CancelFunc, ctx context.Context, _ func()) { <-ctx.Done() }, context.DeadlineExceeded},
		{"the parent ends", func(_ *testing.T, parent context.CancelFunc, _ context.Context, _ func()) { parent() }, context.Canceled},
		{"the parent ends while somebody waits", func(_ *testing.T, parent context.CancelFunc, ctx context.Context, _ func()) {
			go parent()
			<-ctx.Done()
		}, context.Canceled},
		{"it is released", func(_ *testing.T, _ context.CancelFunc, _ context.Context, end func()) { end() }, context.Canceled},
		{"somebody waits after it was released", func(_ *testing.T, _ context.CancelFunc, ctx context.Context, end func()) {
			end()
			<-ctx.Done()
		}, context.Canceled},
		{"a child of it ends in time", func(t *testing.T, _ context.CancelFunc, ctx context.Context, _ func()) {
			child, cancel := context.WithCancel(ctx)
			defer cancel()
			<-child.Done()
			if !errors.Is(child.Err(), context.DeadlineExceeded) {
				t.Errorf("the child: got %v, want the deadline", child.Err())
			}
		}, context.DeadlineExceeded},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				check := func(what string, parent context.CancelFunc, ctx context.Context, end func()) {
					tt.run(t, parent, ctx, end)
					if got := ctx.Err(); !errors.Is(got, tt.want) {
						t.Errorf("%s: got %v, want %v", what, got, tt.want)
					}
					if ctx.Value(key{}) != "v" {
						t.Errorf("%s: the parent's value is lost", what)
					}
					if at, ok := ctx.Deadline(); !ok || at.IsZero() {
						t.Errorf("%s: no deadline", what)
					}
					end()
				}
				parent, stop := context.WithCancel(context.WithValue(context.Background(), key{}, "v"))
				d := new(deadline)
				d.start(parent, time.Now().Add(30*time.Second))
				check("deadline", stop, d, d.end)
				stop()
				parent, stop = context.WithCancel(context.WithValue(context.Background(), key{}, "v"))
				ctx, cancel := context.WithTimeout(parent, 30*time.Second)
				check("context.WithTimeout", stop, ctx, cancel)
				stop()
			})
		})
	}
}

func TestDeadlineKeepsAnEarlierOne(t *testing.T) {
	t.Parallel()
	parent, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	d := new(deadline)
	d.start(parent, time.Now().Add(time.Hour))
	defer d.end()
	want, _ := parent.Deadline()
	if got, _ := d.Deadline(); !got.Equal(want) {
		t.Errorf("got %v, want the parent's %v", got, want)
	}
}

// Package context watches a context that it does not know with a goroutine for
// each child.
func TestDeadlineNeedsNoGoroutine(t *testing.T) {
	d := new(deadline)
	d.start(context.Background(), time.Now().Add(time.Hour))
	defer d.end()
	before := runtime.NumGoroutine()
	for range 100 {
		_, cancel := context.WithCancel(d)
		defer cancel()
	}
	if got := runtime.NumGoroutine(); got > before+10 { // other tests run, too
		t.Errorf("got %d goroutines, before %d", got, before)
	}
}
