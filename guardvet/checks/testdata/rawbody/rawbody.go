package rawbody

import (
	"context"
	"io"
	"net/http"

	"example.com/service/app"
	"github.com/routeguard/guard"
)

type Create struct {
	Name string `json:"name"`
}

type Update struct {
	Name string `json:"name"`
}

func routes() {
	users := guard.Bearer(app.Verify)
	mux := guard.NewMux(app.Errs)
	mux.Handle("POST /a", guard.New(users, guard.JSON[Create], guard.NoResource, app.Slow, app.Errs, create))
	mux.Handle("POST /b", guard.New(users, guard.RawBody(1<<20), guard.NoResource, app.Slow, app.Errs, upload))
	mux.Handle("POST /c", guard.New(users, guard.NoPayload, guard.NoResource, app.Slow, app.Errs, nothing))
	mux.Handle("POST /d", guard.New(users, guard.RawBody(1<<20), guard.NoResource, app.Slow, app.Errs, either))
	mux.Handle("POST /e", guard.New(users, guard.NoPayload, guard.NoResource, app.Slow, app.Errs, either))
	mux.Handle("POST /f", guard.Wrap(users, guard.JSON[Create], guard.NoResource, app.Slow, app.Errs, http.HandlerFunc(wrapped)))
	mux.Handle("POST /g", guard.New(users, guard.NoPayload, guard.NoResource, app.Slow, app.Errs, guard.Stream(stream)))
	mux.Handle("POST /h", guard.New(users, guard.JSON[Create], guard.NoResource, app.Slow, app.Errs,
		func(_ context.Context, c *guard.Call[app.User, Create, guard.None]) (guard.None, error) {
			_, err := io.ReadAll(c.Request.Body) // want `Request.Body behind a guard`
			return guard.None{}, err
		}))
}

func create(_ context.Context, c *guard.Call[app.User, Create, guard.None]) (guard.None, error) {
	r := c.Request
	_ = c.Request.Header.Get("If-Match")
	_ = r.FormValue("name")      // want `Request.FormValue behind a guard`
	err := c.Request.ParseForm() // want `Request.ParseForm behind a guard`
	_ = c.Request.PostForm       // want `Request.PostForm behind a guard`
	_ = r.Body                   //guard:allow rawbody the trailer is only there after the end
	return guard.None{}, err
}

func upload(_ context.Context, c *guard.Call[app.User, guard.None, guard.None]) (guard.None, error) {
	_, err := io.ReadAll(c.Request.Body)
	return guard.None{}, err
}

func nothing(_ context.Context, c *guard.Call[app.User, guard.None, guard.None]) (guard.None, error) {
	_, err := io.ReadAll(c.Request.Body) // want `Request.Body behind a guard`
	return guard.None{}, err
}

func either(_ context.Context, c *guard.Call[app.User, guard.None, guard.None]) (guard.None, error) {
	_, err := io.ReadAll(c.Request.Body)
	return guard.None{}, err
}

func elsewhere(_ context.Context, c *guard.Call[app.User, guard.None, guard.None]) (guard.None, error) {
	_, err := io.ReadAll(c.Request.Body)
	return guard.None{}, err
}

func helper(c *guard.Call[app.User, Update, guard.None]) io.Reader {
	return c.Request.Body // want `Request.Body behind a guard`
}

func generic[T any](c *guard.Call[app.User, T, guard.None]) io.Reader { return c.Request.Body }

func wrapped(w http.ResponseWriter, r *http.Request) {
	if c, ok := guard.CallOf[app.User, Create, guard.None](r.Context()); ok {
		_, _ = io.Copy(w, c.Request.Body)
	}
	_, _ = io.Copy(w, r.Body)
}

func stream(ctx context.Context, c *guard.Call[app.User, guard.None, guard.None], w http.ResponseWriter) error {
	out, err := http.NewRequestWithContext(ctx, "POST", "https://example.com", nil)
	if err != nil {
		return err
	}
	_ = out.Body
	_, err = io.Copy(w, c.Request.Body) // want `Request.Body behind a guard`
	return err
}
