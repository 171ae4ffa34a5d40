package webhook_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/routeguard/guard/internal/webhook"
)

// Vectors that the owners of the schemes publish.
const (
	vectorSecret    = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	vectorID        = "msg_p5jXN8AQM9LWM0D4loKWxJek"
	vectorTime      = 1614265330
	vectorBody      = `{"test": 2432232314}`
	vectorSignature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="

	// From the Go library of Standard Webhooks: a private key that is a seed alone.
	seedPrivate   = "whsk_VEVTVFNJR05JTkdLRVlET05PVFVTRVRISVNGT1JBTlk="
	seedSignature = "v1a,tQ9V2XOqn7jL/DQenEFpqIugdBVtiMmER5mhSkXBNwM0mkATuDe6KYYUuxqtaiHeYGb7KaaBRdM5WqyeFiL8Ag=="

	// From the Svix server, and the signature in the specification's example: seed and public key together.
	pairPrivate   = "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg=="
	pairPublic    = "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4="
	pairSignature = "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg=="

	// From GitHub's documentation on validating deliveries.
	hubSecret    = "It's a Secret to Everybody"
	hubBody      = "Hello, World!"
	hubSignature = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
)

// at is a clock that stands still.
func at(unix int64) func() time.Time {
	return func() time.Time { return time.Unix(unix, 0) }
}

func newVerifier(t testing.TB, c webhook.Config) *webhook.Verifier {
	t.Helper()
	v, err := webhook.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func newSigner(t testing.TB, scheme webhook.Scheme, secrets ...string) *webhook.Signer {
	t.Helper()
	s, err := webhook.NewSigner(scheme, secrets...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func sign(t testing.TB, s *webhook.Signer, id string, unix int64, body string) http.Header {
	t.Helper()
	h, err := s.Sign(id, time.Unix(unix, 0), []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func standardHeader(signature string) http.Header {
	h := http.Header{}
	h.Set("webhook-id", vectorID)
	h.Set("webhook-timestamp", "1614265330")
	h.Set("webhook-signature", signature)
	return h
}

func TestPublishedVectorsVerify(t *testing.T) {
	t.Parallel()
	seedPublic := "whpk_" + publicOf(t, seedPrivate)
	tests := []struct {
		name   string
		config webhook.Config
		header http.Header
		body   string
		want   webhook.Message
	}{
		{
			name:   "Standard Webhooks v1",
			config: webhook.Config{Secrets: []string{vectorSecret}, Now: at(vectorTime)},
			header: standardHeader(vectorSignature),
			body:   vectorBody,
			want:   webhook.Message{ID: vectorID, Timestamp: time.Unix(vectorTime, 0).UTC()},
		},
		{
			name:   "Standard Webhooks v1a of a seed",
			config: webhook.Config{Secrets: []string{seedPublic}, Now: at(vectorTime)},
			header: standardHeader(seedSignature),
			body:   vectorBody,
			want:   webhook.Message{ID: vectorID, Timestamp: time.Unix(vectorTime, 0).UTC()},
		},
		{
			name:   "Standard Webhooks v1a of the specification's example",
			config: webhook.Config{Secrets: []string{pairPublic}, Now: at(vectorTime)},
			header: standardHeader(pairSignature),
			body:   vectorBody,
			want:   webhook.Message{ID: vectorID, Timestamp: time.Unix(vectorTime, 0).UTC()},
		},
		{
			name:   "both signatures in one field, as in the specification's example",
			config: webhook.Config{Secrets: []string{pairPublic}, Now: at(vectorTime)},
			header: standardHeader(vectorSignature + " " + pairSignature),
			body:   vectorBody,
			want:   webhook.Message{ID: vectorID, Timestamp: time.Unix(vectorTime, 0).UTC()},
		},
		{
			name:   "GitHub",
			config: webhook.Config{Scheme: webhook.GitHub, Secrets: []string{hubSecret}},
			header: http.Header{"X-Hub-Signature-256": {hubSignature}},
			body:   hubBody,
			want:   webhook.Message{},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := newVerifier(t, tt.config).Verify(tt.header, []byte(tt.body))
			if err != nil {
				t.Fatalf("got error %v, want none", err)
			}
			if got.ID != tt.want.ID || !got.Timestamp.Equal(tt.want.Timestamp) {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
			if len(got.Key) != 64 {
				t.Errorf("got key %q, want 64 digits", got.Key)
			}
		})
	}
}

func TestSignMakesThePublishedVectors(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		scheme webhook.Scheme
		secret string
		body   string
		field  string
		want   string
	}{
		{name: "Standard Webhooks v1", secret: vectorSecret, body: vectorBody, field: "webhook-signature", want: vectorSignature},
		{name: "v1a of a seed", secret: seedPrivate, body: vectorBody, field: "webhook-signature", want: seedSignature},
		{name: "v1a of seed and public key", secret: pairPrivate, body: vectorBody, field: "webhook-signature", want: pairSignature},
		{name: "GitHub", scheme: webhook.GitHub, secret: hubSecret, body: hubBody, field: "X-Hub-Signature-256", want: hubSignature},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := sign(t, newSigner(t, tt.scheme, tt.secret), vectorID, vectorTime, tt.body)
			if got := h.Get(tt.field); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
