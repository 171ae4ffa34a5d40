package main

import (
	"errors"
	"io"
	"strings"

	"github.com/routeguard/guard/checklist"
)

// printer returns what a command prints about the routes, or nil: without a command, they are served.
func printer(args []string) (func(io.Writer, []checklist.Route) error, error) {
	switch strings.Join(args, " ") {
	case "":
		return nil, nil
	case "routes":
		return checklist.WriteTable, nil
	case "routes markdown":
		return checklist.WriteMarkdown, nil
	case "routes json":
		return checklist.WriteJSON, nil
	case "openapi":
		return writeOpenAPI, nil
	}
	return nil, errors.New("usage: server [routes [markdown|json] | openapi | healthcheck]")
}
