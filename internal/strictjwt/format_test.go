package strictjwt_test

import (
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"

	"github.com/routeguard/guard/internal/strictjwt"
)

func TestVerifyRefusesAnySecondSpelling(t *testing.T) {
	t.Parallel()
	// With white space that leaves spare bits in each segment.
	good := sign("HS256", secret, spare(baseHeader), spare(basePayload))
	accepted(t, newVerifier(t, config("HS256")), good)
	part := strings.Split(good, ".")
	header, payload, signature := part[0], part[1], part[2]
	join := func(parts ...string) string { return strings.Join(parts, ".") }
	// signed is for payloads, which nobody looks at where the signature is wrong.
	signed := func(payload string) string {
		input := join(header, payload)
		return join(input, encode(string(must(jwt.SigningMethodHS256.Sign(input, secret)))))
	}
	middle := func(s, inserted string) string { return s[:5] + inserted + s[5:] }

	refuseAll(t, config("HS256"), []mangled{
		{name: "the empty string", token: "", want: "three segments"},
		{name: "no dot", token: "abc", want: "three segments"},
		{name: "one dot", token: join(header, payload), want: "three segments"},
		{name: "only dots", token: "..", want: "empty"},
		{name: "a trailing dot", token: good + ".", want: "three segments"},
		{name: "a fourth segment", token: good + ".e30", want: "three segments"},
		{name: "five segments of an encrypted token", token: join(header, payload, signature, "e30", "e30"), want: "three segments"},
		{name: "8192 dots", token: strings.Repeat(".", 8192), want: "three segments"},
		{name: "an empty header", token: join("", payload, signature), want: "empty"},
		{name: "an empty payload", token: join(header, "", signature), want: "empty"},
		{name: "an empty signature", token: join(header, payload, ""), want: "empty"},
		{name: "a leading space", token: " " + good, want: "header is not canonical"},
		{name: "a trailing space", token: good + " ", want: "signature is not canonical"},
		{name: "a space in the header", token: join(middle(header, " "), payload, signature), want: "header is not canonical"},
		{name: "a space in the payload", token: signed(middle(payload, " ")), want: "payload is not canonical"},
		{name: "a space in the signature", token: join(header, payload, middle(signature, " ")), want: "signature is not canonical"},
		{name: "a tab in the payload", token: signed(middle(payload, "\t")), want: "payload is not canonical"},
		{name: "a leading line feed", token: "\n" + good, want: "line end"},
		{name: "a trailing line feed", token: good + "\n", want: "line end"},
		{name: "a trailing CR LF", token: good + "\r\n", want: "line end"},
		{name: "CR LF in the header", token: join(middle(header, "\r\n"), payload, signature), want: "line end"},
		{name: "a line feed in the payload", token: join(header, middle(payload, "\n"), signature), want: "line end"},
		{name: "a CR in the signature", token: join(header, payload, middle(signature, "\r")), want: "line end"},
		{name: "a NUL in the payload", token: signed(middle(payload, "\x00")), want: "payload is not canonical"},
		{name: "a byte above ASCII in the signature", token: join(header, payload, middle(signature, "\xc3\xa9")), want: "signature is not canonical"},
		{name: "a percent escape in the signature", token: join(header, payload, middle(signature, "%2D")), want: "signature is not canonical"},
		{name: "a padded header", token: join(header+"=", payload, signature), want: "header is not canonical"},
		{name: "a padded payload that nobody signed", token: join(header, payload+"==", signature), want: "does not verify"},
		{name: "a padded payload", token: signed(payload + "=="), want: "payload is not canonical"},
		{name: "a padded signature", token: join(header, payload, signature+"="), want: "signature is not canonical"},
		{name: "the standard alphabet's plus", token: join(header, payload, "+"+signature[1:]), want: "signature is not canonical"},
		{name: "the standard alphabet's slash", token: join(header, payload, "/"+signature[1:]), want: "signature is not canonical"},
		{name: "trailing bits in the header", token: join(trailingBits(header), payload, signature), want: "header is not canonical"},
		{name: "trailing bits in the payload", token: signed(trailingBits(payload)), want: "payload is not canonical"},
		{name: "trailing bits in the signature", token: join(header, payload, trailingBits(signature)), want: "signature is not canonical"},
		{name: "a signature one character short", token: good[:len(good)-1], want: "signature"},
		{name: "a signature one character long", token: join(header, payload, "A"), want: "signature is not canonical"},
		{name: "a signature with a byte more", token: join(header, payload, encode(strings.Repeat("s", 33))), want: "does not verify"},
		{name: "the JSON serialization", token: `{"payload":"` + payload + `","protected":"` + header + `","signature":"` + signature + `"}`, want: "three segments"},
		{name: "the scheme in front", token: "Bearer " + good, want: "header is not canonical"},
		{name: "quotes around", token: `"` + good + `"`, want: "header is not canonical"},
		{name: "a comma and a second token", token: good + "," + good, want: "three segments"},
		{name: "twice itself", token: good + good, want: "three segments"},
		{name: "a token of 8193 bytes", token: tokenOfLength(t, strictjwt.MaxTokenBytes+1), want: "longer than 8 KiB"},
		{name: "a megabyte", token: strings.Repeat("A", 1<<20), want: "longer than 8 KiB"},
	})
}

func TestVerifyAcceptsTheLongestToken(t *testing.T) {
	t.Parallel()
	v := newVerifier(t, config("HS256"))
	for range 2 { // the second time from the cache
		accepted(t, v, tokenOfLength(t, strictjwt.MaxTokenBytes))
	}
}

// spare adds white space until base64 has bits to spare.
func spare(json string) string {
	for len(json)%3 == 0 {
		json += " "
	}
	return json
}

// trailingBits sets a bit of the last character that decoding drops.
func trailingBits(segment string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	if len(segment)%4 == 0 {
		panic("this segment has no spare bits")
	}
	last := strings.IndexByte(alphabet, segment[len(segment)-1])
	return segment[:len(segment)-1] + alphabet[last|1:last|1+1]
}

// tokenOfLength is a well signed token, stretched by a claim and, where that
// does not meet the length, by white space in the header.
func tokenOfLength(t *testing.T, length int) string {
	t.Helper()
	for _, space := range []string{"", " ", "  "} {
		for n := length*3/4 - 400; ; n++ {
			payload := swap(basePayload, `"member"`, `"`+strings.Repeat("m", n)+`"`)
			token := sign("HS256", secret, baseHeader+space, payload)
			if len(token) == length {
				return token
			}
			if len(token) > length {
				break
			}
		}
	}
	t.Fatalf("no token has %d bytes", length)
	return ""
}
