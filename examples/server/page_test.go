package main

import (
	"regexp"
	"strconv"
	"strings"
	"testing"
)

func TestPageHeaders(t *testing.T) {
	t.Parallel()
	s := startService(t, nil)
	for path, contentType := range map[string]string{
		"/": "text/html; charset=utf-8", "/page.css": "text/css; charset=utf-8", "/page.js": "text/javascript; charset=utf-8",
		"/request.js": "text/javascript; charset=utf-8", "/icon.svg": "image/svg+xml",
	} {
		r := s.do(t, "GET", path, "")
		if r.status != 200 || r.body == "" {
			t.Errorf("%s: got %d, want 200", path, r.status)
		}
		for field, want := range map[string]string{
			"Content-Type": contentType, "X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin",
			"Cross-Origin-Opener-Policy": "same-origin", "Cache-Control": "no-cache",
		} {
			if got := r.header.Get(field); got != want {
				t.Errorf("%s: got %s %q, want %q", path, field, got, want)
			}
		}
		csp := r.header.Get("Content-Security-Policy")
		for _, want := range []string{"default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'", "form-action 'self'", "base-uri 'none'", "frame-ancestors 'none'"} {
			if !strings.Contains(csp, want) {
				t.Errorf("%s: no %s in %q", path, want, csp)
			}
		}
		if strings.Contains(csp, "unsafe") || strings.Contains(csp, "*") {
			t.Errorf("%s: got %q, which is not strict", path, csp)
		}
		if again := s.do(t, "GET", path, "", "If-None-Match: "+r.header.Get("ETag")); again.status != 304 {
			t.Errorf("%s: got %d for its own ETag, want 304", path, again.status)
		}
	}
	for _, path := range []string{"/", "/page.css", "/page.js", "/request.js", "/icon.svg"} {
		s.wantWholeFile(t, path)
	}
	for _, path := range []string{"/index.html", "/page/", "/page/index.html", "/page.js/"} {
		if r := s.do(t, "GET", path, ""); r.status != 404 {
			t.Errorf("%s: got %d, want 404", path, r.status)
		}
	}
}

// wantWholeFile checks that a file comes whole or as a 304, whatever parts and conditions are asked for.
func (s *service) wantWholeFile(t *testing.T, path string) {
	t.Helper()
	whole := s.do(t, "GET", path, "")
	tag := whole.header.Get("ETag")
	tests := []struct {
		header string
		status int
	}{
		{header: "X: y", status: 200},
		{header: "Range: bytes=0-3", status: 200},
		{header: "Range: bytes=9999999-", status: 200},
		{header: "Range: x", status: 200},
		{header: "If-Match: \"other\"", status: 200},
		{header: "If-Unmodified-Since: Mon, 01 Jan 2001 00:00:00 GMT", status: 200},
		{header: "If-Modified-Since: Fri, 01 Jan 2100 00:00:00 GMT", status: 200},
		{header: "If-None-Match: \"other\"", status: 200},
		{header: "If-None-Match: " + strings.Trim(tag, `"`), status: 200},
		{header: "If-None-Match: \"other\" , W/" + tag, status: 304},
		{header: "If-None-Match: *", status: 304},
	}
	for _, tt := range tests {
		body, length := whole.body, strconv.Itoa(len(whole.body))
		if tt.status == 304 {
			body, length = "", ""
		}
		r := s.do(t, "GET", path, "", tt.header)
		if r.status != tt.status || r.body != body || r.header.Get("ETag") != tag || r.header.Get("Accept-Ranges") != "" {
			t.Errorf("GET %s, %s: got %d, %d bytes, %v, want %d", path, tt.header, r.status, len(r.body), r.header, tt.status)
		}
		head := s.do(t, "HEAD", path, "", tt.header)
		if head.status != tt.status || head.body != "" || head.header.Get("Content-Length") != length || head.header.Get("Content-Type") != r.header.Get("Content-Type") {
			t.Errorf("HEAD %s, %s: got %d %v %q, want the header of %d", path, tt.header, head.status, head.header, head.body, tt.status)
		}
	}
}

// Nothing in the page turns text into HTML or script, or keeps a token.
func TestPageHasNoInlineScriptAndNoSinks(t *testing.T) {
	t.Parallel()
	bad := regexp.MustCompile(`(?i)innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|localStorage|sessionStorage|document\.cookie|<script>|\son\w+="|\sstyle="|<style|javascript:|https?://[^w]`)
	files, err := pageFiles.ReadDir("page")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		b, err := pageFiles.ReadFile("page/" + f.Name())
		if err != nil {
			t.Fatal(err)
		}
		if found := bad.Find(b); found != nil {
			t.Errorf("%s has %q", f.Name(), found)
		}
	}
}
