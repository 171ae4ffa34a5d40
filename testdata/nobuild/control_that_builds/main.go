package main

import (
	"github.com/routeguard/guard"
	. "github.com/routeguard/guard/testdata/nobuild/app"
)

var (
	_ = guard.New(Users, guard.JSON[UpdateProject], OwnProject, Limit, Errs, guard.After(Handler, Hook))
	_ = guard.Within(OwnProject, "taskID", guard.ParseUUID, Task)
	_ = guard.Only(Users, User.IsAdmin)
)

func main() {}
