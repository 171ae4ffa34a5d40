package main

import (
	"context"
	"iter"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// What a user does on the page, in a real browser.
func TestPageInABrowser(t *testing.T) {
	t.Parallel()
	browser := startBrowser(t)
	tests := []struct {
		name     string
		settings map[string]string
		run      func(*testing.T, *service, *tab)
	}{
		{name: "a user works with her projects", run: workWithProjects},
		{name: "what is wrong is said beside its field", run: mistakesBesideFields},
		{name: "another user's project is not found", run: openForeignProject},
		{name: "a completion is streamed, and can be stopped", run: streamCompletion},
		{name: "a rate limit counts down", settings: map[string]string{"CALLER_LIMIT": "2"}, run: waitForRateLimit},
		{name: "a session ends and signs out", run: endSessions},
		{name: "everything has a name and fits a phone", run: phoneAndNames},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := startService(t, tt.settings)
			b := openTab(t, browser)
			tt.run(t, s, b)
			b.quiet()
		})
	}
}

func workWithProjects(t *testing.T, s *service, b *tab) {
	b.signIn(s, "alice@example.com")
	if got := b.text(`document.cookie + JSON.stringify(localStorage) + JSON.stringify(sessionStorage)`); got != "{}{}" {
		t.Errorf("scripts can read %q, want no cookie and nothing stored", got)
	}

	b.fill("#create-name", `<img src=x onerror=alert(1)>`)
	b.fill("#create-summary", "A project that was made in a real browser.")
	b.click("#create button")
	b.see("#create .notice", "Created")
	b.see(".project-name", `<img src=x onerror=alert(1)>`)
	b.see("#response-status", "201")
	b.see("#response-fields", "/projects/")

	b.click(".project:first-child .rename")
	b.until(`document.activeElement.closest(".rename-form")`)
	b.do("rename", chromedp.KeyEvent("Made here\r")) // the old name is selected
	b.see("#main-notice", "Renamed to “Made here”.")
	b.see(".project-name", "Made here")
	b.until(`document.activeElement.matches(".rename")`)

	b.click(".project:first-child .delete")
	b.see("#confirm", "Delete “Made here” for good?")
	b.do("keep it", chromedp.KeyEvent("\r"))
	b.until(`!document.querySelector("#confirm").open`)
	b.see(".project-name", "Made here")
	b.click(".project:first-child .delete")
	b.click("#confirm .danger")
	b.see("#main-notice", "Deleted “Made here”.")
	if r := s.do(t, "GET", "/projects", "", s.bearer(t, "alice")); strings.Contains(r.body, "Made here") {
		t.Errorf("got %s after the deletion", r.body)
	}

	b.fill("#contact-email", "alice@example.com")
	b.fill("#contact-message", "Hello from a real browser.")
	b.click("#contact button")
	b.see("#contact .notice", "arrived")
}

func mistakesBesideFields(t *testing.T, s *service, b *tab) {
	b.do("open the page", chromedp.Navigate(s.url))
	b.until(`document.querySelector("#sign-in").checkVisibility()`)
	b.fill("#sign-in-email", "alice@example.com")
	b.fill("#sign-in-password", "wrong")
	b.click("#sign-in button")
	b.see("#sign-in .notice", "The e-mail address or the password is wrong.")
	b.see("#request-body", "••••••")

	b.signIn(s, "alice@example.com")
	b.fill("#create-name", "ab")
	b.fill("#create-summary", "A summary that is long enough.")
	b.click("#create button")
	b.see(".field:has(#create-name) .error", "must be at least 3 characters")
	if got := b.text(`document.querySelector("#create-name").getAttribute("aria-describedby").split(" ").map(id => document.getElementById(id).innerText).join("|")`); got != "3 to 80 characters|This must be at least 3 characters." {
		t.Errorf("a screen reader says %q", got)
	}
	b.until(`document.activeElement.id === "create-name" && document.activeElement.ariaInvalid === "true"`)
	b.until(`!document.querySelector(".field:has(#create-summary) .error")`)
	b.fill("#create-name", "Long enough")
	b.click("#create button")
	b.see("#create .notice", "Created")
	b.until(`!document.querySelector(".error, [aria-invalid]")`)

	b.click(".project:first-child .rename")
	b.until(`document.activeElement.closest(".rename-form")`)
	b.do("rename", chromedp.KeyEvent("x\r"))
	b.see(".rename-form .error", "must be at least 3 characters")
}

func openForeignProject(t *testing.T, s *service, b *tab) {
	b.signIn(s, "alice@example.com")
	b.fill("#open-id", bobProject)
	b.do("open it", chromedp.KeyEvent("\r"))
	b.see("#one h1", "Project not found")
	b.see("#response-status", "404")
	b.do("by its address", chromedp.Navigate("about:blank"), chromedp.Navigate(s.url+"/#/projects/"+bobProject))
	b.see("#one h1", "Project not found")
	if got := b.text(`document.body.innerText`); strings.Contains(got, "recipe") {
		t.Errorf("the page shows bob's project: %s", got)
	}
	b.click("#one a")
	b.see("#all .project-name", "Harbor lighting survey")
	b.click("#all .project-name a")
	b.see("#one .project-name", "Harbor lighting survey")
}

func streamCompletion(t *testing.T, s *service, b *tab) {
	b.signIn(s, "alice@example.com")
	b.fill("#complete-prompt", "What is next?")
	b.click("#complete button")
	b.see("#complete .notice", "Done.")
	want := ""
	for text := range s.completer.Complete(t.Context(), "What is next?") {
		want += text
	}
	if got := b.text(`document.querySelector("#completion").textContent`); got != want {
		t.Errorf("got %q, want %q", got, want)
	}

	stopped := make(chan struct{})
	s.completer = model(func(ctx context.Context, _ string) iter.Seq2[string, error] {
		return func(yield func(string, error) bool) {
			defer close(stopped)
			if yield("on and on", nil) {
				<-ctx.Done()
			}
		}
	})
	b.click("#complete button")
	b.see("#completion", "on and on")
	b.click("#stop")
	b.see("#complete .notice", "Stopped.")
	select {
	case <-stopped:
	case <-b.ctx.Done():
		t.Error("the model was not stopped")
	}
}

func waitForRateLimit(_ *testing.T, s *service, b *tab) {
	b.signIn(s, "alice@example.com")
	for range 3 {
		b.fill("#create-name", "ab")
		b.click("#create button")
		b.until(`!document.querySelector("#create button").ariaDisabled || document.querySelector("#create .count")`)
	}
	b.see("#create .notice", "Too many requests. Try again")
	b.see("#response-fields", "Retry-After")
	b.until(`/^in [1-9]\d* s$/.test(document.querySelector("#create .count").textContent)`)
	b.text(`window.first = parseInt(document.querySelector("#create .count").textContent.slice(3)), ""`)
	b.until(`parseInt(document.querySelector("#create .count").textContent.slice(3)) < window.first`)
	b.until(`document.querySelector("#create button").ariaDisabled === "true"`)
}

func endSessions(t *testing.T, s *service, b *tab) {
	b.signIn(s, "alice@example.com")
	b.do("reload", chromedp.Reload())
	b.see("#who", "alice@example.com") // the browser has kept the cookie
	b.click("#sign-out button")
	b.until(`document.activeElement.id === "sign-in-email"`)
	b.do("reload", chromedp.Reload())
	b.until(`document.querySelector("#sign-in").checkVisibility()`)
	if got := b.text(`document.body.innerText`); strings.Contains(got, "Harbor") {
		t.Errorf("the page still shows %q", got)
	}

	b.signIn(s, "alice@example.com")
	b.text(`fetch("/logout", {method: "POST"}).then(r => r.text())`) // in another tab, say
	b.click("#create button")
	b.see("#sign-in .notice", "Your session has ended. Sign in again.")
}

// Every control has a name, every heading and image what it needs, and nothing is wider than a small phone.
func phoneAndNames(t *testing.T, s *service, b *tab) {
	b.do("a phone", chromedp.EmulateViewport(320, 640, chromedp.EmulateMobile))
	b.signIn(s, "alice@example.com")
	b.click(".rename")
	nameless := b.text(`[...document.querySelectorAll("input, textarea, button, a, img, form[aria-labelledby]")].filter(e => e.checkVisibility() &&
		!(e.labels?.length && e.labels[0].innerText.trim()) && !e.innerText?.trim() && !e.ariaLabel && e.alt === undefined).map(e => e.outerHTML).join("\n")`)
	if nameless != "" {
		t.Errorf("without a name:\n%s", nameless)
	}
	small := b.text(`[...document.querySelectorAll("button")].filter(e => e.checkVisibility() && e.getBoundingClientRect().height < 36).map(e => e.outerHTML).join("\n")`)
	if small != "" {
		t.Errorf("too small for a finger:\n%s", small)
	}
	if got := b.text(`String(document.documentElement.scrollWidth)`); got != "320" {
		t.Errorf("got a width of %s, want 320: the page scrolls sideways", got)
	}
}
