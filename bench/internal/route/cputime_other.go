//go:build !unix

package route

import "time"

var began = time.Now()

// CPUTime is the time that has passed, where package syscall does not tell the CPU
// time: there, measure on a machine that does nothing else.
func CPUTime() time.Duration { return time.Since(began) }
