package main

// pipeline is the order of the stages, and what keeps each of them from being passed by.
var pipeline = []mutation{
	{
		id: "stages-session-limit-skipped", file: "guard.go",
		old:  `if err := p.limits.beforeSession(ctx, x); err != nil {`,
		new:  `if err := p.limits.beforeSession(ctx, x); err != nil && false {`,
		rule: "a limit that needs no session refuses",
	},
	{
		id: "stages-role-skipped", file: "guard.go",
		old:  `if err := credential.permit(); err != nil {`,
		new:  `if err := credential.permit(); err != nil && false {`,
		rule: "a caller without the role is refused",
	},
	{
		id: "stages-caller-limit-skipped", file: "guard.go",
		old:  `if err := p.limits.perCaller(ctx, x, c.Caller); err != nil {`,
		new:  `if err := p.limits.perCaller(ctx, x, c.Caller); err != nil && false {`,
		rule: "a limit per caller refuses",
	},
	{
		id: "stages-input-limit-skipped", file: "guard.go",
		old:  `if err := p.limits.perInput(ctx, x, c.Caller, &c.Input, &c.Cost); err != nil {`,
		new:  `if err := p.limits.perInput(ctx, x, c.Caller, &c.Input, &c.Cost); err != nil && false {`,
		rule: "a limit by the input refuses",
	},
	{
		id: "stages-resource-ignored", file: "guard.go",
		old:  `if c.Resource, err = p.which.resolve(ctx, x.r, c.Caller); err != nil {`,
		new:  `if c.Resource, err = p.which.resolve(ctx, x.r, c.Caller); err != nil && false {`,
		rule: "a resource that is not the caller's is refused",
	},
	{
		id: "stages-input-ignored", file: "guard.go",
		old:  "body, err := p.what.decode(ctx, x, &c.Input)\n\tif err != nil {",
		new:  "body, err := p.what.decode(ctx, x, &c.Input)\n\tif err != nil && false {",
		rule: "input that breaks its rules never reaches the handler",
	},
	{
		id: "stages-body-before-ownership", file: "guard.go",
		old: `	x.stage = StageWhich
	if c.Resource, err = p.which.resolve(ctx, x.r, c.Caller); err != nil {
		return x.noResource(ctx, err)
	}

	x.stage = StageWhat
	body, err := p.what.decode(ctx, x, &c.Input)
	if err != nil {
		return err
	}
	return p.serve(ctx, x, c, body)
`,
		new: `	x.stage = StageWhat
	body, err := p.what.decode(ctx, x, &c.Input)
	if err != nil {
		return err
	}

	x.stage = StageWhich
	if c.Resource, err = p.which.resolve(ctx, x.r, c.Caller); err != nil {
		return x.noResource(ctx, err)
	}
	return p.serve(ctx, x, c, body)
`,
		rule: "ownership is checked before the body is read",
	},
	{
		id: "stages-resource-before-role", file: "guard.go",
		old: `	x.stage = StageRole
	if err := credential.permit(); err != nil {
		return err
	}
`,
		new: `	x.stage = StageRole
	if _, err := p.which.resolve(ctx, x.r, c.Caller); err != nil {
		return x.noResource(ctx, err)
	}
	if err := credential.permit(); err != nil {
		return err
	}
`,
		rule: "the role is checked before the resource is loaded",
	},
	{
		id: "stages-session-before-limit", file: "guard.go",
		old: `	x.stage = StageLimit
	if err := p.limits.beforeSession(ctx, x); err != nil {`,
		new: `	x.stage = StageWho
	if _, err := p.who.authenticate(ctx, x); err != nil {
		return err
	}
	x.stage = StageLimit
	if err := p.limits.beforeSession(ctx, x); err != nil {`,
		rule: "limits by address are charged before a credential is verified",
	},
	{
		id: "stages-claim-before-input-limit", file: "guard.go",
		old:  "\tx.stage = StageInputLimit\n",
		new:  "\tx.stage = StageInputLimit\n\tif _, err := x.claim(ctx, p.limits.id); err != nil {\n\t\treturn err\n\t}\n",
		rule: "a message is claimed when everything else has passed",
	},
	{
		id: "stages-release-dropped", file: "guard.go",
		old:  "\tdefer x.release()\n",
		new:  "",
		rule: "a message whose handler failed is released",
	},
	{
		id: "stages-repeat-runs", file: "guard.go",
		old:  "\tif repeat {\n",
		new:  "\tif repeat && false {\n",
		rule: "a message that was delivered does not run again",
	},
	{
		id: "stages-no-deadline", file: "guard.go",
		old:  `ctx, c := p.tell.bound(x.r.Context(), &own.context, x.start), &own.call`,
		new:  `ctx, c := x.r.Context(), &own.call`,
		rule: "the stages are bounded in time",
	},
	{
		id: "stages-missing-told-apart", file: "authz.go",
		old:  "if e := x.tell.public(ctx, err); e.Status != http.StatusNotFound {\n\t\treturn e\n\t}\n\treturn refuseNotFound.Because(err)",
		new:  "return x.tell.public(ctx, err)",
		rule: "everything that is not there has the same bytes, whatever Map says",
	},
	{
		id: "stages-get-is-cacheable", file: "guard.go",
		old:  `!p.who.anyone || unsafe(r.Method), p.nobody`,
		new:  `unsafe(r.Method), p.nobody`,
		rule: "what a session sees is not stored by caches",
	},
	{
		id: "stages-post-is-cacheable", file: "guard.go",
		old:  `!p.who.anyone || unsafe(r.Method), p.nobody`,
		new:  `!p.who.anyone, p.nobody`,
		rule: "the answer to an unsafe method is not stored by caches",
	},
	{
		id: "stages-owned-for-anyone", file: "guard.go",
		old:  `} else if p.which.owned && who.anyone {`,
		new:  `} else if p.which.owned && who.anyone && false {`,
		rule: "Owned needs a caller who is known",
	},
	{
		id: "stages-zero-guard-serves", file: "guard.go",
		old:  `if g == nil || g.serve == nil {`,
		new:  `if g == nil {`,
		rule: "a zero Guard answers 500",
	},
	{
		id: "hooks-run-after-a-failure", file: "guard.go",
		old:  "if err != nil {\n\t\t\treturn err\n\t\t}\n\t\th.after(ctx, x, c, out, e.hooks)",
		new:  "h.after(ctx, x, c, out, e.hooks)\n\t\tif err != nil {\n\t\t\treturn err\n\t\t}",
		rule: "hooks follow success alone",
	},
	{
		id: "hooks-end-with-the-client", file: "guard.go",
		old:  `ctx = x.tell.bound(context.WithoutCancel(ctx), &bounded, time.Now())`,
		new:  `ctx = x.tell.bound(ctx, &bounded, time.Now())`,
		rule: "hooks run even when the client has gone",
	},
	{
		id: "hooks-panic-changes-the-reply", file: "guard.go",
		old:  `if err := contain(func() error { return hook(ctx, c, out) }); err != nil {`,
		new:  `if err := hook(ctx, c, out); err != nil {`,
		rule: "a hook never changes the reply",
	},
	{
		id: "input-owner-ignored", file: "guard.go",
		old:  "resource, err := o.resolve(ctx, c.Caller, c.Input)\n\t\t\tif err != nil {",
		new:  "resource, err := o.resolve(ctx, c.Caller, c.Input)\n\t\t\tif err != nil && false {",
		rule: "a resource that the input names is refused where it is not the caller's",
	},
	{
		id: "wrap-credential-kept", file: "wrap.go",
		old:  "\t\twho.strip(r)\n",
		new:  "",
		rule: "a wrapped handler does not see the credential",
	},
	{
		id: "wrap-failure-is-success", file: "wrap.go",
		old:  `x.failed = x.status >= 400`,
		new:  `x.failed = false`,
		rule: "a wrapped handler that refuses has failed",
	},
	{
		id: "wrap-files-left", file: "wrap.go",
		old:  "\t\tdefer removeForm(r)\n",
		new:  "",
		rule: "uploads leave no temporary file behind",
	},
}

// responses is what a caller and the log learn.
var responses = []mutation{
	{
		id: "id-of-any-client", file: "exchange.go",
		old:  `trusted && len(ids) == 1 &&`,
		new:  `len(ids) == 1 &&`,
		rule: "a request id comes from a trusted proxy alone",
	},
	{
		id: "id-of-several", file: "exchange.go",
		old:  `trusted && len(ids) == 1 &&`,
		new:  `trusted && len(ids) >= 1 &&`,
		rule: "two request ids are none",
	},
	{
		id: "id-of-an-inner-guard", file: "writer.go",
		old:  "return v.x.id\n",
		new:  "return \"\"\n",
		rule: "one request has one id",
	},
	{
		id: "id-lost-by-a-handler", file: "writer.go",
		old:  "func (x *exchange) keepID() {\n\tif !x.wrote && !x.hijacked {",
		new:  "func (x *exchange) keepID() {\n\tif !x.wrote && !x.hijacked && false {",
		rule: "the request id is on every response",
	},
	{
		id: "headers-nosniff-dropped", file: "respond.go",
		old:  "\tx.set(h, \"X-Content-Type-Options\", \"nosniff\")\n\tif x.private {",
		new:  "\tif x.private {",
		rule: "no response is sniffed for another type",
	},
	{
		id: "headers-private-dropped", file: "respond.go",
		old:  "\tif x.private {\n",
		new:  "\tif x.private && false {\n",
		rule: "private answers are not stored",
	},
	{
		id: "headers-error-cacheable", file: "respond.go",
		old:  "\t\tx.set(h, \"Cache-Control\", \"no-store\")\n\t}\n\tx.set(h, \"Content-Type\"",
		new:  "\t}\n\tx.set(h, \"Content-Type\"",
		rule: "refusals are not stored",
	},
	{
		id: "headers-cookie-cacheable", file: "respond.go",
		old:  `if h["Set-Cookie"] != nil && h["Cache-Control"] == nil {`,
		new:  `if h["Set-Cookie"] != nil && h["Cache-Control"] == nil && false {`,
		rule: "a response with a cookie is not stored",
	},
	{
		id: "headers-challenge-dropped", file: "respond.go",
		old:  `x.set(h, "Www-Authenticate", c[0])`,
		new:  `_ = c[0]`,
		rule: "every 401 has a challenge",
	},
	{
		id: "headers-challenge-shared", file: "respond.go",
		old:  `h["Www-Authenticate"] = slices.Clone(c) // the guard's own is for all requests`,
		new:  `h["Www-Authenticate"] = c`,
		rule: "nobody can change the challenges of later requests",
	},
	{
		id: "headers-retry-after-dropped", file: "respond.go",
		old:  "if e.RetryAfter > 0 {\n\t\tx.set",
		new:  "if e.RetryAfter > 0 && false {\n\t\tx.set",
		rule: "a 429 says when to come back",
	},
	{
		id: "headers-stale-kept", file: "respond.go",
		old:  "for _, name := range staleHeaders {\n\t\t\tdelete(h, name)\n\t\t}\n",
		new:  ``,
		rule: "an error does not carry headers of the body that it replaces",
	},
	{
		id: "headers-clean-by-mistake", file: "respond.go",
		old:  `x.clean = len(h) == 0`,
		new:  `x.clean = true`,
		rule: "what a middleware has set is looked at",
	},
	{
		id: "headers-neighbors", file: "exchange.go",
		old:  `h[name] = x.values[:1:1]`,
		new:  `h[name] = x.values[:1]`,
		rule: "nobody can append into the value of another header field",
	},
	{
		id: "headers-of-a-failed-handler", file: "respond.go",
		old:  "\tx.takeBack()\n",
		new:  "",
		rule: "an error does not carry the cookie of the handler that failed",
	},
	{
		id: "headers-overridden-by-a-reply", file: "respond.go",
		old:  `!slices.Contains(ownHeaders, name)`,
		new:  `name != ""`,
		rule: "a Reply cannot change the request id, nosniff and the framing",
	},
	{
		id: "headers-shared-between-replies", file: "respond.go",
		old:  `h[name] = slices.Clip(values)`,
		new:  `h[name] = values`,
		rule: "a cookie is not appended to a header that requests share",
	},
	{
		id: "upload-is-read", file: "respond.go",
		old:  `(e.closeConn || x.unread())`,
		new:  `e.closeConn`,
		rule: "a refused upload is not read",
	},
	{
		id: "upload-keeps-the-connection", file: "writer.go",
		old:  `SetReadDeadline(time.Unix(1, 0))`,
		new:  `SetReadDeadline(time.Time{})`,
		rule: "a refused upload ends its connection",
	},
	{
		id: "panic-not-recovered", file: "respond.go",
		old:  "p := recover()\n\tdefer func() {",
		new:  "var p any\n\tdefer func() {",
		rule: "a panic is a 500 and the process lives on",
	},
	{
		id: "panic-after-the-first-byte", file: "respond.go",
		old:  `if answered := x.answer(); !answered && p != nil {`,
		new:  `if answered := x.answer(); !answered && p != nil && false {`,
		rule: "a panic after the first byte cuts the connection",
	},
	{
		id: "panic-abort-swallowed", file: "respond.go",
		old:  "\t\tpanic(p)\n",
		new:  "\t\treturn\n",
		rule: "http.ErrAbortHandler is passed on",
	},
	{
		id: "error-after-the-first-byte", file: "respond.go",
		old:  "if !answered {\n\t\tpanic",
		new:  "if !answered && false {\n\t\tpanic",
		rule: "an error after the first byte cuts the connection",
	},
	{
		id: "error-appended", file: "respond.go",
		old:  `if x.wrote || x.hijacked {`,
		new:  `if x.wrote && x.hijacked {`,
		rule: "a problem is not appended to half a response",
	},
	{
		id: "write-not-noted", file: "writer.go",
		old:  "\tw.x.sent(http.StatusOK)\n\treturn w.ResponseWriter.Write(b)",
		new:  "\treturn w.ResponseWriter.Write(b)",
		rule: "an error is not appended to half a response",
	},
	{
		id: "hijack-not-noted", file: "writer.go",
		old:  `w.x.hijacked, w.x.status = true, http.StatusSwitchingProtocols`,
		new:  `w.x.status = http.StatusSwitchingProtocols`,
		rule: "a hijacked connection is left alone",
	},
	{
		id: "reply-may-refuse", file: "respond.go",
		old:  `if status < 200 || status > 399 {`,
		new:  `if status < 200 {`,
		rule: "a Reply is no refusal",
	},
	{
		id: "reply-nil-is-null", file: "respond.go",
		old:  `!v.IsValid() || v.Kind() == reflect.Pointer && v.IsNil()`,
		new:  `!v.IsValid()`,
		rule: "a nil result is an error",
	},
	{
		id: "wrapped-failure-refunded", file: "respond.go",
		old:  `if x.failure != nil || x.failed {`,
		new:  `if x.failure != nil {`,
		rule: "a wrapped handler's refusal is a failed try",
	},
	{
		id: "error-text-leaks", file: "problem.go",
		old:  `return words{e.Status, e.Code, e.Message}`,
		new:  `return words{e.Status, e.Code, e.Error()}`,
		rule: "the cause of a refusal is for the log alone",
	},
	{
		id: "error-head-of-another", file: "problem.go",
		old:  `h != nil && h.of == e.words()`,
		new:  `h != nil`,
		rule: "what was made once is sent for the words that it was made of",
	},
	{
		id: "error-stopping-is-a-lost-client", file: "errors.go",
		old:  `why != context.Canceled {`,
		new:  `why != context.Canceled && false {`,
		rule: "a service that ends a request answers it",
	},
	{
		id: "stages-credential-skipped", file: "guard.go",
		old:  `len(p.limits.session) == 0 && p.who.missing(x.r)`,
		new:  `p.who.missing(x.r)`,
		rule: "who shows no credential is counted first",
	},
	{
		id: "session-missing-where-none-is-needed", file: "session.go",
		old:  `return len(a.ways) > 0 && !a.optional`,
		new:  `return len(a.ways) > 0`,
		rule: "AllowAnonymous lets callers without a credential in",
	},
	{
		id: "session-missing-looks-at-one-way", file: "session.go",
		old:  "if len(r.Header[a.ways[i].field()]) > 0 {",
		new:  "if i == 0 && len(r.Header[a.ways[i].field()]) > 0 {",
		rule: "each of the credentials of FirstOf counts",
	},
	{
		id: "error-unknown-is-public", file: "errors.go",
		old:  "\t\treturn refuseUnavailable.Because(err)\n\t}\n\treturn refuseInternal.Because(err)",
		new:  "\t\treturn refuseUnavailable.Because(err)\n\t}\n\treturn Fail(http.StatusInternalServerError, \"internal\", err.Error()).Because(err)",
		rule: "what nobody made public is an internal error",
	},
	{
		id: "error-with-a-success-status", file: "errors.go",
		old:  `if e.Status < 400 || e.Status > 599 {`,
		new:  `if e.Status > 599 {`,
		rule: "a refusal never looks like a success",
	},
	{
		id: "error-that-panics", file: "errors.go",
		old:  "if p := recover(); p != nil {\n\t\t\trefusal =",
		new:  "if p := any(nil); p != nil {\n\t\t\trefusal =",
		rule: "an error whose methods panic is a 500",
	},
	{
		id: "error-of-a-map-that-panics", file: "errors.go",
		old:  "if p := recover(); p != nil {\n\t\t\tpublic =",
		new:  "if p := any(nil); p != nil {\n\t\t\tpublic =",
		rule: "a Map that panics is a 500 with its stage",
	},
	{
		id: "error-no-rows-is-500", file: "errors.go",
		old:  `|| errors.Is(err, sql.ErrNoRows)`,
		new:  `|| errors.Is(err, sql.ErrNoRows) && false`,
		rule: "a missing row looks like a foreign one",
	},
	{
		id: "error-mapped-twice", file: "errors.go",
		old:  `final || t.Map == nil`,
		new:  `(final && false) || t.Map == nil`,
		rule: "what is public already does not go through Map",
	},
	{
		id: "log-server-errors-hidden", file: "observe.go",
		old:  "case status >= 500, stage == StageAfter:\n\t\treturn slog.LevelError",
		new:  "case status >= 500, stage == StageAfter:\n\t\treturn slog.LevelDebug",
		rule: "a 5xx is an error in the log",
	},
	{
		id: "log-refusals-hidden", file: "observe.go",
		old:  `case status == http.StatusUnauthorized, status == http.StatusForbidden,`,
		new:  `case status == http.StatusUnauthorized,`,
		rule: "a 403 is in the log at info",
	},
	{
		id: "log-controls", file: "observe.go",
		old:  `return 0x7f <= c && c <= 0x9f || c == 0x2028 || c == 0x2029`,
		new:  `return c == 0x7f`,
		rule: "a log record stays on its line in every viewer",
	},
	{
		id: "log-cause-controls", file: "observe.go",
		old:  `slog.String("cause", visible(fmt.Sprint(err)))`,
		new:  `slog.String("cause", fmt.Sprint(err))`,
		rule: "the cause of a refusal cannot write to a terminal",
	},
	{
		id: "log-method-endless", file: "observe.go",
		old:  `const maxMethod = 32`,
		new:  `const maxMethod = 1 << 20`,
		rule: "a method in the log is at most 32 bytes long",
	},
	{
		id: "log-nobody-listens", file: "observe.go",
		old:  `if t.Observe != nil || t.Level != nil {`,
		new:  `if t.Level != nil {`,
		rule: "an observer learns of every request",
	},
	{
		id: "log-observer-panics", file: "observe.go",
		old:  "if p := recover(); p != nil {\n\t\t\tlog.Printf",
		new:  "if p := any(nil); p != nil {\n\t\t\tlog.Printf",
		rule: "a panic of Level, Log or Observe goes no further",
	},
	{
		id: "mux-allow-dropped", file: "mux.go",
		old:  `h["Allow"] = i.header["Allow"] // RFC 9110, section 15.5.6`,
		new:  ``,
		rule: "a 405 says what is allowed",
	},
}
