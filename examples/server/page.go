package main

import (
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"

	"github.com/routeguard/guard"
)

//go:embed page
var pageFiles embed.FS

// pagePolicy lets the page load its own files, talk to its own origin, and do nothing else. No script can be written
// into it, and no other page can frame it or post its forms elsewhere.
const pagePolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

// addPage serves the page for trying the service out.
func addPage(mux *guard.Mux) {
	const reason = "the page: static files, the same for everybody"
	mux.Unguarded("GET /{$}", reason, pageFile("index.html", "text/html; charset=utf-8"))
	mux.Unguarded("GET /page.css", reason, pageFile("page.css", "text/css; charset=utf-8"))
	mux.Unguarded("GET /page.js", reason, pageFile("page.js", "text/javascript; charset=utf-8"))
	mux.Unguarded("GET /request.js", reason, pageFile("request.js", "text/javascript; charset=utf-8"))
	mux.Unguarded("GET /icon.svg", reason, pageFile("icon.svg", "image/svg+xml"))
}

// pageFile serves one embedded file. It panics if there is none: that is a mistake in the program.
func pageFile(name, contentType string) http.Handler {
	content, err := pageFiles.ReadFile("page/" + name)
	if err != nil {
		panic(err)
	}
	sum := sha256.Sum256(content)
	tag := `"` + base64.RawURLEncoding.EncodeToString(sum[:16]) + `"`
	header := map[string]string{
		"Cache-Control":                "no-cache", // a browser asks each time, and gets a 304
		"ETag":                         tag,
		"Content-Security-Policy":      pagePolicy,
		"Cross-Origin-Opener-Policy":   "same-origin",
		"Cross-Origin-Resource-Policy": "same-origin",
		"Permissions-Policy":           "camera=(), geolocation=(), microphone=()",
		// No referrer at all would make the Origin of the page's own posts null, which the origin check refuses.
		"Referrer-Policy": "same-origin",
		"X-Frame-Options": "DENY",
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for field, value := range header {
			w.Header().Set(field, value)
		}
		if hasTag(r.Header["If-None-Match"], tag) {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		w.Header().Set("Content-Type", contentType)
		w.Header().Set("Content-Length", strconv.Itoa(len(content)))
		_, _ = w.Write(content) // of a HEAD request, net/http keeps it back
	})
}

// hasTag reports whether If-None-Match names a tag, by weak comparison (RFC 9110, section 13.1.2). It takes the place of
// http.ServeContent, which refuses ranges and other conditions in plain text: no file of a few kilobytes needs them.
func hasTag(fields []string, tag string) bool {
	for _, field := range fields {
		for one := range strings.SplitSeq(field, ",") {
			if one = strings.TrimPrefix(strings.TrimSpace(one), "W/"); one == tag || one == "*" {
				return true
			}
		}
	}
	return false
}
