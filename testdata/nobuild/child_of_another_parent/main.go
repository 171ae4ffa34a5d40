package main

import (
	"context"

	"github.com/google/uuid"

	"github.com/routeguard/guard"
	. "github.com/routeguard/guard/testdata/nobuild/app"
)

var _ = guard.Within(OwnProject, "taskID", guard.ParseUUID, func(context.Context, *Other, uuid.UUID) (*Project, error) { return nil, nil }) // want: does not match

func main() {}
