// Package bench compares guard's limiter with others, in one run on one machine.
//
//	go test -bench . ./bench
//
// TestVerdicts checks first that all of them decide the same requests alike: a
// limiter that admits more is faster for the wrong reason. The row "guard without a
// limit" is what a guarded route costs for everything else: request id, headers,
// deadline, log record, recovery. Its difference to "guard" is the limit.
package bench
