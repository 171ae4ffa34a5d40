//go:build race

package redisstore_test

// slack widens limits of time for the race detector.
const slack = 10
