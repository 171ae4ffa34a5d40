// Package route is one route, implemented with guard, by hand and with its peers.
//
// The route is PATCH /projects/{projectID}: a bearer token (HS256; sub, role, exp,
// iss and aud), a limit per caller, an owner check on a row in memory, a strict JSON
// body of three validated fields, a JSON answer and a request id. All of them share
// what is not measured here: the rows, the input's rules and the answer. None logs,
// recovers from panics or bounds the handler's time, except guard, which always does;
// its records go nowhere, but for those of "guard logging".
//
// TestConformance holds what each of them checks, and prints what it cannot.
// [Cases] are the requests that are measured, [Table] measures them.
package route
