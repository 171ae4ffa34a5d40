package errleak

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"strconv"

	"example.com/service/app"
	"github.com/routeguard/guard"
)

var errFull = errors.New("The list is full.")

type View struct{ Name, Problem string }

// publicError is made for callers.
type publicError struct{ text string }

func (p publicError) Error() string { return p.text }

func do() error { return io.ErrUnexpectedEOF }

func fine(w http.ResponseWriter, r *http.Request) {
	err := do()
	log.Print(err.Error())
	if err == errFull {
		http.Error(w, err.Error(), 409)
		return
	}
	switch err {
	case errFull, http.ErrBodyNotAllowed:
		http.Error(w, err.Error(), 409)
	}
	http.Error(w, errFull.Error(), 409)
	http.Error(w, fmt.Sprintf("failed: %T", err), 500)
	http.Error(w, publicError{"Try later."}.Error(), 503)
	fmt.Fprintf(w, "%d of %s", 1, "two")
	fmt.Fprintln(log.Writer(), err)
	_ = json.NewEncoder(log.Writer()).Encode(err.Error())
	http.Error(w, "Internal error.", 500)
	r.Header.Set("X-Note", err.Error())
	http.Error(w, err.Error(), 500) //guard:allow errleak an operator's own console
}

func plain(w http.ResponseWriter, r *http.Request) {
	err := do()
	text := "failed: " + err.Error()
	http.Error(w, err.Error(), 500)                                        // want `the text of an error is sent to the client`
	http.Error(w, text, 500)                                               // want `the text of an error`
	http.Error(w, fmt.Sprintf("%d: %+v", 1, err), 500)                     // want `the text of an error`
	_, _ = w.Write([]byte(err.Error()))                                    // want `the text of an error`
	_, _ = io.WriteString(w, err.Error())                                  // want `the text of an error`
	fmt.Fprintf(w, "failed: %v", err)                                      // want `the text of an error`
	fmt.Fprintln(w, "failed", err)                                         // want `the text of an error`
	_ = json.NewEncoder(w).Encode(map[string]string{"error": err.Error()}) // want `the text of an error`
	w.Header().Set("X-Error", err.Error())                                 // want `the text of an error`
	http.Redirect(w, r, "/?error="+err.Error(), 302)                       // want `the text of an error`
	encoder := json.NewEncoder(w)
	_ = encoder.Encode(&View{Problem: err.Error()}) // want `the text of an error`

	var number *strconv.NumError
	if errors.As(err, &number) {
		http.Error(w, number.Error(), 400) // want `the text of an error`
	}
	var e *guard.Error
	if errors.As(err, &e) {
		http.Error(w, e.Error(), 400) // want `the text of an error`
	}
	if errors.Is(err, errFull) || err == io.EOF {
		http.Error(w, err.Error(), 409) // want `the text of an error`
	}
	switch err {
	case errFull:
	default:
		http.Error(w, err.Error(), 409) // want `the text of an error`
	}
}

func handler(_ context.Context, c *guard.Call[app.User, guard.None, guard.None]) (View, error) {
	if err := do(); err != nil {
		if c.Caller.IsAdmin() {
			return View{Problem: err.Error()}, nil // want `the text of an error`
		}
		return View{}, guard.Fail(409, "conflict", err.Error()) // want `the text of an error`
	}
	if err := do(); err != nil {
		return View{}, fmt.Errorf("do it: %w", err)
	}
	if err := do(); err != nil {
		return View{}, guard.Fail(409, "conflict", "Try later.").Because(err)
	}
	if err := do(); err != nil {
		return View{}, guard.Invalid("/name", "bad", fmt.Sprint("is bad: ", err)) // want `the text of an error`
	}
	if err := do(); err != nil {
		return View{}, &guard.Error{Status: 409, Code: "conflict", Message: err.Error()} // want `the text of an error`
	}
	e := guard.Error{Status: 409}
	e.Message = do().Error() // want `the text of an error`
	return View{}, &e
}

func reply(context.Context, *guard.Call[app.User, guard.None, guard.None]) (guard.Reply[View], error) {
	err := do()
	if errors.Is(err, errFull) {
		return guard.Created("/", View{Problem: err.Error()}), nil // want `the text of an error`
	}
	return guard.Reply[View]{Status: 202, Body: View{Problem: err.Error()}}, nil // want `the text of an error`
}

func stream(_ context.Context, _ *guard.Call[app.User, guard.None, guard.None], w http.ResponseWriter) error {
	err := do()
	fmt.Fprintf(w, "event: failed\ndata: %s\n\n", err) // want `the text of an error`
	return err
}

// notAHandler returns two values, but to whoever calls it.
func notAHandler() (string, error) { return do().Error(), nil }
