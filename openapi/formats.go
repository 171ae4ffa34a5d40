package openapi

func pattern(expression string) object { return object{{"pattern", expression}} }

func format(name string) object { return object{{"format", name}} }

func formatted(name, expression string) object {
	return object{{"format", name}, {"pattern", expression}}
}

func hex(digits string) object { return pattern("^[0-9a-f]{" + digits + "}$") }

var anyIP = object{{"anyOf", []object{format("ipv4"), format("ipv6")}}}

const anyCaseUUID = `^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$`

// textRules are the rules on text that have a format or a pattern. The patterns are those of
// validator, where they are short and mean the same in ECMA-262; a test compares the two.
var textRules = map[string]object{
	"email":            format("email"),
	"url":              format("uri"),
	"uri":              format("uri"),
	"http_url":         format("uri"),
	"https_url":        format("uri"),
	"web_url":          format("uri"),
	"origin":           format("uri"),
	"ip":               anyIP,
	"ip_addr":          anyIP,
	"ipv4":             format("ipv4"),
	"ip4_addr":         format("ipv4"),
	"ipv6":             format("ipv6"),
	"ip6_addr":         format("ipv6"),
	"hostname":         format("hostname"),
	"hostname_rfc1123": format("hostname"),
	"fqdn":             format("hostname"),
	"json":             {{"contentMediaType", "application/json"}},

	"uuid":         formatted("uuid", anyCaseUUID),
	"uuid_rfc4122": formatted("uuid", anyCaseUUID),
	"uuid4":        formatted("uuid", `^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`),
	"uuid5":        formatted("uuid", `^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`),
	"uuid7":        formatted("uuid", `^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`),
	"ulid":         pattern("^[0-7][A-HJKMNP-TV-Za-hjkmnp-tv-z0-9\u017f\u212a]{25}$"), // with what folds to s and k

	"alpha":         pattern(`^[a-zA-Z]+$`),
	"alphaspace":    pattern(`^[a-zA-Z ]+$`),
	"alphanum":      pattern(`^[a-zA-Z0-9]+$`),
	"alphanumspace": pattern(`^[a-zA-Z0-9 ]+$`),
	"numeric":       pattern(`^[-+]?[0-9]+(?:\.[0-9]+)?$`),
	"number":        pattern(`^[0-9]+$`),
	"hexadecimal":   pattern(`^(0[xX])?[0-9a-fA-F]+$`),
	"hexcolor":      pattern(`^#(?:[0-9a-fA-F]{3}|[0-9a-fA-F]{4}|[0-9a-fA-F]{6}|[0-9a-fA-F]{8})$`),
	"ascii":         pattern(`^[\x00-\x7F]*$`),
	"printascii":    pattern(`^[\x20-\x7E]*$`),
	"single_line":   pattern("^[^\\x00-\\x1F\\x7F-\\x9F\u2028-\u202E\u2066-\u2069]*$"),
	"e164":          pattern(`^\+?[1-9][0-9]{7,14}$`),
	"base64":        pattern(`^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{4})$`),
	"base64url":     pattern(`^(?:[A-Za-z0-9_-]{4})*(?:[A-Za-z0-9_-]{2}==|[A-Za-z0-9_-]{3}=|[A-Za-z0-9_-]{4})$`),
	"base64rawurl":  pattern(`^(?:[A-Za-z0-9_-]{4})*(?:[A-Za-z0-9_-]{2,4})$`),
	"jwt":           pattern(`^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*$`),
	"md5":           hex("32"),
	"sha256":        hex("64"),
	"sha384":        hex("96"),
	"sha512":        hex("128"),
	"mongodb":       hex("24"),
	"cve":           pattern(`^CVE-(1999|2[0-9]{3})-(0[^0][0-9]{2}|0[0-9][^0][0-9]{1}|0[0-9]{2}[^0]|[1-9]{1}[0-9]{3,})$`),
	"ein":           pattern(`^([0-9]{2}-[0-9]{7})$`),
	"bic":           pattern(`^[A-Z0-9]{4}[A-Z]{2}[A-Z0-9]{2}(?:[A-Z0-9]{3})?$`),
	"semver": pattern(`^(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)` +
		`(?:-((?:0|[1-9][0-9]*|[0-9]*[a-zA-Z-][0-9a-zA-Z-]*)(?:\.(?:0|[1-9][0-9]*|[0-9]*[a-zA-Z-][0-9a-zA-Z-]*))*))?` +
		`(?:\+([0-9a-zA-Z-]+(?:\.[0-9a-zA-Z-]+)*))?$`),
}

// layouts are the layouts of the datetime rule that JSON Schema has a format for.
var layouts = map[string]object{
	"2006-01-02":                          format("date"),
	"2006-01-02T15:04:05Z07:00":           format("date-time"),
	"2006-01-02T15:04:05.999999999Z07:00": format("date-time"),
}
