package webhook_test

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"

	"github.com/routeguard/guard/internal/webhook"
)

func BenchmarkVerify(b *testing.B) {
	public := "whpk_" + publicOf(b, privateSecret)
	for _, bb := range []struct {
		name           string
		scheme         webhook.Scheme
		sign, verify   string
		bodyBytes, bad int // bad entries in front of the right one
	}{
		{name: "v1/1KiB", sign: standardSecret, verify: standardSecret, bodyBytes: 1 << 10},
		{name: "v1a/1KiB", sign: privateSecret, verify: public, bodyBytes: 1 << 10},
		{name: "v1a/256KiB/worst", sign: privateSecret, verify: public, bodyBytes: 1 << 18, bad: 3},
		{name: "GitHub/1KiB", scheme: webhook.GitHub, sign: plainSecret, verify: plainSecret, bodyBytes: 1 << 10},
		{name: "Stripe/1KiB", scheme: webhook.Stripe, sign: plainSecret, verify: plainSecret, bodyBytes: 1 << 10},
	} {
		b.Run(bb.name, func(b *testing.B) {
			body := `{"id":"evt_1","data":"` + strings.Repeat("x", bb.bodyBytes) + `"}`
			v := newVerifier(b, webhook.Config{Scheme: bb.scheme, Secrets: []string{bb.verify}, Now: at(now)})
			h := http.Header(sign(b, newSigner(b, bb.scheme, bb.sign), goodID, now, body))
			if bb.bad > 0 {
				zeros := "v1a," + base64.StdEncoding.EncodeToString(make([]byte, 64))
				h.Set("webhook-signature", repeat(zeros, bb.bad, " ")+" "+h.Get("webhook-signature"))
			}
			raw := []byte(body)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := v.Verify(h, raw); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
