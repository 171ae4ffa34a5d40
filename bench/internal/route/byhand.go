package route

import (
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"reflect"
	"strings"
	"sync"

	"github.com/go-playground/validator/v10"
	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"
	"golang.org/x/time/rate"
)

// byHand is the route as a good engineer writes it, with the usual libraries and
// all checks in one place. Its parts serve the peers where those have none.
type byHand struct {
	tokens *tokenParser
	limits *limiters
	rules  *validator.Validate
}

func newByHand(limit Limit) http.Handler {
	h := &byHand{newTokenParser(), newLimiters(limit), newRules()}
	mux := http.NewServeMux()
	mux.Handle("PATCH "+pattern, h)
	return mux
}

func (h *byHand) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id := uuid.NewString()
	w.Header().Set("X-Request-ID", id)
	caller, err := h.tokens.caller(r)
	if err != nil {
		w.Header().Set("WWW-Authenticate", "Bearer")
		writeRefusal(w, id, errUnauthenticated)
		return
	}
	if !caller.CanEdit() {
		writeRefusal(w, id, errForbidden)
		return
	}
	if !h.limits.allow(caller.ID) {
		writeRefusal(w, id, errRateLimited)
		return
	}
	project, ok := findProject(r.PathValue("projectID"), caller)
	if !ok {
		writeRefusal(w, id, errNotFound)
		return
	}
	var in UpdateProject
	if err := decodeStrict(w, r, &in); err != nil {
		writeRefusal(w, id, err)
		return
	}
	if err := check(h.rules, in); err != nil {
		writeRefusal(w, id, err)
		return
	}
	writeJSON(w, http.StatusOK, OneProject{project.changed(in)})
}

// claims is what a token says.
type claims struct {
	Role string `json:"role"`
	jwt.RegisteredClaims
}

type tokenParser struct{ parser *jwt.Parser }

func newTokenParser() *tokenParser {
	return &tokenParser{jwt.NewParser(jwt.WithValidMethods([]string{"HS256"}), jwt.WithIssuer(issuer), jwt.WithAudience(audience),
		jwt.WithExpirationRequired(), jwt.WithLeeway(leeway))}
}

// caller finds out who sent a request.
func (p *tokenParser) caller(r *http.Request) (Caller, error) {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		return Caller{}, errUnauthenticated
	}
	return p.parse(token)
}

func (p *tokenParser) parse(token string) (Caller, error) {
	var c claims
	if _, err := p.parser.ParseWithClaims(token, &c, func(*jwt.Token) (any, error) { return key, nil }); err != nil {
		return Caller{}, err
	}
	if c.Subject == "" {
		return Caller{}, errUnauthenticated
	}
	return Caller{ID: c.Subject, Role: c.Role}, nil
}

// limiters is a limiter for each caller. They are never removed: a service would
// have to, guard and the peers that bring their own limiter do.
type limiters struct {
	limit Limit
	mu    sync.Mutex
	of    map[string]*rate.Limiter
}

func newLimiters(limit Limit) *limiters {
	return &limiters{limit: limit, of: map[string]*rate.Limiter{}}
}

func (l *limiters) allow(caller string) bool {
	l.mu.Lock()
	of, ok := l.of[caller]
	if !ok {
		of = rate.NewLimiter(rate.Limit(l.limit.perSecond()), l.limit.N)
		l.of[caller] = of
	}
	l.mu.Unlock()
	return of.Allow()
}

// findProject loads a project of the caller's own. Its id has one spelling.
func findProject(text string, caller Caller) (*Project, bool) {
	id, err := uuid.Parse(text)
	if err != nil || id.String() != text {
		return nil, false
	}
	p, ok := projects[id]
	if !ok || !p.OwnedBy(caller) {
		return nil, false
	}
	return p, true
}

// decodeStrict takes one JSON object without unknown members.
func decodeStrict(w http.ResponseWriter, r *http.Request, dst any) error {
	if !isJSON(r) {
		return errMediaType
	}
	if r.ContentLength > maxBody {
		return errTooLarge
	}
	return decodeBody(http.MaxBytesReader(w, r.Body, maxBody), dst)
}

func isJSON(r *http.Request) bool {
	mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return err == nil && mediaType == "application/json"
}

func decodeBody(body io.Reader, dst any) error {
	d := json.NewDecoder(body)
	d.DisallowUnknownFields()
	if err := d.Decode(dst); err != nil {
		return decodeError(err)
	}
	if _, err := d.Token(); err != io.EOF {
		return decodeError(err)
	}
	return nil
}

func decodeError(err error) error {
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return errTooLarge
	}
	return errBody
}

// newRules makes a validator that calls fields what callers call them.
func newRules() *validator.Validate {
	v := validator.New(validator.WithRequiredStructEnabled())
	v.RegisterTagNameFunc(jsonName)
	return v
}

func jsonName(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	return name
}

func check(rules *validator.Validate, in UpdateProject) error {
	if err := rules.Struct(in); err != nil {
		return invalid(err)
	}
	return nil
}
