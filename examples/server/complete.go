package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"
	"unicode/utf8"

	"github.com/routeguard/guard"
)

type Completion struct {
	Prompt string `json:"prompt" validate:"required,notblank,min=1,max=4000"`
}

// promptTokens is how many tokens of prompts a caller may send in a minute.
const promptTokens = 10_000

// tokens is the weight of a prompt: about four characters make a token, and a part of one counts.
func (c Completion) tokens() int { return (utf8.RuneCountInString(c.Prompt) + 3) / 4 }

type CompletionText struct {
	Text string `json:"text"`
}

// complete streams a completion as server-sent events. A client that goes away cancels ctx, and with it the model's
// work. An error before the first event is answered as a problem; after it the stream breaks off without its done.
func (a *app) complete(ctx context.Context, c *guard.Call[*Session, Completion, guard.None], w http.ResponseWriter) error {
	ctx, cancel := context.WithTimeout(ctx, maxCompletion)
	defer cancel()
	out, err := newEvents(w)
	if err != nil {
		return err
	}
	for text, err := range a.completer.Complete(ctx, c.Input.Prompt) {
		if err != nil {
			return fmt.Errorf("complete: %w", err)
		}
		if err := out.send("", CompletionText{text}); err != nil {
			return err
		}
	}
	return out.send("done", guard.None{})
}

const (
	maxCompletion = 5 * time.Minute  // a whole completion
	eventTimeout  = 10 * time.Second // a client that does not take an event for so long has gone
)

// events writes server-sent events, see https://html.spec.whatwg.org/multipage/server-sent-events.html.
type events struct {
	w       http.ResponseWriter
	control *http.ResponseController
}

// newEvents gives the first event, or the problem instead, more time than the server's WriteTimeout. It sends nothing.
func newEvents(w http.ResponseWriter) (*events, error) {
	e := &events{w: w, control: http.NewResponseController(w)}
	return e, deadline(e.control.SetWriteDeadline(time.Now().Add(maxCompletion + eventTimeout)))
}

// send writes one event and flushes it. The name may be empty.
func (e *events) send(name string, data any) error {
	b, err := json.Marshal(data) // one line: JSON escapes line ends
	if err != nil {
		return fmt.Errorf("encode an event: %w", err)
	}
	text := "data: " + string(b) + "\n\n"
	if name != "" {
		text = "event: " + name + "\n" + text
	}
	h := e.w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // nginx would collect the events otherwise
	if err := deadline(e.control.SetWriteDeadline(time.Now().Add(eventTimeout))); err != nil {
		return err
	}
	if _, err := e.w.Write([]byte(text)); err != nil {
		return fmt.Errorf("send an event: %w", err)
	}
	if err := e.control.Flush(); err != nil {
		return fmt.Errorf("send an event: %w", err)
	}
	return nil
}

// deadline passes over what a writer without a connection answers, such as a recorder in a test.
func deadline(err error) error {
	if err == nil || errors.Is(err, http.ErrNotSupported) {
		return nil
	}
	return fmt.Errorf("set a deadline: %w", err)
}
