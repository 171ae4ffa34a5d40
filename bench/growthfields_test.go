package bench_test

// Field and the Tens are the inputs of BenchmarkFields, which embeds the Tens.
type Field struct {
	A0 string `json:"a0" validate:"required,max=40"`
}

type TenA struct {
	A0 string `json:"a0" validate:"required,max=40"`
	A1 string `json:"a1" validate:"required,max=40"`
	A2 string `json:"a2" validate:"required,max=40"`
	A3 string `json:"a3" validate:"required,max=40"`
	A4 string `json:"a4" validate:"required,max=40"`
	A5 string `json:"a5" validate:"required,max=40"`
	A6 string `json:"a6" validate:"required,max=40"`
	A7 string `json:"a7" validate:"required,max=40"`
	A8 string `json:"a8" validate:"required,max=40"`
	A9 string `json:"a9" validate:"required,max=40"`
}

type TenB struct {
	B0 string `json:"b0" validate:"required,max=40"`
	B1 string `json:"b1" validate:"required,max=40"`
	B2 string `json:"b2" validate:"required,max=40"`
	B3 string `json:"b3" validate:"required,max=40"`
	B4 string `json:"b4" validate:"required,max=40"`
	B5 string `json:"b5" validate:"required,max=40"`
	B6 string `json:"b6" validate:"required,max=40"`
	B7 string `json:"b7" validate:"required,max=40"`
	B8 string `json:"b8" validate:"required,max=40"`
	B9 string `json:"b9" validate:"required,max=40"`
}

type TenC struct {
	C0 string `json:"c0" validate:"required,max=40"`
	C1 string `json:"c1" validate:"required,max=40"`
	C2 string `json:"c2" validate:"required,max=40"`
	C3 string `json:"c3" validate:"required,max=40"`
	C4 string `json:"c4" validate:"required,max=40"`
	C5 string `json:"c5" validate:"required,max=40"`
	C6 string `json:"c6" validate:"required,max=40"`
	C7 string `json:"c7" validate:"required,max=40"`
	C8 string `json:"c8" validate:"required,max=40"`
	C9 string `json:"c9" validate:"required,max=40"`
}

type TenD struct {
	D0 string `json:"d0" validate:"required,max=40"`
	D1 string `json:"d1" validate:"required,max=40"`
	D2 string `json:"d2" validate:"required,max=40"`
	D3 string `json:"d3" validate:"required,max=40"`
	D4 string `json:"d4" validate:"required,max=40"`
	D5 string `json:"d5" validate:"required,max=40"`
	D6 string `json:"d6" validate:"required,max=40"`
	D7 string `json:"d7" validate:"required,max=40"`
	D8 string `json:"d8" validate:"required,max=40"`
	D9 string `json:"d9" validate:"required,max=40"`
}

type TenE struct {
	E0 string `json:"e0" validate:"required,max=40"`
	E1 string `json:"e1" validate:"required,max=40"`
	E2 string `json:"e2" validate:"required,max=40"`
	E3 string `json:"e3" validate:"required,max=40"`
	E4 string `json:"e4" validate:"required,max=40"`
	E5 string `json:"e5" validate:"required,max=40"`
	E6 string `json:"e6" validate:"required,max=40"`
	E7 string `json:"e7" validate:"required,max=40"`
	E8 string `json:"e8" validate:"required,max=40"`
	E9 string `json:"e9" validate:"required,max=40"`
}
