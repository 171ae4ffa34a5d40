//go:build unix

package route

import (
	"syscall"
	"time"
)

// CPUTime is what all threads of this process have computed, the garbage
// collector's included.
func CPUTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err) // of the constant above
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
