// Command guardvet reports routes that go around guard, and answers that say nothing.
//
//	go vet -vettool=$(which guardvet) ./...   as part of go vet, with its cache
//	guardvet ./...                            by itself
//	guardvet help                             what each check judges, and what it does not
//
// Each check has a flag of its name: -errleak=false leaves it out, -errleak runs
// it alone.
package main

import (
	"golang.org/x/tools/go/analysis/multichecker"

	"github.com/routeguard/guard/guardvet/checks"
)

// multichecker speaks the protocol of go vet, too.
func main() { multichecker.Main(checks.All()...) }
