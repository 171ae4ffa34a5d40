package webhook_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/routeguard/guard/internal/webhook"
)

func whsec(n int) string {
	return "whsec_" + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{7}, n))
}

func whpk(key []byte) string { return "whpk_" + base64.StdEncoding.EncodeToString(key) }

func TestNewRefusesMistakes(t *testing.T) {
	t.Parallel()
	public := "whpk_" + publicOf(t, privateSecret)
	identity := append([]byte{1}, make([]byte, 31)...)
	tests := []struct {
		name   string
		config webhook.Config
		want   []string // each must be part of the error; none: no error
	}{
		{name: "one whsec_ secret", config: webhook.Config{Secrets: []string{whsec(32)}}},
		{name: "a secret of 24 bytes", config: webhook.Config{Secrets: []string{whsec(24)}}},
		{name: "a secret of 64 bytes", config: webhook.Config{Secrets: []string{whsec(64)}}},
		{name: "four secrets", config: webhook.Config{Secrets: []string{whsec(32), whsec(33), whsec(34), whsec(35)}}},
		{name: "one whpk_ key", config: webhook.Config{Secrets: []string{public}}},
		{name: "a GitHub secret", config: webhook.Config{Scheme: webhook.GitHub, Secrets: []string{plainSecret}}},
		{name: "a Stripe secret of 16 bytes", config: webhook.Config{Scheme: webhook.Stripe, Secrets: []string{"whsec_0123456789"}}},
		{name: "one second of tolerance", config: webhook.Config{Secrets: []string{whsec(32)}, Tolerance: time.Second}},
		{name: "one hour of tolerance", config: webhook.Config{Secrets: []string{whsec(32)}, Tolerance: time.Hour}},

		{name: "nothing", want: []string{"Secrets is empty"}},
		{name: "an empty list", config: webhook.Config{Secrets: []string{}}, want: []string{"Secrets is empty"}},
		{name: "an empty secret", config: webhook.Config{Secrets: []string{""}}, want: []string{"Secrets[0] does not begin with whsec_ or whpk_"}},
		{name: "five secrets", config: webhook.Config{Secrets: []string{whsec(32), whsec(33), whsec(34), whsec(35), whsec(36)}}, want: []string{"5 entries; use at most 4"}},
		{name: "no prefix", config: webhook.Config{Secrets: []string{"MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}}, want: []string{"does not begin with whsec_"}},
		{name: "a prefix in capitals", config: webhook.Config{Secrets: []string{"WHSEC_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}}, want: []string{"does not begin with whsec_"}},
		{name: "a prefix alone", config: webhook.Config{Secrets: []string{"whsec_"}}, want: []string{"has 0 bytes; use 24 to 64"}},
		{name: "23 bytes", config: webhook.Config{Secrets: []string{whsec(23)}}, want: []string{"has 23 bytes"}},
		{name: "65 bytes", config: webhook.Config{Secrets: []string{whsec(65)}}, want: []string{"has 65 bytes"}},
		{name: "not base64", config: webhook.Config{Secrets: []string{"whsec_????"}}, want: []string{"not padded standard base64"}},
		{name: "base64url", config: webhook.Config{Secrets: []string{"whsec_" + strings.Repeat("-_-_", 8)}}, want: []string{"not padded standard base64"}},
		{name: "no padding", config: webhook.Config{Secrets: []string{strings.TrimRight(whsec(25), "=")}}, want: []string{"not padded standard base64"}},
		{name: "unused bits set", config: webhook.Config{Secrets: []string{setUnusedBit(whsec(25))}}, want: []string{"not padded standard base64"}},
		{name: "a line end behind it", config: webhook.Config{Secrets: []string{whsec(32) + "\n"}}, want: []string{"not padded standard base64"}},
		{name: "two secrets in one", config: webhook.Config{Secrets: []string{whsec(32) + " " + whsec(33)}}, want: []string{"not padded standard base64"}},
		{name: "a secret of zeros", config: webhook.Config{Secrets: []string{whsec(32), "whsec_" + base64.StdEncoding.EncodeToString(make([]byte, 32))}},
			want: []string{"Secrets[1] is all zeros: it was never filled"}},
		{name: "a GitHub secret of zeros", config: webhook.Config{Scheme: webhook.GitHub, Secrets: []string{string(make([]byte, 16))}}, want: []string{"all zeros"}},
		{name: "a Stripe secret of zeros", config: webhook.Config{Scheme: webhook.Stripe, Secrets: []string{string(make([]byte, 512))}}, want: []string{"all zeros"}},
		{name: "a secret with zeros", config: webhook.Config{Scheme: webhook.Stripe, Secrets: []string{string(append(make([]byte, 15), 1))}}},
		{name: "one secret twice", config: webhook.Config{Secrets: []string{whsec(32), whsec(33), whsec(32)}}, want: []string{"Secrets[2] is there twice"}},
		{name: "one public key twice", config: webhook.Config{Secrets: []string{public, public}}, want: []string{"Secrets[1] is there twice"}},
		{name: "a private key", config: webhook.Config{Secrets: []string{privateSecret}}, want: []string{"is a whsk_ private key"}},
		{name: "a public key of 31 bytes", config: webhook.Config{Secrets: []string{whpk(make([]byte, 31))}}, want: []string{"has 31 bytes; an Ed25519 public key has 32"}},
		{name: "a public key in base64url", config: webhook.Config{Secrets: []string{"whpk_" + strings.Repeat("-_-_", 8)}}, want: []string{"not padded standard base64 after whpk_"}},
		{name: "a public key of zeros", config: webhook.Config{Secrets: []string{whpk(make([]byte, 32))}}, want: []string{"small order"}},
		{name: "the identity as public key", config: webhook.Config{Secrets: []string{whpk(identity)}}, want: []string{"small order"}},
		{name: "a GitHub secret of 15 bytes", config: webhook.Config{Scheme: webhook.GitHub, Secrets: []string{"0123456789abcde"}}, want: []string{"has 15 bytes; use 16 to 512"}},
		{name: "an empty GitHub secret", config: webhook.Config{Scheme: webhook.GitHub, Secrets: []string{""}}, want: []string{"has 0 bytes"}},
		{name: "a Stripe secret of 513 bytes", config: webhook.Config{Scheme: webhook.Stripe, Secrets: []string{strings.Repeat("x", 513)}}, want: []string{"has 513 bytes"}},
		{name: "a GitHub secret with a line end", config: webhook.Config{Scheme: webhook.GitHub, Secrets: []string{plainSecret + "\n"}}, want: []string{"white space"}},
		{name: "a Stripe secret twice", config: webhook.Config{Scheme: webhook.Stripe, Secrets: []string{plainSecret, plainSecret}}, want: []string{"Secrets[1] is there twice"}},
		{name: "an unknown scheme", config: webhook.Config{Scheme: 9, Secrets: []string{plainSecret}}, want: []string{"Scheme(9); use Standard, GitHub or Stripe"}},
		{name: "a negative tolerance", config: webhook.Config{Secrets: []string{whsec(32)}, Tolerance: -1}, want: []string{"Tolerance is -1ns; use 1s to 1h0m0s, or 0 for 5m0s"}},
		{name: "less than a second of tolerance", config: webhook.Config{Secrets: []string{whsec(32)}, Tolerance: time.Millisecond}, want: []string{"Tolerance is 1ms"}},
		{name: "more than an hour of tolerance", config: webhook.Config{Secrets: []string{whsec(32)}, Tolerance: time.Hour + 1}, want: []string{"Tolerance is 1h0m0.000000001s"}},
		{
			name:   "every mistake at once",
			config: webhook.Config{Secrets: []string{"x", whsec(1), whsec(32), whsec(32), public}, Tolerance: -time.Hour},
			want:   []string{"5 entries", "Secrets[0] does not", "Secrets[1] has 1 bytes", "Secrets[3] is there twice", "Tolerance is -1h0m0s"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			v, err := webhook.New(tt.config)
			if len(tt.want) == 0 && (err != nil || v == nil) {
				t.Fatalf("got error %v, want none", err)
			}
			if len(tt.want) > 0 && (err == nil || v != nil) {
				t.Fatalf("got %v, %v, want an error alone", v, err)
			}
			for _, part := range tt.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("got error %q, want %q in it", err, part)
				}
			}
			for _, s := range tt.config.Secrets {
				if err != nil && len(s) > 8 && strings.Contains(err.Error(), s[6:]) {
					t.Errorf("the error shows a secret: %q", err)
				}
			}
		})
	}
}

func TestNewSignerRefusesMistakes(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		scheme  webhook.Scheme
		secrets []string
		want    string
	}{
		{name: "no secret", want: "Secrets is empty"},
		{name: "a public key", secrets: []string{"whpk_" + publicOf(t, privateSecret)}, want: "cannot sign"},
		{name: "a private key of 33 bytes", secrets: []string{"whsk_" + base64.StdEncoding.EncodeToString(make([]byte, 33))}, want: "has 33 bytes"},
		{name: "a private key that is not base64", secrets: []string{"whsk_?"}, want: "not padded standard base64 after whsk_"},
		{name: "a private key with another public half", secrets: []string{"whsk_" + base64.StdEncoding.EncodeToString(make([]byte, 64))}, want: "public half"},
		{name: "a short secret", secrets: []string{whsec(3)}, want: "has 3 bytes"},
		{name: "two secrets for GitHub", scheme: webhook.GitHub, secrets: []string{plainSecret, plainNext}, want: "carry one signature"},
		{name: "an unknown scheme", scheme: -1, secrets: []string{plainSecret}, want: "Scheme(-1)"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, err := webhook.NewSigner(tt.scheme, tt.secrets...)
			if s != nil || err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, %v, want %q", s, err, tt.want)
			}
		})
	}
}

func TestSignRefusesWhatVerifyWould(t *testing.T) {
	t.Parallel()
	standard := newSigner(t, webhook.Standard, standardSecret)
	tests := []struct {
		name   string
		signer *webhook.Signer
		id     string
		at     time.Time
	}{
		{name: "no id", signer: standard, at: time.Unix(now, 0)},
		{name: "an id with a full stop", signer: standard, id: "a.b", at: time.Unix(now, 0)},
		{name: "an id of 257 bytes", signer: standard, id: strings.Repeat("x", 257), at: time.Unix(now, 0)},
		{name: "the zero time", signer: standard, id: goodID},
		{name: "a time before 1970", signer: standard, id: goodID, at: time.Unix(-1, 0)},
		{name: "a time past 9999", signer: standard, id: goodID, at: time.Unix(253402300800, 0)},
		{name: "a GitHub id with a space", signer: newSigner(t, webhook.GitHub, plainSecret), id: "a b", at: time.Unix(now, 0)},
		{name: "a nil signer", id: goodID, at: time.Unix(now, 0)},
		{name: "a zero signer", signer: &webhook.Signer{}, id: goodID, at: time.Unix(now, 0)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if h, err := tt.signer.Sign(tt.id, tt.at, nil); h != nil || err == nil {
				t.Errorf("got %v, %v, want an error", h, err)
			}
		})
	}
}

// A sender that changes from the symmetric to the asymmetric kind signs with the old, with both, then with the new.
func TestBothKindsWhileASenderChanges(t *testing.T) {
	t.Parallel()
	v, err := webhook.New(webhook.Config{Secrets: []string{standardSecret, "whpk_" + publicOf(t, privateSecret)},
		Now: func() time.Time { return time.Unix(now, 0) }})
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name    string
		secrets []string
		want    error
	}{
		{name: "the old secret", secrets: []string{standardSecret}},
		{name: "both", secrets: []string{standardSecret, privateSecret}},
		{name: "the new key", secrets: []string{privateSecret}},
		{name: "another secret", secrets: []string{standardOther}, want: webhook.ErrSignature},
		{name: "another key", secrets: []string{privateOther}, want: webhook.ErrSignature},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			header := sign(t, newSigner(t, webhook.Standard, tt.secrets...), goodID, now, goodBody)
			if _, err := v.Verify(header, []byte(goodBody)); !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
}
