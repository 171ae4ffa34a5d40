package main

import (
	"regexp"
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
	for _, path := range []string{"/index.html", "/page/", "/page/index.html", "/page.js/"} {
		if r := s.do(t, "GET", path, ""); r.status != 404 {
			t.Errorf("%s: got %d, want 404", path, r.status)
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
