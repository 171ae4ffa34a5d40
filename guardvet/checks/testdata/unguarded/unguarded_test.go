package unguarded

import "net/http"

func inATest() { http.HandleFunc("/test", plain) }
