package route

import (
	"fmt"
	"strings"
)

// Script is a script for wrk that sends requests which succeed.
//
// It is for the path that it returns, and good for an hour.
func Script() (path, script string) {
	path = "/projects/" + projectID(0)
	var b strings.Builder
	fmt.Fprintf(&b, "wrk.method = \"PATCH\"\nwrk.body = %q\n", goodBody)
	fmt.Fprintf(&b, "wrk.headers[\"Authorization\"] = %q\n", bearer(0, 0))
	fmt.Fprintf(&b, "wrk.headers[\"Content-Type\"] = \"application/json\"\n")
	return path, b.String()
}
