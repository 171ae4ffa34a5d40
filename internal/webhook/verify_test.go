package webhook_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/routeguard/guard/internal/webhook"
)

// The message that every row starts from, signed with the first secret of its scheme.
const (
	now      = 1700000000
	goodID   = "msg_1"
	goodBody = `{"id":"evt_1","type":"invoice.paid"}`
)

var (
	standardSecret = "whsec_" + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{1}, 32))
	standardNext   = "whsec_" + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{2}, 32))
	standardOther  = "whsec_" + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{3}, 32))
	privateSecret  = "whsk_" + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{4}, 32))
	privateOther   = "whsk_" + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{5}, 32))
	plainSecret    = "plain secret of 32 random bytes."
	plainNext      = "the next secret of 32 fine bytes"
	plainOther     = "another one's secret of 32 bytes"
)

// request is what arrives: a row changes it before it is verified.
type request struct {
	header http.Header
	body   string
	now    int64
}

func (r *request) set(name, value string) { r.header.Set(name, value) }

// edit replaces the value of a field by what f makes of it.
func (r *request) edit(name string, f func(string) string) {
	r.header.Set(name, f(r.header.Get(name)))
}

// signAs replaces the header by one that the secrets make.
func (r *request) signAs(t *testing.T, scheme webhook.Scheme, id string, unix int64, secrets ...string) {
	t.Helper()
	r.header = sign(t, newSigner(t, scheme, secrets...), id, unix, r.body)
}

type row struct {
	name   string
	change func(t *testing.T, r *request)
	want   error // nil: authentic
}

func runRows(t *testing.T, scheme webhook.Scheme, signWith string, verifyWith []string, rows []row) {
	t.Helper()
	for _, tt := range rows {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := &request{body: goodBody, now: now}
			r.signAs(t, scheme, goodID, now, signWith)
			if tt.change != nil {
				tt.change(t, r)
			}
			v := newVerifier(t, webhook.Config{Scheme: scheme, Secrets: verifyWith, Now: at(r.now)})
			got, err := v.Verify(r.header, []byte(r.body))
			if !errors.Is(err, tt.want) || (tt.want == nil) != (err == nil) {
				t.Fatalf("got error %v, want %v", err, tt.want)
			}
			if (err == nil) != (got.Key != "") {
				t.Errorf("got key %q with error %v", got.Key, err)
			}
			if err != nil && got != (webhook.Message{}) {
				t.Errorf("got %+v with error %v, want no message", got, err)
			}
			if missing := errors.Is(err, webhook.ErrMissing); missing == v.HasCredential(r.header) {
				t.Errorf("got ErrMissing %v and HasCredential %v, want one of them", missing, !missing)
			}
		})
	}
}

func repeat(s string, n int, separator string) string {
	return strings.Repeat(s+separator, n-1) + s
}

func TestStandard(t *testing.T) {
	t.Parallel()
	const id, stamp, list = "Webhook-Id", "Webhook-Timestamp", "Webhook-Signature"
	flip := func(s string) string { return s[:10] + string(s[10]^1) + s[11:] }
	other := "v1," + base64.StdEncoding.EncodeToString(make([]byte, 32))
	otherA := "v1a," + base64.StdEncoding.EncodeToString(make([]byte, 64))

	runRows(t, webhook.Standard, standardSecret, []string{standardSecret, standardNext}, []row{
		{name: "a signed message is authentic"},
		{name: "the next secret is as good", change: func(t *testing.T, r *request) {
			r.signAs(t, webhook.Standard, goodID, now, standardNext)
		}},
		{name: "signatures by a retired and a current secret", change: func(t *testing.T, r *request) {
			r.signAs(t, webhook.Standard, goodID, now, standardOther, standardNext)
		}},
		{name: "an Ed25519 signature beside it", change: func(t *testing.T, r *request) {
			r.signAs(t, webhook.Standard, goodID, now, privateOther, standardSecret)
		}},
		{name: "an empty body", change: func(t *testing.T, r *request) {
			r.body = ""
			r.signAs(t, webhook.Standard, goodID, now, standardSecret)
		}},
		{name: "a body that is not text", change: func(t *testing.T, r *request) {
			r.body = "\x00\xff\r\n.\xfe"
			r.signAs(t, webhook.Standard, goodID, now, standardSecret)
		}},
		{name: "an id of 256 bytes", change: func(t *testing.T, r *request) {
			r.signAs(t, webhook.Standard, strings.Repeat("x", 256), now, standardSecret)
		}},
		{name: "signed five minutes ago", change: func(t *testing.T, r *request) { r.now += 300 }},
		{name: "signed five minutes ahead", change: func(t *testing.T, r *request) { r.now -= 300 }},
		{name: "a version nobody knows beside it", change: func(t *testing.T, r *request) {
			r.edit(list, func(s string) string { return "v2,x=y " + s + " v9" })
		}},
		{name: "an unreadable v1 beside it", change: func(t *testing.T, r *request) {
			r.edit(list, func(s string) string { return "v1,??? v1, v1 " + s })
		}},
		{name: "sixteen signatures, the last one right", change: func(t *testing.T, r *request) {
			r.edit(list, func(s string) string { return repeat(other, 15, " ") + " " + s })
		}},
		{name: "two spaces between signatures", change: func(t *testing.T, r *request) {
			r.edit(list, func(s string) string { return other + "  " + s })
		}},

		{name: "no field at all", want: webhook.ErrMissing, change: func(t *testing.T, r *request) { r.header = http.Header{} }},
		{name: "a nil header", want: webhook.ErrMissing, change: func(t *testing.T, r *request) { r.header = nil }},
		{name: "the fields of GitHub", want: webhook.ErrMissing, change: func(t *testing.T, r *request) {
			r.signAs(t, webhook.GitHub, goodID, now, plainSecret)
		}},
		{name: "the fields of Stripe", want: webhook.ErrMissing, change: func(t *testing.T, r *request) {
			r.signAs(t, webhook.Stripe, goodID, now, plainSecret)
		}},
		{name: "the older svix- names", want: webhook.ErrMissing, change: func(t *testing.T, r *request) {
			old := r.header
			r.header = http.Header{}
			r.set("svix-id", old.Get(id))
			r.set("svix-timestamp", old.Get(stamp))
			r.set("svix-signature", old.Get(list))
		}},

		{name: "no id", want: webhook.ErrMalformed, change: func(t *testing.T, r *request) { r.header.Del(id) }},
		{name: "no timestamp", want: webhook.ErrMalformed, change: func(t *testing.T, r *request) { r.header.Del(stamp) }},
		{name: "no signature", want: webhook.ErrMalformed, change: func(t *testing.T, r *request) { r.header.Del(list) }},
		{name: "an empty id", want: webhook.ErrMalformed, change: func(t *testing.T, r *request) { r.set(id, "") }},
		{name: "an empty timestamp", want: webhook.ErrMalformed, change: func(t *testing.T, r *request) { r.set(stamp, "") }},
		{name: "an empty signature", want: webhook.ErrMalformed, change: func(t *testing.T, r *request) { r.set(list, "") }},
		{name: "only an empty id", want: webhook.ErrMalformed, change: func(t *testing.T, r *request) { r.header = http.Header{id: {""}} }},
		{name: "the id twice, equal", want: webhook.ErrMalformed, change: func(t *testing.T, r *request) { r.header.Add(id, goodID) }},
		{name: "a second id", want: webhook.ErrMalformed, change: func(t *testing.T, r *request) { r.header.Add(id, "msg_2") }},
		{name: "the timestamp twice", want: webhook.ErrMalformed, change: func(t *testing.T, r *request) { r.header.Add(stamp, "1700000000") }},
		{name: "a second signature field", want: webhook.ErrMalformed, change: func(t *testing.T, r *request) { r.header.Add(list, other) }},
		{name: "an id of 257 bytes", want: webhook.ErrMalformed, change: func(t *testing.T, r *request) { r.set(id, strings.Repeat("x", 257)) }},
		{name: "an id with a space", want: webhook.ErrMalformed, change: func(t *testing.T, r *request) { r.set(id, "msg 1") }},
		{name: "an id with a tab", want: webhook.ErrMalformed, change: func(t *testing.T, r *request) { r.set(id, "msg\t1") }},
		{name: "an id with a line end", want: webhook.ErrMalformed, change: func(t *testing.T, r *request) { r.set(id, "msg_1\r\n") }},
		{name: "an id with a null byte", want: webhook.ErrMalformed, change: func(t *testing.T, r *request) { r.set(id, "msg\x001") }},
		{name: "an id with DEL", want: webhook.ErrMalformed, change: func(t *testing.T, r *request) { r.set(id, "msg\x7f1") }},
		{name: "an id beyond ASCII", want: webhook.ErrMalformed, change: func(t *testing.T, r *request) { r.set(id, "msgé") }},
		{name: "an id with a full stop", want: webhook.ErrMalformed, change: func(t *testing.T, r *request) { r.set(id, "msg.1") }},
		{name: "two ids joined by a proxy", want: webhook.ErrMalformed, change: func(t *testing.T, r *request) { r.set(id, "msg_1, msg_1") }},
		{name: "a timestamp of words", want: webhook.ErrMalformed, change: func(t *testing.T, r *request) { r.set(stamp, "now") }},
		{name: "a timestamp with a plus", want: webhook.ErrMalformed, change: func(t *testing.T, r *request) { r.set(stamp, "+1700000000") }},
		{name: "a negative timestamp", want: webhook.ErrMalformed, change: func(t *testing.T, r *request) { r.set(stamp, "-1700000000") }},
		{name: "a timestamp with a leading zero", want: webhook.ErrMalformed, change: func(t *testing.T, r *request) { r.set(stamp, "01700000000") }},
		{name: "a timestamp with a space", want: webhook.ErrMalformed, change: func(t *testing.T, r *request) { r.set(stamp, "1700000000 ") }},
		{name: "a timestamp with a fraction", want: webhook.ErrMalformed, change: func(t *testing.T, r *request) { r.set(stamp, "1700000000.0") }},
		{name: "a timestamp with an exponent", want: webhook.ErrMalformed, change: func(t *testing.T, r *request) { r.set(stamp, "17e8") }},
		{name: "a timestamp in hexadecimal", want: webhook.ErrMalformed, change: func(t *testing.T, r *request) { r.set(stamp, "0x6553f100") }},
		{name: "a timestamp with an underscore", want: webhook.ErrMalformed, change: func(t *testing.T, r *request) { r.set(stamp, "1_700000000") }},
		{name: "a timestamp in other digits", want: webhook.ErrMalformed, change: func(t *testing.T, r *request) { r.set(stamp, "١٧٠٠") }},
		{name: "a timestamp in milliseconds", want: webhook.ErrMalformed, change: func(t *testing.T, r *request) { r.set(stamp, "1700000000000") }},
		{name: "a timestamp past the year 9999", want: webhook.ErrMalformed, change: func(t *testing.T, r *request) { r.set(stamp, "253402300800") }},
		{name: "a timestamp past int64", want: webhook.ErrMalformed, change: func(t *testing.T, r *request) { r.set(stamp, "99999999999999999999") }},
		{name: "a date as timestamp", want: webhook.ErrMalformed, change: func(t *testing.T, r *request) { r.set(stamp, "2023-11-14T22:13:20Z") }},
		{name: "seventeen signatures", want: webhook.ErrMalformed, change: func(t *testing.T, r *request) {
			r.edit(list, func(s string) string { return s + " " + repeat(other, 16, " ") })
		}},
		{name: "seventeen spaces", want: webhook.ErrMalformed, change: func(t *testing.T, r *request) {
			r.edit(list, func(s string) string { return s + strings.Repeat(" ", 17) })
		}},
		{name: "five v1a signatures", want: webhook.ErrMalformed, change: func(t *testing.T, r *request) {
			r.edit(list, func(s string) string { return s + " " + repeat(otherA, 5, " ") })
		}},
		{name: "a signature field past 8 KiB", want: webhook.ErrMalformed, change: func(t *testing.T, r *request) {
			r.edit(list, func(s string) string { return s + " v2," + strings.Repeat("x", 8192) })
		}},

		{name: "another id", want: webhook.ErrSignature, change: func(t *testing.T, r *request) { r.set(id, "msg_2") }},
		{name: "the id in another case", want: webhook.ErrSignature, change: func(t *testing.T, r *request) { r.set(id, "MSG_1") }},
		{name: "another timestamp", want: webhook.ErrSignature, change: func(t *testing.T, r *request) { r.set(stamp, "1700000001") }},
		{name: "timestamp zero", want: webhook.ErrSignature, change: func(t *testing.T, r *request) { r.set(stamp, "0") }},
		{name: "another body", want: webhook.ErrSignature, change: func(t *testing.T, r *request) { r.body = `{"id":"evt_2"}` }},
		{name: "a body with one more space", want: webhook.ErrSignature, change: func(t *testing.T, r *request) { r.body += " " }},
		{name: "a body cut short", want: webhook.ErrSignature, change: func(t *testing.T, r *request) { r.body = r.body[:len(r.body)-1] }},
		{name: "no body", want: webhook.ErrSignature, change: func(t *testing.T, r *request) { r.body = "" }},
		{name: "another one's secret", want: webhook.ErrSignature, change: func(t *testing.T, r *request) {
			r.signAs(t, webhook.Standard, goodID, now, standardOther)
		}},
		{name: "one bit of the signature changed", want: webhook.ErrSignature, change: func(t *testing.T, r *request) { r.edit(list, flip) }},
		{name: "a signature of zeros", want: webhook.ErrSignature, change: func(t *testing.T, r *request) { r.set(list, other) }},
		{name: "a version and nothing", want: webhook.ErrSignature, change: func(t *testing.T, r *request) { r.set(list, "v1,") }},
		{name: "a version without a comma", want: webhook.ErrSignature, change: func(t *testing.T, r *request) { r.set(list, "v1") }},
		{name: "a signature without its version", want: webhook.ErrSignature, change: func(t *testing.T, r *request) {
			r.edit(list, func(s string) string { return strings.TrimPrefix(s, "v1,") })
		}},
		{name: "the signature called v2", want: webhook.ErrSignature, change: func(t *testing.T, r *request) {
			r.edit(list, func(s string) string { return "v2" + s[2:] })
		}},
		{name: "the signature called v1a", want: webhook.ErrSignature, change: func(t *testing.T, r *request) {
			r.edit(list, func(s string) string { return "v1a" + s[2:] })
		}},
		{name: "the signature called V1", want: webhook.ErrSignature, change: func(t *testing.T, r *request) {
			r.edit(list, func(s string) string { return "V1" + s[2:] })
		}},
		{name: "v1=signature", want: webhook.ErrSignature, change: func(t *testing.T, r *request) {
			r.edit(list, func(s string) string { return strings.Replace(s, ",", "=", 1) })
		}},
		{name: "a signature without padding", want: webhook.ErrSignature, change: func(t *testing.T, r *request) {
			r.edit(list, func(s string) string { return strings.TrimRight(s, "=") })
		}},
		{name: "a signature with more padding", want: webhook.ErrSignature, change: func(t *testing.T, r *request) {
			r.edit(list, func(s string) string { return s + "=" })
		}},
		{name: "a signature in base64url", want: webhook.ErrSignature, change: func(t *testing.T, r *request) {
			r.body = bodyWhoseSignature(t, "+/")
			r.signAs(t, webhook.Standard, goodID, now, standardSecret)
			r.edit(list, strings.NewReplacer("+", "-", "/", "_").Replace)
		}},
		{name: "a signature with a line end", want: webhook.ErrSignature, change: func(t *testing.T, r *request) {
			r.edit(list, func(s string) string { return s[:10] + "\r\n" + s[10:] })
		}},
		{name: "a signature with a line end behind it", want: webhook.ErrSignature, change: func(t *testing.T, r *request) {
			r.edit(list, func(s string) string { return s + "\n" })
		}},
		{name: "a signature with unused bits set", want: webhook.ErrSignature, change: func(t *testing.T, r *request) {
			r.edit(list, setUnusedBit)
		}},
		{name: "a signature with a byte more", want: webhook.ErrSignature, change: func(t *testing.T, r *request) {
			r.edit(list, func(s string) string {
				b, _ := base64.StdEncoding.DecodeString(strings.TrimPrefix(s, "v1,"))
				return "v1," + base64.StdEncoding.EncodeToString(append(b, 0))
			})
		}},
		{name: "half a signature", want: webhook.ErrSignature, change: func(t *testing.T, r *request) {
			r.edit(list, func(s string) string {
				b, _ := base64.StdEncoding.DecodeString(strings.TrimPrefix(s, "v1,"))
				return "v1," + base64.StdEncoding.EncodeToString(b[:16])
			})
		}},
		{name: "a signature in hexadecimal", want: webhook.ErrSignature, change: func(t *testing.T, r *request) {
			r.edit(list, func(s string) string {
				b, _ := base64.StdEncoding.DecodeString(strings.TrimPrefix(s, "v1,"))
				return "v1," + hex.EncodeToString(b)
			})
		}},
		{name: "signatures joined by a comma", want: webhook.ErrSignature, change: func(t *testing.T, r *request) {
			r.edit(list, func(s string) string { return other + "," + s })
		}},
		{name: "signatures joined by a tab", want: webhook.ErrSignature, change: func(t *testing.T, r *request) {
			r.edit(list, func(s string) string { return other + "\t" + s })
		}},
		{name: "an HMAC under the text of the secret", want: webhook.ErrSignature, change: func(t *testing.T, r *request) {
			mac := hmacSHA256([]byte(standardSecret), goodID+".1700000000."+r.body)
			r.set(list, "v1,"+base64.StdEncoding.EncodeToString(mac))
		}},
		{name: "an HMAC under no key", want: webhook.ErrSignature, change: func(t *testing.T, r *request) {
			mac := hmacSHA256(nil, goodID+".1700000000."+r.body)
			r.set(list, "v1,"+base64.StdEncoding.EncodeToString(mac))
		}},
		{name: "the body signed alone", want: webhook.ErrSignature, change: func(t *testing.T, r *request) {
			mac := hmacSHA256(bytes.Repeat([]byte{1}, 32), r.body)
			r.set(list, "v1,"+base64.StdEncoding.EncodeToString(mac))
		}},
		{name: "an Ed25519 signature for an HMAC receiver", want: webhook.ErrSignature, change: func(t *testing.T, r *request) {
			r.signAs(t, webhook.Standard, goodID, now, privateSecret)
		}},
		{name: "a border moved from the body to the timestamp", want: webhook.ErrSignature, change: func(t *testing.T, r *request) {
			// Signed: msg_1.1600000000.1700000000.{} with the body "1700000000.{}".
			r.body = "1700000000.{}"
			r.signAs(t, webhook.Standard, goodID, now-100000000, standardSecret)
			r.set(stamp, "1700000000")
			r.body = "{}"
		}},
		{name: "a border moved into the id", want: webhook.ErrMalformed, change: func(t *testing.T, r *request) {
			// The same signed text, read as id "msg_1.1600000000", timestamp 1700000000, body "{}".
			r.body = "1700000000.{}"
			r.signAs(t, webhook.Standard, goodID, now-100000000, standardSecret)
			r.set(id, "msg_1.1600000000")
			r.set(stamp, "1700000000")
			r.body = "{}"
		}},

		{name: "replayed after five minutes and a second", want: webhook.ErrTimestamp, change: func(t *testing.T, r *request) { r.now += 301 }},
		{name: "signed five minutes and a second ahead", want: webhook.ErrTimestamp, change: func(t *testing.T, r *request) { r.now -= 301 }},
		{name: "replayed after a year", want: webhook.ErrTimestamp, change: func(t *testing.T, r *request) { r.now += 31536000 }},
		{name: "signed for 1970", want: webhook.ErrTimestamp, change: func(t *testing.T, r *request) {
			r.signAs(t, webhook.Standard, goodID, 0, standardSecret)
		}},
		{name: "signed for the year 9999", want: webhook.ErrTimestamp, change: func(t *testing.T, r *request) {
			r.signAs(t, webhook.Standard, goodID, 253402300799, standardSecret)
		}},
	})
}

func TestStandardEd25519(t *testing.T) {
	t.Parallel()
	const list = "Webhook-Signature"
	public := "whpk_" + publicOf(t, privateSecret)
	otherPublic := "whpk_" + publicOf(t, privateOther)
	zeros := "v1a," + base64.StdEncoding.EncodeToString(make([]byte, 64))

	runRows(t, webhook.Standard, privateSecret, []string{public, otherPublic}, []row{
		{name: "a signed message is authentic"},
		{name: "the other key is as good", change: func(t *testing.T, r *request) {
			r.signAs(t, webhook.Standard, goodID, now, privateOther)
		}},
		{name: "both keys", change: func(t *testing.T, r *request) {
			r.signAs(t, webhook.Standard, goodID, now, privateOther, privateSecret)
		}},
		{name: "an HMAC beside it", change: func(t *testing.T, r *request) {
			r.signAs(t, webhook.Standard, goodID, now, standardSecret, privateSecret)
		}},
		{name: "four v1a, the last one right", change: func(t *testing.T, r *request) {
			r.edit(list, func(s string) string { return repeat(zeros, 3, " ") + " " + s })
		}},
		{name: "five v1a, the first one right", want: webhook.ErrMalformed, change: func(t *testing.T, r *request) {
			r.edit(list, func(s string) string { return s + " " + repeat(zeros, 4, " ") })
		}},
		{name: "a signature of zeros", want: webhook.ErrSignature, change: func(t *testing.T, r *request) { r.set(list, zeros) }},
		{name: "an HMAC under the public key", want: webhook.ErrSignature, change: func(t *testing.T, r *request) {
			key, _ := base64.StdEncoding.DecodeString(publicOf(t, privateSecret))
			mac := hmacSHA256(key, goodID+".1700000000."+r.body)
			r.set(list, "v1,"+base64.StdEncoding.EncodeToString(mac))
		}},
		{name: "an HMAC under the public key called v1a", want: webhook.ErrSignature, change: func(t *testing.T, r *request) {
			key, _ := base64.StdEncoding.DecodeString(publicOf(t, privateSecret))
			mac := hmacSHA256(key, goodID+".1700000000."+r.body)
			r.set(list, "v1a,"+base64.StdEncoding.EncodeToString(append(mac, mac...)))
		}},
		{name: "the signature called v1", want: webhook.ErrSignature, change: func(t *testing.T, r *request) {
			r.edit(list, func(s string) string { return "v1" + s[3:] })
		}},
		{name: "half the signature", want: webhook.ErrSignature, change: func(t *testing.T, r *request) {
			r.edit(list, func(s string) string {
				b, _ := base64.StdEncoding.DecodeString(strings.TrimPrefix(s, "v1a,"))
				return "v1a," + base64.StdEncoding.EncodeToString(b[:32])
			})
		}},
		{name: "S plus the order of the group", want: webhook.ErrSignature, change: func(t *testing.T, r *request) {
			r.edit(list, addOrder)
		}},
		{name: "unused bits set", want: webhook.ErrSignature, change: func(t *testing.T, r *request) { r.edit(list, setUnusedBit) }},
		{name: "another body", want: webhook.ErrSignature, change: func(t *testing.T, r *request) { r.body += " " }},
		{name: "another id", want: webhook.ErrSignature, change: func(t *testing.T, r *request) { r.set("Webhook-Id", "msg_2") }},
		{name: "another timestamp", want: webhook.ErrSignature, change: func(t *testing.T, r *request) { r.set("Webhook-Timestamp", "1700000001") }},
		{name: "replayed later", want: webhook.ErrTimestamp, change: func(t *testing.T, r *request) { r.now += 301 }},
		{name: "signed ahead", want: webhook.ErrTimestamp, change: func(t *testing.T, r *request) { r.now -= 301 }},
	})
}

func TestGitHub(t *testing.T) {
	t.Parallel()
	const signature, delivery = "X-Hub-Signature-256", "X-Github-Delivery"
	zeros := "sha256=" + strings.Repeat("0", 64)

	runRows(t, webhook.GitHub, plainSecret, []string{plainSecret, plainNext}, []row{
		{name: "a signed message is authentic"},
		{name: "the next secret is as good", change: func(t *testing.T, r *request) {
			r.signAs(t, webhook.GitHub, goodID, now, plainNext)
		}},
		{name: "no delivery id", change: func(t *testing.T, r *request) { r.header.Del(delivery) }},
		{name: "another delivery id, which is not signed", change: func(t *testing.T, r *request) { r.set(delivery, "72d3162e-cc78-11e3-81ab-4c9367dc0958") }},
		{name: "years later, since no time is signed", change: func(t *testing.T, r *request) { r.now += 100000000 }},
		{name: "a sha1 signature beside it", change: func(t *testing.T, r *request) {
			r.set("X-Hub-Signature", "sha1=7d38cdd689735b008b3c702edd92eea23791c5f6")
		}},
		{name: "an empty body", change: func(t *testing.T, r *request) {
			r.body = ""
			r.signAs(t, webhook.GitHub, goodID, now, plainSecret)
		}},

		{name: "no field at all", want: webhook.ErrMissing, change: func(t *testing.T, r *request) { r.header = http.Header{} }},
		{name: "a delivery id alone", want: webhook.ErrMissing, change: func(t *testing.T, r *request) { r.header.Del(signature) }},
		{name: "a sha1 signature alone", want: webhook.ErrMissing, change: func(t *testing.T, r *request) {
			r.header = http.Header{"X-Hub-Signature": {"sha1=7d38cdd689735b008b3c702edd92eea23791c5f6"}}
		}},
		{name: "the fields of Standard Webhooks", want: webhook.ErrMissing, change: func(t *testing.T, r *request) {
			r.signAs(t, webhook.Standard, goodID, now, standardSecret)
		}},

		{name: "an empty signature", want: webhook.ErrMalformed, change: func(t *testing.T, r *request) { r.set(signature, "") }},
		{name: "the signature twice", want: webhook.ErrMalformed, change: func(t *testing.T, r *request) { r.header.Add(signature, r.header.Get(signature)) }},
		{name: "a second signature", want: webhook.ErrMalformed, change: func(t *testing.T, r *request) { r.header.Add(signature, zeros) }},
		{name: "no algorithm", want: webhook.ErrMalformed, change: func(t *testing.T, r *request) {
			r.edit(signature, func(s string) string { return strings.TrimPrefix(s, "sha256=") })
		}},
		{name: "sha1 in the sha256 field", want: webhook.ErrMalformed, change: func(t *testing.T, r *request) { r.set(signature, "sha1=7d38cdd689735b008b3c702edd92eea23791c5f6") }},
		{name: "SHA256 in capitals", want: webhook.ErrMalformed, change: func(t *testing.T, r *request) {
			r.edit(signature, func(s string) string { return "SHA256" + s[6:] })
		}},
		{name: "digits in capitals", want: webhook.ErrMalformed, change: func(t *testing.T, r *request) {
			r.edit(signature, func(s string) string { return "sha256=" + strings.ToUpper(s[7:]) })
		}},
		{name: "not hexadecimal", want: webhook.ErrMalformed, change: func(t *testing.T, r *request) { r.set(signature, "sha256="+strings.Repeat("g", 64)) }},
		{name: "an odd number of digits", want: webhook.ErrMalformed, change: func(t *testing.T, r *request) {
			r.edit(signature, func(s string) string { return s[:len(s)-1] })
		}},
		{name: "base64", want: webhook.ErrMalformed, change: func(t *testing.T, r *request) {
			r.edit(signature, func(s string) string {
				b, _ := hex.DecodeString(s[7:])
				return "sha256=" + base64.StdEncoding.EncodeToString(b)
			})
		}},
		{name: "two signatures in one field", want: webhook.ErrMalformed, change: func(t *testing.T, r *request) {
			r.edit(signature, func(s string) string { return zeros + "," + s })
		}},
		{name: "a signature and a space", want: webhook.ErrMalformed, change: func(t *testing.T, r *request) {
			r.edit(signature, func(s string) string { return s + " " })
		}},
		{name: "a signature past 8 KiB", want: webhook.ErrMalformed, change: func(t *testing.T, r *request) { r.set(signature, "sha256="+strings.Repeat("0", 8192)) }},
		{name: "two delivery ids", want: webhook.ErrMalformed, change: func(t *testing.T, r *request) { r.header.Add(delivery, "other") }},
		{name: "an empty delivery id", want: webhook.ErrMalformed, change: func(t *testing.T, r *request) { r.set(delivery, "") }},
		{name: "a delivery id with a line end", want: webhook.ErrMalformed, change: func(t *testing.T, r *request) { r.set(delivery, "a\nb") }},
		{name: "a delivery id of 257 bytes", want: webhook.ErrMalformed, change: func(t *testing.T, r *request) { r.set(delivery, strings.Repeat("x", 257)) }},

		{name: "an algorithm and nothing", want: webhook.ErrSignature, change: func(t *testing.T, r *request) { r.set(signature, "sha256=") }},
		{name: "a signature of zeros", want: webhook.ErrSignature, change: func(t *testing.T, r *request) { r.set(signature, zeros) }},
		{name: "half the signature", want: webhook.ErrSignature, change: func(t *testing.T, r *request) {
			r.edit(signature, func(s string) string { return s[:7+32] })
		}},
		{name: "a signature with a byte more", want: webhook.ErrSignature, change: func(t *testing.T, r *request) {
			r.edit(signature, func(s string) string { return s + "00" })
		}},
		{name: "another body", want: webhook.ErrSignature, change: func(t *testing.T, r *request) { r.body += "\n" }},
		{name: "no body", want: webhook.ErrSignature, change: func(t *testing.T, r *request) { r.body = "" }},
		{name: "another one's secret", want: webhook.ErrSignature, change: func(t *testing.T, r *request) {
			r.signAs(t, webhook.GitHub, goodID, now, plainOther)
		}},
		{name: "an HMAC under no key", want: webhook.ErrSignature, change: func(t *testing.T, r *request) {
			r.set(signature, "sha256="+hex.EncodeToString(hmacSHA256(nil, r.body)))
		}},
		{name: "a Stripe signature of the same secret", want: webhook.ErrSignature, change: func(t *testing.T, r *request) {
			r.set(signature, "sha256="+hex.EncodeToString(hmacSHA256([]byte(plainSecret), "1700000000."+r.body)))
		}},
	})
}

func TestStripe(t *testing.T) {
	t.Parallel()
	const field = "Stripe-Signature"
	other := "v1=" + strings.Repeat("0", 64)
	replace := func(old, new string) func(*testing.T, *request) {
		return func(_ *testing.T, r *request) {
			r.edit(field, func(s string) string { return strings.Replace(s, old, new, 1) })
		}
	}
	appendTo := func(tail string) func(*testing.T, *request) {
		return func(_ *testing.T, r *request) { r.edit(field, func(s string) string { return s + tail }) }
	}

	runRows(t, webhook.Stripe, plainSecret, []string{plainSecret, plainNext}, []row{
		{name: "a signed message is authentic"},
		{name: "the next secret is as good", change: func(t *testing.T, r *request) {
			r.signAs(t, webhook.Stripe, "", now, plainNext)
		}},
		{name: "a retired and a current secret", change: func(t *testing.T, r *request) {
			r.signAs(t, webhook.Stripe, "", now, plainOther, plainNext)
		}},
		{name: "a v0 beside it", change: appendTo(",v0=6ffbb59b2300aae63f272406069a9788598b792a944a07aba816edb039989a39")},
		{name: "an unreadable v1 beside it", change: appendTo(",v1=bad_signature,v1=")},
		{name: "the timestamp last", change: func(t *testing.T, r *request) {
			r.edit(field, func(s string) string { t, v1, _ := strings.Cut(s, ","); return v1 + "," + t })
		}},
		{name: "sixteen entries", change: appendTo("," + repeat(other, 14, ","))},
		{name: "signed five minutes ago", change: func(t *testing.T, r *request) { r.now += 300 }},
		{name: "signed five minutes ahead", change: func(t *testing.T, r *request) { r.now -= 300 }},
		{name: "a body without an id", change: func(t *testing.T, r *request) {
			r.body = `not JSON`
			r.signAs(t, webhook.Stripe, "", now, plainSecret)
		}},

		{name: "no field at all", want: webhook.ErrMissing, change: func(t *testing.T, r *request) { r.header = http.Header{} }},
		{name: "the fields of Standard Webhooks", want: webhook.ErrMissing, change: func(t *testing.T, r *request) {
			r.signAs(t, webhook.Standard, goodID, now, standardSecret)
		}},

		{name: "an empty field", want: webhook.ErrMalformed, change: func(t *testing.T, r *request) { r.set(field, "") }},
		{name: "the field twice", want: webhook.ErrMalformed, change: func(t *testing.T, r *request) { r.header.Add(field, r.header.Get(field)) }},
		{name: "no t", want: webhook.ErrMalformed, change: replace("t=1700000000,", "")},
		{name: "two t", want: webhook.ErrMalformed, change: appendTo(",t=1700000000")},
		{name: "an empty t", want: webhook.ErrMalformed, change: replace("t=1700000000", "t=")},
		{name: "a t of words", want: webhook.ErrMalformed, change: replace("t=1700000000", "t=now")},
		{name: "a t with a plus", want: webhook.ErrMalformed, change: replace("t=", "t=+")},
		{name: "a t with a leading zero", want: webhook.ErrMalformed, change: replace("t=", "t=0")},
		{name: "a t in milliseconds", want: webhook.ErrMalformed, change: replace("t=1700000000", "t=1700000000000")},
		{name: "a T", want: webhook.ErrMalformed, change: replace("t=", "T=")},
		{name: "an entry without =", want: webhook.ErrMalformed, change: appendTo(",v1")},
		{name: "a comma at the end", want: webhook.ErrMalformed, change: appendTo(",")},
		{name: "only commas", want: webhook.ErrMalformed, change: func(t *testing.T, r *request) { r.set(field, ",,") }},
		{name: "seventeen entries", want: webhook.ErrMalformed, change: appendTo("," + repeat(other, 15, ","))},
		{name: "a field past 8 KiB", want: webhook.ErrMalformed, change: appendTo(",v2=" + strings.Repeat("x", 8192))},

		{name: "a t alone", want: webhook.ErrSignature, change: func(t *testing.T, r *request) { r.set(field, "t=1700000000") }},
		{name: "a signature of zeros", want: webhook.ErrSignature, change: func(t *testing.T, r *request) { r.set(field, "t=1700000000,"+other) }},
		{name: "the signature called v0", want: webhook.ErrSignature, change: replace("v1=", "v0=")},
		{name: "a space behind the comma", want: webhook.ErrSignature, change: replace(",v1=", ", v1=")},
		{name: "digits in capitals", want: webhook.ErrSignature, change: func(t *testing.T, r *request) {
			r.edit(field, func(s string) string {
				t, v1, _ := strings.Cut(s, ",v1=")
				return t + ",v1=" + strings.ToUpper(v1)
			})
		}},
		{name: "half the signature", want: webhook.ErrSignature, change: func(t *testing.T, r *request) {
			r.edit(field, func(s string) string { return s[:len(s)-32] })
		}},
		{name: "another t", want: webhook.ErrSignature, change: replace("t=1700000000", "t=1700000001")},
		{name: "another body", want: webhook.ErrSignature, change: func(t *testing.T, r *request) { r.body += " " }},
		{name: "no body", want: webhook.ErrSignature, change: func(t *testing.T, r *request) { r.body = "" }},
		{name: "another one's secret", want: webhook.ErrSignature, change: func(t *testing.T, r *request) {
			r.signAs(t, webhook.Stripe, "", now, plainOther)
		}},
		{name: "a border moved from the body to t", want: webhook.ErrSignature, change: func(t *testing.T, r *request) {
			r.body = "1700000000.{}"
			r.signAs(t, webhook.Stripe, "", now-100000000, plainSecret)
			r.edit(field, func(s string) string { return strings.Replace(s, "t=1600000000", "t=1700000000", 1) })
			r.body = "{}"
		}},
		{name: "the body signed alone", want: webhook.ErrSignature, change: func(t *testing.T, r *request) {
			r.set(field, "t=1700000000,v1="+hex.EncodeToString(hmacSHA256([]byte(plainSecret), r.body)))
		}},

		{name: "replayed after five minutes and a second", want: webhook.ErrTimestamp, change: func(t *testing.T, r *request) { r.now += 301 }},
		{name: "signed five minutes and a second ahead", want: webhook.ErrTimestamp, change: func(t *testing.T, r *request) { r.now -= 301 }},
	})
}

func TestToleranceIsConfigurable(t *testing.T) {
	t.Parallel()
	v := newVerifier(t, webhook.Config{Secrets: []string{standardSecret}, Tolerance: time.Minute, Now: at(now)})
	s := newSigner(t, webhook.Standard, standardSecret)
	for _, tt := range []struct {
		offset int64
		want   error
	}{
		{offset: -61, want: webhook.ErrTimestamp},
		{offset: -60},
		{offset: 0},
		{offset: 60},
		{offset: 61, want: webhook.ErrTimestamp},
	} {
		_, err := v.Verify(sign(t, s, goodID, now+tt.offset, goodBody), []byte(goodBody))
		if !errors.Is(err, tt.want) {
			t.Errorf("%+d s: got %v, want %v", tt.offset, err, tt.want)
		}
	}
}

func TestWindow(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		config webhook.Config
		want   time.Duration
	}{
		{name: "twice the default", config: webhook.Config{Secrets: []string{standardSecret}}, want: 10 * time.Minute},
		{name: "twice the tolerance", config: webhook.Config{Scheme: webhook.Stripe, Secrets: []string{plainSecret}, Tolerance: time.Minute}, want: 2 * time.Minute},
		{name: "for ever with GitHub", config: webhook.Config{Scheme: webhook.GitHub, Secrets: []string{plainSecret}}},
	} {
		if got := newVerifier(t, tt.config).Window(); got != tt.want {
			t.Errorf("%s: got %v, want %v", tt.name, got, tt.want)
		}
	}
}

// The key decides whether a message runs again, so what it must and must not depend on is pinned.
func TestKeyNamesTheMessage(t *testing.T) {
	t.Parallel()
	key := func(scheme webhook.Scheme, secret, id string, unix int64, body string) string {
		t.Helper()
		c := webhook.Config{Scheme: scheme, Secrets: []string{secret}, Now: at(unix)}
		m, err := newVerifier(t, c).Verify(sign(t, newSigner(t, scheme, secret), id, unix, body), []byte(body))
		if err != nil {
			t.Fatal(err)
		}
		return m.Key
	}
	standard := key(webhook.Standard, standardSecret, "evt_1", now, goodBody)
	github := key(webhook.GitHub, plainSecret, "evt_1", now, goodBody)
	stripe := key(webhook.Stripe, plainSecret, "", now, goodBody)
	noID := key(webhook.Stripe, plainSecret, "", now, `{"type":"x"}`)

	same := []struct {
		name      string
		got, want string
	}{
		{"Standard, signed again later", key(webhook.Standard, standardSecret, "evt_1", now+9, goodBody), standard},
		{"Standard, with another secret", key(webhook.Standard, standardNext, "evt_1", now, goodBody), standard},
		{"Standard, with another body", key(webhook.Standard, standardSecret, "evt_1", now, "{}"), standard},
		{"GitHub, under another delivery id", key(webhook.GitHub, plainSecret, "evt_2", now, goodBody), github},
		{"GitHub, with another secret", key(webhook.GitHub, plainNext, "evt_1", now, goodBody), github},
		{"Stripe, signed again later", key(webhook.Stripe, plainSecret, "", now+9, goodBody), stripe},
		{"Stripe, another spelling of the event", key(webhook.Stripe, plainSecret, "", now, `{"id":"evt_1"}`), stripe},
		{"Stripe without an id, signed again", key(webhook.Stripe, plainNext, "", now+9, `{"type":"x"}`), noID},
	}
	for _, tt := range same {
		if tt.got != tt.want {
			t.Errorf("%s: got another key, want the same", tt.name)
		}
	}
	differ := map[string]string{
		"Standard":                      standard,
		"GitHub":                        github,
		"Stripe":                        stripe,
		"Stripe without an id":          noID,
		"Standard, another id":          key(webhook.Standard, standardSecret, "evt_2", now, goodBody),
		"GitHub, another body":          key(webhook.GitHub, plainSecret, "evt_1", now, goodBody+" "),
		"Stripe, another event":         key(webhook.Stripe, plainSecret, "", now, `{"id":"evt_2"}`),
		"Stripe, a body that is the id": key(webhook.Stripe, plainSecret, "", now, "evt_1"),
	}
	seen := map[string]string{}
	for name, k := range differ {
		if other, ok := seen[k]; ok {
			t.Errorf("%s and %s: got one key, want two", name, other)
		}
		seen[k] = name
	}
}

func TestGitHubsIDIsTheDelivery(t *testing.T) {
	t.Parallel()
	v := newVerifier(t, webhook.Config{Scheme: webhook.GitHub, Secrets: []string{plainSecret}})
	m, err := v.Verify(sign(t, newSigner(t, webhook.GitHub, plainSecret), "72d3162e", now, goodBody), []byte(goodBody))
	if err != nil || m.ID != "72d3162e" || !m.Timestamp.IsZero() {
		t.Errorf("got %+v, %v, want the delivery id and no time", m, err)
	}
}

func TestUnmadeVerifierAcceptsNothing(t *testing.T) {
	t.Parallel()
	h := sign(t, newSigner(t, webhook.Standard, standardSecret), goodID, now, goodBody)
	var none *webhook.Verifier
	for name, v := range map[string]*webhook.Verifier{"nil": none, "zero": {}} {
		if m, err := v.Verify(h, []byte(goodBody)); err == nil || m != (webhook.Message{}) {
			t.Errorf("%s: got %+v, %v, want an error", name, m, err)
		}
	}
	if none.HasCredential(h) || none.Window() != 0 {
		t.Error("nil: got a credential or a window, want neither")
	}
}

// Nothing that the sender wrote may reach a log through an error.
func TestErrorsHoldNothingOfTheRequest(t *testing.T) {
	t.Parallel()
	const mark = "MARK"
	for _, scheme := range []webhook.Scheme{webhook.Standard, webhook.GitHub, webhook.Stripe} {
		secret := plainSecret
		if scheme == webhook.Standard {
			secret = standardSecret
		}
		v := newVerifier(t, webhook.Config{Scheme: scheme, Secrets: []string{secret}, Now: at(now)})
		for name := range sign(t, newSigner(t, scheme, secret), goodID, now, goodBody) {
			for _, value := range []string{mark, mark + ".", "v1," + mark, "t=" + mark, "sha256=" + mark, "\x00" + mark} {
				h := sign(t, newSigner(t, scheme, secret), goodID, now, goodBody)
				h.Set(name, value)
				_, err := v.Verify(h, []byte(mark))
				if err == nil || strings.Contains(err.Error(), mark) {
					t.Errorf("%v: %s: %q: got %v", scheme, name, value, err)
				}
			}
		}
	}
}

func TestPrintingShowsNoSecret(t *testing.T) {
	t.Parallel()
	v := newVerifier(t, webhook.Config{Scheme: webhook.GitHub, Secrets: []string{plainSecret}})
	s := newSigner(t, webhook.GitHub, plainSecret)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		for _, value := range []any{v, s} {
			got := fmt.Sprintf(verb, value)
			if !strings.HasPrefix(got, "webhook.") || strings.Contains(got, "112") || len(got) > 20 {
				t.Errorf("%s: got %q, want the name of the type alone", verb, got)
			}
		}
	}
}
