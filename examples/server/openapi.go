package main

import (
	"io"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/routeguard/guard/checklist"
	"github.com/routeguard/guard/examples/server/store"
	"github.com/routeguard/guard/openapi"
)

// writeOpenAPI prints the OpenAPI document of the routes.
func writeOpenAPI(w io.Writer, routes []checklist.Route) error {
	info := openapi.Info{Title: "Projects", Version: "1.0.0", Description: "The example service of guard."}
	doc, err := openapi.Document(info, routes, operations(routes)...)
	if err != nil {
		return err
	}
	_, err = w.Write(doc)
	return err
}

// operations is what the routes themselves cannot tell.
func operations(routes []checklist.Route) []openapi.Operation {
	all := []openapi.Operation{
		{Pattern: "POST /login", Summary: "Sign in", Errors: []error{errWrongPassword},
			Input: Login{Email: "alice@example.com", Password: "correct horse battery staple"}},
		{Pattern: "POST /logout", Summary: "Sign out: the token is good for nothing from now on"},
		{Pattern: "GET /me", Summary: "Who is calling"},
		{Pattern: "GET /projects", Summary: "The caller's projects, a page at a time", Input: ListProjects{Limit: 20}},
		{Pattern: "POST /projects", Summary: "Create a project", Success: []int{201},
			Input:  CreateProject{Name: exampleProject.Name, Summary: exampleProject.Summary, Visibility: exampleProject.Visibility},
			Result: OneProject{exampleProject}},
		{Pattern: "GET /projects/{projectID}", Summary: "A project of the caller's"},
		{Pattern: "PATCH /projects/{projectID}", Summary: "Change a project", Input: UpdateProject{Name: new("Footbridge")},
			Body: map[string]any{"minProperties": 1}}, // what Validate asks
		{Pattern: "DELETE /projects/{projectID}", Summary: "Delete a project"},
		{Pattern: "POST /ai/complete", Summary: "Complete a text, in server-sent events", MediaType: "text/event-stream"},
		{Pattern: "GET /search", Summary: "Search the projects that teams share", Input: Search{Q: "bridge"}},
		{Pattern: "POST /contact", Summary: "Send a message to the people behind the service", Success: []int{202}},
		{Pattern: "POST /admin/users/{userID}/role", Summary: "Give a user a role"},
		{Pattern: "POST /uploads/avatar", Summary: "Upload the caller's picture", Success: []int{201}},
		{Pattern: "POST /webhooks/billing", Summary: "An event of the billing system"},
	}
	// Without a key to sign tokens with there is no sign-in.
	return slices.DeleteFunc(all, func(op openapi.Operation) bool {
		return !slices.ContainsFunc(routes, func(r checklist.Route) bool { return r.Pattern == op.Pattern })
	})
}

var exampleProject = ProjectView{
	ID: uuid.MustParse(store.DemoProjectAlice), Name: "Bridge", Summary: "A bridge across the river, for people on foot.",
	Visibility: store.VisibilityTeam,
	CreatedAt:  time.Date(2026, time.January, 2, 9, 0, 0, 0, time.UTC), UpdatedAt: time.Date(2026, time.January, 2, 9, 0, 0, 0, time.UTC),
}
