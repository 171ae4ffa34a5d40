//go:build !race

package redisstore_test

// slack widens limits of time for a busy machine. The log has what was measured.
const slack = 4
