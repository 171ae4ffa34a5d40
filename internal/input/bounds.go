package input

// The bounds that no configuration changes. Each is inclusive: the stated number is still accepted.
const (
	// MaxDepth is how deep a JSON body may nest. The body itself is the first level.
	MaxDepth = 32
	// MaxItems is how many items a JSON array may have without a declared max.
	MaxItems = 1000
	// MaxPairs is how many name=value pairs a query or an urlencoded form may have.
	MaxPairs = 100
	// MaxParts is how many parts a multipart form may have.
	MaxParts = 100
	// MaxQueryBytes is the length of a raw query.
	MaxQueryBytes = 16 << 10
	// MaxPathValueBytes is the length of one decoded path value.
	MaxPathValueBytes = 256
	// MaxKeyBytes is the length of one key of a JSON map.
	MaxKeyBytes = 256
	// MaxPartHeaders is how many header fields one part of a multipart form may have.
	MaxPartHeaders = 16
	// MaxPartHeaderBytes is the size of the header of one part of a multipart form.
	MaxPartHeaderBytes = 4 << 10
	// MaxViolations is how many violations one Failure reports.
	MaxViolations = 32

	// DefaultJSONBody is the largest JSON body when Config.MaxBody is zero.
	DefaultJSONBody = 256 << 10
	// DefaultFormBody is the largest form body when Config.MaxBody is zero, uploaded files not counted.
	DefaultFormBody = 64 << 10

	// maxEmailBytes and maxEmailLocalBytes are the limits of RFC 5321 §4.5.3.1 as corrected by RFC 3696 erratum 1690.
	maxEmailBytes      = 254
	maxEmailLocalBytes = 64

	// maxURLBytes is the longest address that web_url takes.
	maxURLBytes = 2048

	// maxOwnBuffer is the largest body buffer that a plan keeps for itself, or that is made before much of a body has
	// come: one for 64 KiB, and a byte to see the end.
	maxOwnBuffer = 64<<10 + 1
	// maxPooledBuffer is the largest body buffer that is kept for another request.
	maxPooledBuffer = 1<<20 + 1
	// maxBatch is how many strings are made at once, of which a small body may not need all.
	maxBatch = 8
	// maxWords is how many words of a oneof rule a text is compared with before it is copied.
	maxWords = 8
	// believedTimes is how many times what has come of a body a buffer for the rest of it may hold.
	believedTimes = 16
	// fileMemory is how much of one upload stays in memory; the rest goes to a temporary file.
	fileMemory = 64 << 10
)
