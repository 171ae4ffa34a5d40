package plugin_test

import (
	"strings"
	"testing"

	"github.com/golangci/plugin-module-register/register"

	"github.com/routeguard/guard/guardvet/checks"
	_ "github.com/routeguard/guard/guardvet/plugin"
)

func TestPlugin(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name     string
		settings any
		want     int
		err      string
	}{
		{name: "no settings run all checks", want: len(checks.All())},
		{name: "a check can be left out", settings: map[string]any{"disable": []any{"sqlowner"}}, want: len(checks.All()) - 1},
		{name: "a check that does not exist is a mistake", settings: map[string]any{"disable": []any{"sqlowners"}}, err: `no check "sqlowners"`},
		{name: "a setting that does not exist is a mistake", settings: map[string]any{"enable": []any{"sqlowner"}}, err: "settings"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			plugin, err := register.GetPlugin("guardvet")
			if err != nil {
				t.Fatal(err)
			}
			linter, err := plugin(test.settings)
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) {
					t.Errorf("got %v, want an error with %q", err, test.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			analyzers, err := linter.BuildAnalyzers()
			if err != nil || len(analyzers) != test.want {
				t.Errorf("got %d analyzers and %v, want %d", len(analyzers), err, test.want)
			}
			if got := linter.GetLoadMode(); got != register.LoadModeTypesInfo {
				t.Errorf("got %q, want %q", got, register.LoadModeTypesInfo)
			}
		})
	}
}
