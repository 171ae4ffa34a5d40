// Package bench compares guard with others, in one run on one machine.
//
// One route in guard, by hand and in chi, gin, echo and huma:
//
//	go run ./bench/cmd/table
//
// Whole servers, what importing guard adds to a build, and how its cost grows:
//
//	go run ./bench/cmd/server
//	go run ./bench/cmd/weight
//	go test -run '^$' -bench 'Routes|Keys|Fields|Body|Construction' ./bench
//
// The limiter alone, beside other limiters:
//
//	go test -bench . ./bench
//
// TestVerdicts checks first that all of them decide the same requests alike: a
// limiter that admits more is faster for the wrong reason. The row "guard without a
// limit" is what a guarded route costs for everything else: request id, headers,
// deadline, log record, recovery. Its difference to "guard" is the limit.
package bench
