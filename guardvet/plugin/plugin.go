// Package plugin makes guardvet a module plugin of golangci-lint.
package plugin

import (
	"fmt"
	"slices"

	"github.com/golangci/plugin-module-register/register"
	"golang.org/x/tools/go/analysis"

	"github.com/routeguard/guard/guardvet/checks"
)

// golangci-lint finds its plugins by what their packages register.
func init() { register.Plugin("guardvet", New) }

// Settings are those of linters.settings.custom.guardvet.settings.
type Settings struct {
	// Disable names the checks that do not run. The zero value runs all.
	Disable []string `json:"disable"`
}

// New makes the plugin from its settings, which may be nil.
//
// It returns an error for a setting or a check that does not exist.
func New(settings any) (register.LinterPlugin, error) {
	s, err := register.DecodeSettings[Settings](settings)
	if err != nil {
		return nil, fmt.Errorf("guardvet: settings: %w", err)
	}
	all := checks.All()
	for _, name := range s.Disable {
		if !slices.ContainsFunc(all, func(a *analysis.Analyzer) bool { return a.Name == name }) {
			return nil, fmt.Errorf("guardvet: settings: disable: there is no check %q", name)
		}
	}
	return linter{slices.DeleteFunc(all, func(a *analysis.Analyzer) bool { return slices.Contains(s.Disable, a.Name) })}, nil
}

type linter struct{ analyzers []*analysis.Analyzer }

// BuildAnalyzers returns the checks that run.
func (l linter) BuildAnalyzers() ([]*analysis.Analyzer, error) { return l.analyzers, nil }

// GetLoadMode says that the checks need types.
func (l linter) GetLoadMode() string { return register.LoadModeTypesInfo }
