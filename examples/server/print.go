package main

import (
	"errors"
	"io"
	"strings"

	"github.com/routeguard/guard/checklist"
)

const usage = `usage: server [command]

Without a command, it serves. Its settings are environment variables, which README.md lists.

  routes [markdown|json]   print the checklist of its routes
  openapi                  print the OpenAPI document of its routes
  healthcheck              ask the one that listens on ADDR whether it lives`

// errUsage reports arguments that are no command.
var errUsage = errors.New(usage)

// printer returns what a command prints about the routes, or nil: without a command, they are served.
func printer(args []string) (func(io.Writer, []checklist.Route) error, error) {
	if len(args) == 0 {
		return nil, nil
	}
	switch strings.Join(args, " ") {
	case "routes":
		return checklist.WriteTable, nil
	case "routes markdown":
		return checklist.WriteMarkdown, nil
	case "routes json":
		return checklist.WriteJSON, nil
	case "openapi":
		return writeOpenAPI, nil
	}
	return nil, errUsage
}
