package main

import (
	"strconv"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// unreadable lists the texts that are shown with too little contrast to what is behind them, less than WCAG 2.2,
// criterion 1.4.3, asks for. What is disabled is exempt there.
const unreadable = `(() => {
	const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
	const parse = color => {
		canvas.clearRect(0, 0, 1, 1);
		canvas.fillStyle = color;
		canvas.fillRect(0, 0, 1, 1);
		return canvas.getImageData(0, 0, 1, 1).data;
	};
	const light = ([r, g, b]) => {
		const [x, y, z] = [r, g, b].map(v => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
		return 0.2126 * x + 0.7152 * y + 0.0722 * z;
	};
	const behind = e => {
		for (; e; e = e.parentElement) {
			const color = parse(getComputedStyle(e).backgroundColor);
			if (color[3] === 255) return color;
		}
		return [255, 255, 255];
	};
	const bad = [];
	let texts = 0;
	const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
	for (let node = walker.nextNode(); node; node = walker.nextNode()) {
		const e = node.parentElement;
		if (!node.data.trim() || !e.checkVisibility() || e.closest("[aria-disabled], script, template")) continue;
		texts++;
		const [a, b] = [light(parse(getComputedStyle(e).color)), light(behind(e))];
		const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
		if (ratio < 4.5) bad.push(ratio.toFixed(2) + " " + node.data.trim());
	}
	return texts < 20 ? "only " + texts + " texts" : bad.join("\n");
})()`

// unreached lists what can be used and is not reached with the Tab key, in the order of the page.
const unreached = `[...document.querySelectorAll("a[href], button, input, textarea")].filter(e => e.checkVisibility() && !window.reached.has(e) &&
	!(e.type === "radio" && !e.checked)).map(e => e.outerHTML).join("\n")`

// Whoever prefers light or dark can read everything, errors and notices included; whoever has only a keyboard reaches everything.
func TestThePageCanBeReadAndReached(t *testing.T) {
	t.Parallel()
	browser := startBrowser(t)
	for _, scheme := range []string{"light", "dark"} {
		t.Run(scheme, func(t *testing.T) {
			s := startService(t, nil)
			b := openTab(t, browser)
			prefer(b, scheme)
			b.signIn(s, "alice@example.com")
			b.until(`(([r, g, b]) => (r + g + b > 3 * 128) === ` + strconv.FormatBool(scheme == "light") +
				`)(getComputedStyle(document.body).backgroundColor.match(/\d+/g).map(Number))`)
			b.fill("#create-name", "ab")
			b.click("#create button")
			b.see(".field:has(#create-name) .error", "must be at least 3 characters")
			b.fill("#complete-prompt", "What is next?")
			b.click("#complete button")
			b.see("#complete .notice", "Done.")
			if got := b.text(unreadable); got != "" {
				t.Errorf("hard to read:\n%s", got)
			}

			b.text(`document.activeElement.blur(), window.reached = new Set(), document.addEventListener("focusin", e => window.reached.add(e.target)), ""`)
			for range 60 {
				b.do("press Tab", chromedp.KeyEvent("\t"))
			}
			if got := b.text(unreached); got != "" {
				t.Errorf("never reached with the keyboard:\n%s", got)
			}
			b.quiet()
		})
	}
}

func prefer(b *tab, scheme string) {
	b.t.Helper()
	_, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}})
	if err != nil {
		b.t.Fatal(err)
	}
}
