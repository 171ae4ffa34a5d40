package guard_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/routeguard/guard"
	"github.com/routeguard/guard/internal/webhook"
)

var (
	webhookSecret = "whsec_" + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{1}, 32))
	otherSecret   = "whsec_" + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{2}, 32))
	signedAt      = time.Unix(1_700_000_000, 0)
)

const plainWebhookSecret = "plain secret of 32 random bytes."

const invoicePaid = `{"type":"invoice.paid","amount":17}`

type BillingEvent struct {
	Type   string `json:"type"   validate:"required,max=64"`
	Amount int    `json:"amount"`
}

// billing is a service that takes signed messages.
type billing struct {
	*guard.Mux
	log *logBuffer
	now time.Time

	mu      sync.Mutex
	handled []BillingEvent
	callers []guard.Message
	act     func(context.Context) error // of the handler
}

func newBilling(t *testing.T, change ...func(*guard.Webhook)) *billing {
	t.Helper()
	b := &billing{log: &logBuffer{}, now: signedAt}
	config := guard.Webhook{Secrets: []string{webhookSecret}, Now: func() time.Time { return b.now }}
	for _, f := range change {
		f(&config)
	}
	who, err := guard.Signed(config)
	if err != nil {
		t.Fatal(err)
	}
	errs := &guard.Responder{Log: b.log.logger()}
	b.Mux = guard.NewMux(errs)
	b.Handle("POST /hooks", guard.New(who, guard.JSON[BillingEvent], guard.NoResource, free, errs, b.handle))
	return b
}

func (b *billing) handle(ctx context.Context, c *guard.Call[guard.Message, BillingEvent, guard.None]) (guard.None, error) {
	b.mu.Lock()
	b.handled, b.callers = append(b.handled, c.Input), append(b.callers, c.Caller)
	act := b.act
	b.mu.Unlock()
	if act == nil {
		return guard.None{}, nil
	}
	return guard.None{}, act(ctx)
}

func (b *billing) count() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.handled)
}

// signature is the fields of a signed message, as send takes them.
func signature(scheme guard.WebhookScheme, id string, at time.Time, body string, secrets ...string) []string {
	s, err := webhook.NewSigner(scheme, secrets...)
	if err != nil {
		panic(err)
	}
	h, err := s.Sign(id, at, []byte(body))
	if err != nil {
		panic(err)
	}
	var fields []string
	for name, values := range h {
		fields = append(fields, name+": "+values[0])
	}
	slices.Sort(fields)
	return fields
}

func signed(id, body string) []string {
	return signature(guard.StandardWebhooks, id, signedAt, body, webhookSecret)
}

// publicKeyOf is the whpk_ key of the private one whose seed is all of one byte.
func publicKeyOf(b byte) string {
	private := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{b}, ed25519.SeedSize))
	return "whpk_" + base64.StdEncoding.EncodeToString(private.Public().(ed25519.PublicKey))
}

func TestSignedMessages(t *testing.T) {
	t.Parallel()
	good := signed("msg_1", invoicePaid)
	edit := func(prefix, field string) []string {
		fields := slices.Clone(good)
		for i, f := range fields {
			if strings.HasPrefix(f, prefix) {
				fields[i] = field
			}
		}
		return fields
	}
	without := func(prefix string) []string {
		return slices.DeleteFunc(slices.Clone(good), func(f string) bool { return strings.HasPrefix(f, prefix) })
	}
	large := `{"type":"` + strings.Repeat("a", 300<<10) + `"}`
	tests := []struct {
		name   string
		body   string
		fields []string
		status int // 0: 204
		code   string
		cause  string
	}{
		{name: "a signed message", fields: good},
		{name: "a message from the edge of the tolerance", fields: signature(guard.StandardWebhooks, "m", signedAt.Add(-5*time.Minute), invoicePaid, webhookSecret)},
		{name: "a message from a clock that runs ahead", fields: signature(guard.StandardWebhooks, "m", signedAt.Add(5*time.Minute), invoicePaid, webhookSecret)},
		{name: "a foreign page's origin does not matter", fields: append(slices.Clone(good), "Origin: https://evil.example", "Sec-Fetch-Site: cross-site")},
		{name: "nothing", status: 401, code: "unauthenticated", cause: "no signature"},
		{name: "a bearer token instead", fields: []string{alice}, status: 401, code: "unauthenticated", cause: "no signature"},
		{name: "another body", body: `{"type":"invoice.paid","amount":18}`, fields: good, status: 401, code: "unauthenticated", cause: "no signature matches"},
		{name: "the body with a space more", body: invoicePaid + " ", fields: good, status: 401, code: "unauthenticated", cause: "no signature matches"},
		{name: "another secret", fields: signature(guard.StandardWebhooks, "msg_1", signedAt, invoicePaid, otherSecret), status: 401, code: "unauthenticated", cause: "no signature matches"},
		{name: "another id", fields: edit("Webhook-Id", "Webhook-Id: msg_2"), status: 401, code: "unauthenticated", cause: "no signature matches"},
		{name: "another time", fields: edit("Webhook-Timestamp", "Webhook-Timestamp: 1700000001"), status: 401, code: "unauthenticated", cause: "no signature matches"},
		{name: "a stale message", fields: signature(guard.StandardWebhooks, "m", signedAt.Add(-5*time.Minute-time.Second), invoicePaid, webhookSecret), status: 401, code: "unauthenticated", cause: "outside the tolerance"},
		{name: "a message from the future", fields: signature(guard.StandardWebhooks, "m", signedAt.Add(5*time.Minute+time.Second), invoicePaid, webhookSecret), status: 401, code: "unauthenticated", cause: "outside the tolerance"},
		{name: "no id", fields: without("Webhook-Id"), status: 401, code: "unauthenticated", cause: "malformed"},
		{name: "no time", fields: without("Webhook-Timestamp"), status: 401, code: "unauthenticated", cause: "malformed"},
		{name: "no signature", fields: without("Webhook-Signature"), status: 401, code: "unauthenticated", cause: "malformed"},
		{name: "two ids", fields: append(slices.Clone(good), "Webhook-Id: msg_1"), status: 401, code: "unauthenticated", cause: "malformed"},
		{name: "two times", fields: append(slices.Clone(good), "Webhook-Timestamp: 1700000000"), status: 401, code: "unauthenticated", cause: "malformed"},
		{name: "two signature fields", fields: append(slices.Clone(good), "Webhook-Signature: v1,AAAA"), status: 401, code: "unauthenticated", cause: "malformed"},
		{name: "a time that is no number", fields: edit("Webhook-Timestamp", "Webhook-Timestamp: +1700000000"), status: 401, code: "unauthenticated", cause: "malformed"},
		{name: "a signature of an unknown version", fields: edit("Webhook-Signature", "Webhook-Signature: v2,AAAA"), status: 401, code: "unauthenticated", cause: "no signature matches"},
		{name: "too large a body", body: large, fields: signed("msg_1", large), status: 413, code: "body_too_large"},
		{name: "a signed body that breaks a rule", body: `{"type":""}`, fields: signed("msg_1", `{"type":""}`), status: 400, code: "invalid_body"},
		{name: "a signed body that is no JSON", body: `{`, fields: signed("msg_1", `{`), status: 400, code: "invalid_body"},
		{name: "a signed body of another type", fields: append(slices.Clone(good), "Content-Type: text/plain"), status: 415, code: "unsupported_media_type"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := newBilling(t)
			body := tt.body
			if body == "" {
				body = invoicePaid
			}
			r := send(b, "POST", "/hooks", body, tt.fields...)
			if tt.status == 0 {
				if want := (BillingEvent{"invoice.paid", 17}); r.StatusCode != 204 || b.count() != 1 || b.handled[0] != want {
					t.Errorf("got %d, handled %+v, want 204 and %+v", r.StatusCode, b.handled, want)
				}
				return
			}
			checkRefusal(t, r, tt.status, tt.code)
			if b.count() != 0 {
				t.Error("the handler ran")
			}
			challenge := ""
			if tt.status == 401 {
				challenge = "Webhook"
			}
			if got := r.Header.Get("WWW-Authenticate"); got != challenge {
				t.Errorf("got challenge %q, want %q", got, challenge)
			}
			records := b.log.records(t)
			if len(records) != 1 || !strings.Contains(fmt.Sprint(records[0]["cause"]), tt.cause) {
				t.Errorf("got records %v, want one with cause %q", records, tt.cause)
			}
			for _, secret := range []string{webhookSecret[6:], "v1,", "invoice"} {
				if strings.Contains(b.log.String(), secret) {
					t.Errorf("the log holds %q: %s", secret, b.log)
				}
			}
		})
	}
}

// The sender of a refusal learns the same, whatever was wrong with the signature.
func TestSignatureRefusalsLookAlike(t *testing.T) {
	t.Parallel()
	var seen []string
	for _, fields := range [][]string{
		nil,
		{"Webhook-Id: msg_1"},
		signature(guard.StandardWebhooks, "m", signedAt, invoicePaid, otherSecret),
		signature(guard.StandardWebhooks, "m", signedAt.Add(-time.Hour), invoicePaid, webhookSecret),
	} {
		r := send(newBilling(t), "POST", "/hooks", invoicePaid, fields...)
		body := strings.ReplaceAll(readBody(t, r), r.Header.Get("X-Request-ID"), "ID")
		r.Header.Del("X-Request-ID")
		seen = append(seen, fmt.Sprint(r.StatusCode, r.Header, body))
	}
	for _, s := range seen {
		if s != seen[0] {
			t.Errorf("got\n%s\nand\n%s", seen[0], s)
		}
	}
}

func TestSignedSchemes(t *testing.T) {
	t.Parallel()
	body := `{"id":"evt_1","type":"invoice.paid"}`
	private := "whsk_" + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{4}, 32))
	tests := []struct {
		name   string
		config guard.Webhook
		fields []string
		want   guard.Message // without Key
	}{
		{name: "Standard Webhooks, old and new secret", config: guard.Webhook{Secrets: []string{otherSecret, webhookSecret}},
			fields: signature(guard.StandardWebhooks, "msg_1", signedAt, body, webhookSecret), want: guard.Message{ID: "msg_1", Timestamp: signedAt}},
		{name: "Standard Webhooks, asymmetric", config: guard.Webhook{Secrets: []string{publicKeyOf(4), webhookSecret}},
			fields: signature(guard.StandardWebhooks, "msg_1", signedAt, body, private), want: guard.Message{ID: "msg_1", Timestamp: signedAt}},
		{name: "GitHub", config: guard.Webhook{Scheme: guard.GitHub, Secrets: []string{plainWebhookSecret}},
			fields: signature(guard.GitHub, "72d3162e-cc78", time.Time{}, body, plainWebhookSecret), want: guard.Message{ID: "72d3162e-cc78"}},
		{name: "Stripe", config: guard.Webhook{Scheme: guard.Stripe, Secrets: []string{plainWebhookSecret}},
			fields: signature(guard.Stripe, "", signedAt, body, plainWebhookSecret), want: guard.Message{ID: "evt_1", Timestamp: signedAt}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.config.Now = func() time.Time { return signedAt }
			who, err := guard.Signed(tt.config)
			if err != nil {
				t.Fatal(err)
			}
			var got guard.Message
			errs := &guard.Responder{Log: (&logBuffer{}).logger()}
			mux := route("POST /", errs, guard.New(who, guard.RawBody(1<<10), guard.NoResource, free, errs,
				func(_ context.Context, c *guard.Call[guard.Message, guard.None, guard.None]) (guard.None, error) {
					got = c.Caller
					b, err := io.ReadAll(c.Request.Body)
					if string(b) != body || err != nil {
						t.Errorf("got body %q, %v", b, err)
					}
					return guard.None{}, nil
				}))
			for range 2 { // the second is a repeat
				if r := send(mux, "POST", "/", body, tt.fields...); r.StatusCode != 204 {
					t.Fatalf("got %d, want 204", r.StatusCode)
				}
			}
			if got.Key == "" || got.Subject() != "webhook" {
				t.Errorf("got %+v", got)
			}
			got.Key = ""
			if !got.Timestamp.Equal(tt.want.Timestamp) || got.ID != tt.want.ID {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}

// A large body with a signature is refused under the cap, whatever it says about its length.
func TestSignedBodyCap(t *testing.T) {
	t.Parallel()
	body := `{"type":"` + strings.Repeat("a", 2<<10) + `"}`
	b := newBilling(t, func(c *guard.Webhook) { c.MaxBody = 1 << 10 })
	server := httptest.NewServer(b)
	defer server.Close()
	for name, reader := range map[string]io.Reader{"a length": strings.NewReader(body), "chunks": io.MultiReader(strings.NewReader(body))} {
		t.Run(name, func(t *testing.T) {
			r, err := http.NewRequestWithContext(t.Context(), "POST", server.URL+"/hooks", reader)
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range signed("msg_1", body) {
				field, value, _ := strings.Cut(f, ": ")
				r.Header.Set(field, value)
			}
			response, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			checkRefusal(t, response, 413, "body_too_large")
		})
	}
	if b.count() != 0 {
		t.Error("the handler ran")
	}
}

func TestWrapBehindASignature(t *testing.T) {
	t.Parallel()
	errs := &guard.Responder{Log: (&logBuffer{}).logger()}
	who, err := guard.Signed(guard.Webhook{Secrets: []string{webhookSecret}, Now: func() time.Time { return signedAt }})
	if err != nil {
		t.Fatal(err)
	}
	runs, status := 0, 500
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		runs++
		b, err := io.ReadAll(r.Body)
		if string(b) != invoicePaid || err != nil || r.ContentLength != int64(len(invoicePaid)) {
			t.Errorf("got body %q of length %d, %v", b, r.ContentLength, err)
		}
		w.Header().Set("X-Seen", r.Header.Get("Webhook-Signature"))
		w.WriteHeader(status)
	})
	mux := guard.NewMux(errs)
	mux.Handle("POST /raw", guard.Wrap(who, guard.RawBody(1<<10), guard.NoResource, free, errs, h))
	mux.Handle("POST /kept", guard.Wrap(guard.KeepCredential(who), guard.RawBody(1<<10), guard.NoResource, free, errs, h))
	for path, kept := range map[string]bool{"/raw": false, "/kept": true} {
		runs = 0
		for i, step := range []struct{ status, want, runs int }{{500, 500, 1}, {422, 422, 2}, {202, 202, 3}, {202, 204, 3}} {
			status = step.status
			r := send(mux, "POST", path, invoicePaid, signed("msg_1", invoicePaid)...)
			if r.StatusCode != step.want || runs != step.runs {
				t.Errorf("%s, attempt %d: got %d after %d runs, want %d after %d", path, i, r.StatusCode, runs, step.want, step.runs)
			}
			if seen := r.Header.Get("X-Seen") != ""; seen != kept && step.want != 204 {
				t.Errorf("%s: the wrapped handler saw the signature: %v", path, seen)
			}
		}
	}
}

// A sender that counted apart by id would never meet a limit.
func TestPerCallerCountsAllMessages(t *testing.T) {
	t.Parallel()
	who, err := guard.Signed(guard.Webhook{Secrets: []string{webhookSecret}, Now: func() time.Time { return signedAt }})
	if err != nil {
		t.Fatal(err)
	}
	b := &billing{}
	errs := &guard.Responder{Log: (&logBuffer{}).logger()}
	mux := route("POST /", errs, guard.New(who, guard.JSON[BillingEvent], guard.NoResource, (&guard.Limiter{}).PerCaller(2, time.Hour), errs, b.handle))
	for i, want := range []int{204, 204, 429} {
		id := "msg_" + strconv.Itoa(i)
		if r := send(mux, "POST", "/", invoicePaid, signed(id, invoicePaid)...); r.StatusCode != want {
			t.Errorf("message %d: got %d, want %d", i, r.StatusCode, want)
		}
	}
}

func TestSignedMistakes(t *testing.T) {
	t.Parallel()
	_, err := guard.Signed(guard.Webhook{Secrets: []string{"whsec_c2hvcnQ=", "hunter2-hunter2"}, Tolerance: 2 * time.Hour, MaxBody: -1,
		Keep: time.Minute, Replay: (*store)(nil)})
	if err == nil {
		t.Fatal("got no error")
	}
	for _, want := range []string{"guard: Signed: ", "Secrets[0] has 5 bytes", "Secrets[1] does not begin", "Tolerance is 2h0m0s", "\nwebhook: MaxBody is -1"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("got %q, want %q in it", err, want)
		}
	}
	if strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "c2hvcnQ") {
		t.Errorf("the error shows a secret: %q", err)
	}
	for want, change := range map[string]func(*guard.Webhook){
		"Secrets is empty":               func(c *guard.Webhook) { c.Secrets = nil },
		"Keep is 9m0s; use at least":     func(c *guard.Webhook) { c.Keep = 9 * time.Minute },
		"Keep is -1s":                    func(c *guard.Webhook) { c.Keep = -time.Second },
		"Replay is a nil *guard_test":    func(c *guard.Webhook) { c.Replay = (*store)(nil) },
		"MaxBody is 33554433":            func(c *guard.Webhook) { c.MaxBody = 32<<20 + 1 },
		"Scheme is Scheme(9)":            func(c *guard.Webhook) { c.Scheme = 9 },
		"has 14 bytes; use 16 to 512":    func(c *guard.Webhook) { c.Scheme, c.Secrets = guard.Stripe, []string{"fourteen bytes"} },
		"is all zeros: it was never fil": func(c *guard.Webhook) { c.Scheme, c.Secrets = guard.GitHub, []string{string(make([]byte, 32))} },
		"begins or ends with white spac": func(c *guard.Webhook) { c.Scheme, c.Secrets = guard.GitHub, []string{plainWebhookSecret + "\n"} },
	} {
		c := guard.Webhook{Secrets: []string{webhookSecret}}
		change(&c)
		if _, err := guard.Signed(c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q in it", err, want)
		}
	}
	who, err := guard.Signed(guard.Webhook{Secrets: []string{webhookSecret}})
	if err != nil {
		t.Fatal(err)
	}
	mustPanic(t, "FirstOf", "argument 1 is Signed", func() { guard.FirstOf(who, who) })
	mustPanic(t, "Only", "who is Signed", func() { guard.Only(who, func(guard.Message) bool { return true }) })
	mustPanic(t, "AllowOrigins", "who is Signed", func() { guard.AllowOrigins(guard.Origins{}, who) })
	mustPanic(t, "AllowAnonymous", "is not a credential", func() { guard.AllowAnonymous(who) })
}

func TestWebhookHidesItsSecrets(t *testing.T) {
	t.Parallel()
	c := guard.Webhook{Scheme: guard.GitHub, Secrets: []string{plainWebhookSecret}}
	log := &logBuffer{}
	log.logger().Info("x", "webhook", c, "in a group", slog.GroupValue(slog.Any("webhook", c)))
	texts := []string{c.String(), c.GoString(), log.String()}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		texts = append(texts, fmt.Sprintf(verb, c), fmt.Sprintf(verb, &c), fmt.Sprintf(verb, struct{ W guard.Webhook }{c}))
	}
	for _, text := range texts {
		if strings.Contains(text, "plain secret") || strings.Contains(text, fmt.Sprintf("%x", "plain")) || !strings.Contains(text, "GitHub") {
			t.Errorf("got %q", text)
		}
	}
}

// A body that breaks off is the sender's mistake, and is not verified as far as it came.
func TestSignedBodyThatBreaksOff(t *testing.T) {
	t.Parallel()
	b := newBilling(t)
	r := httptest.NewRequest("POST", "/hooks", io.MultiReader(strings.NewReader(invoicePaid), iotest.ErrReader(io.ErrUnexpectedEOF)))
	for _, f := range signed("msg_1", invoicePaid) {
		name, value, _ := strings.Cut(f, ": ")
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	b.ServeHTTP(w, r)
	checkRefusal(t, w.Result(), 400, "incomplete_body")
	if b.count() != 0 {
		t.Error("the handler ran")
	}
}

func TestSignedEmptyBody(t *testing.T) {
	t.Parallel()
	who, err := guard.Signed(guard.Webhook{Secrets: []string{webhookSecret}, Now: func() time.Time { return signedAt }})
	if err != nil {
		t.Fatal(err)
	}
	h := behind(who, &logBuffer{})
	if r := send(h, "POST", "/", "", signed("msg_1", "")...); r.StatusCode != 200 {
		t.Errorf("got %d, want 200", r.StatusCode)
	}
	if r := send(h, "POST", "/", invoicePaid, signed("msg_2", invoicePaid)...); r.StatusCode != 400 {
		t.Errorf("a body where none is allowed: got %d, want 400", r.StatusCode)
	}
}
