package input

// kinds is the set of kinds of values that a rule can judge.
type kinds uint16

const (
	onString kinds = 1 << iota
	onInt
	onUint
	onFloat
	onBool
	onSlice
	onArray
	onMap
	onTime
	onBytes
	onStringer // any type with a String method
	onAnything

	onNumber = onInt | onUint | onFloat
	onList   = onSlice | onArray | onMap
)

// refs says whether a rule's parameter names other fields.
type refs uint8

const (
	refNone  refs = iota
	refField      // one field
	refList       // several fields
	refPairs      // field value field value
)

// parameter says whether a rule takes a parameter.
type parameter uint8

const (
	paramNone parameter = iota
	paramNeeded
	paramOptional
)

// rule is what is known about a rule of validator: what it can judge, and what to say when it refuses.
type rule struct {
	on    kinds
	param parameter
	refs  refs
	text  string // "%s" is the parameter
	say   func(s subject, param string) string
	// refuse is why the rule must not be used on what a client sends.
	refuse string
}

const serverFiles = "looks at the server's own files, and its answer would tell the caller what is there: " +
	"take an upload with File, or register a rule of your own"

// text is a rule on strings without a parameter.
func text(message string) rule { return rule{on: onString, text: message} }

// textParam is a rule on strings with a parameter.
func textParam(message string) rule {
	return rule{on: onString, param: paramNeeded, text: message}
}

// ruleTable has every built-in rule of validator, and this package's own.
var ruleTable = mergeRules(presenceRules, comparisonRules, formatRules, codeRules, ownRules)

func mergeRules(tables ...map[string]rule) map[string]rule {
	all := map[string]rule{}
	for _, t := range tables {
		for tag, r := range t {
			all[tag] = r
		}
	}
	return all
}

var presenceRules = map[string]rule{
	"required":             {on: onAnything, text: "is required"},
	"required_if":          {on: onAnything, param: paramNeeded, refs: refPairs, text: "is required when %s"},
	"required_unless":      {on: onAnything, param: paramNeeded, refs: refPairs, text: "is required unless %s"},
	"skip_unless":          {on: onAnything, param: paramNeeded, refs: refPairs, text: "is required when %s"},
	"required_with":        {on: onAnything, param: paramNeeded, refs: refList, text: "is required together with %s"},
	"required_with_all":    {on: onAnything, param: paramNeeded, refs: refList, text: "is required together with %s"},
	"required_without":     {on: onAnything, param: paramNeeded, refs: refList, text: "is required without %s"},
	"required_without_all": {on: onAnything, param: paramNeeded, refs: refList, text: "is required without %s"},
	"excluded_if":          {on: onAnything, param: paramNeeded, refs: refPairs, text: "must be left out when %s"},
	"excluded_unless":      {on: onAnything, param: paramNeeded, refs: refPairs, text: "must be left out unless %s"},
	"excluded_with":        {on: onAnything, param: paramNeeded, refs: refList, text: "must be left out together with %s"},
	"excluded_with_all":    {on: onAnything, param: paramNeeded, refs: refList, text: "must be left out together with %s"},
	"excluded_without":     {on: onAnything, param: paramNeeded, refs: refList, text: "must be left out without %s"},
	"excluded_without_all": {on: onAnything, param: paramNeeded, refs: refList, text: "must be left out without %s"},
	"isdefault":            {on: onAnything, text: "must be left out"},
}

var comparisonRules = map[string]rule{
	"len":            {on: onString | onNumber | onList, param: paramNeeded, say: equal(false, true)},
	"min":            {on: onString | onNumber | onList | onTime, param: paramOptional, say: bound("at least")},
	"max":            {on: onString | onNumber | onList | onTime, param: paramOptional, say: bound("at most")},
	"gte":            {on: onString | onNumber | onList | onTime, param: paramOptional, say: bound("at least")},
	"lte":            {on: onString | onNumber | onList | onTime, param: paramOptional, say: bound("at most")},
	"gt":             {on: onString | onNumber | onList | onTime, param: paramOptional, say: bound("more than")},
	"lt":             {on: onString | onNumber | onList | onTime, param: paramOptional, say: bound("less than")},
	"eq":             {on: onString | onNumber | onList | onBool, param: paramNeeded, say: equal(false, false)},
	"ne":             {on: onString | onNumber | onList | onBool, param: paramNeeded, say: equal(true, false)},
	"eq_ignore_case": textParam("must be %s, in upper or lower case"),
	"ne_ignore_case": textParam("must not be %s, in upper or lower case"),
	"oneof":          {on: onString | onInt | onUint, param: paramNeeded, say: choice("must be one of: ")},
	"oneofci":        {on: onString, param: paramNeeded, say: choice("must be one of: ")},
	"noneof":         {on: onString | onInt | onUint, param: paramNeeded, say: choice("must be none of: ")},
	"noneofci":       {on: onString, param: paramNeeded, say: choice("must be none of: ")},
	"unique":         {on: onAnything, param: paramOptional, text: "must not have the same value twice"},
	"validateFn":     {on: onAnything, param: paramOptional, text: "is invalid"},

	"eqfield":       {on: onAnything, param: paramNeeded, refs: refField, text: "must be the same as %s"},
	"nefield":       {on: onAnything, param: paramNeeded, refs: refField, text: "must not be the same as %s"},
	"gtfield":       {on: onString | onNumber | onTime, param: paramNeeded, refs: refField, text: "must be greater than %s"},
	"gtefield":      {on: onString | onNumber | onTime, param: paramNeeded, refs: refField, text: "must be at least %s"},
	"ltfield":       {on: onString | onNumber | onTime, param: paramNeeded, refs: refField, text: "must be less than %s"},
	"ltefield":      {on: onString | onNumber | onTime, param: paramNeeded, refs: refField, text: "must be at most %s"},
	"eqcsfield":     {on: onAnything, param: paramNeeded, refs: refField, text: "must be the same as %s"},
	"necsfield":     {on: onAnything, param: paramNeeded, refs: refField, text: "must not be the same as %s"},
	"gtcsfield":     {on: onString | onNumber | onTime | onList, param: paramNeeded, refs: refField, text: "must be greater than %s"},
	"gtecsfield":    {on: onString | onNumber | onTime | onList, param: paramNeeded, refs: refField, text: "must be at least %s"},
	"ltcsfield":     {on: onString | onNumber | onTime | onList, param: paramNeeded, refs: refField, text: "must be less than %s"},
	"ltecsfield":    {on: onString | onNumber | onTime | onList, param: paramNeeded, refs: refField, text: "must be at most %s"},
	"fieldcontains": {on: onString, param: paramNeeded, refs: refField, text: "must contain %s"},
	"fieldexcludes": {on: onString, param: paramNeeded, refs: refField, text: "must not contain %s"},

	"contains":      textParam("must contain %s"),
	"containsany":   textParam("must contain one of the characters %s"),
	"containsrune":  textParam("must contain the character %s"),
	"excludes":      textParam("must not contain %s"),
	"excludesall":   textParam("must not contain any of the characters %s"),
	"excludesrune":  textParam("must not contain the character %s"),
	"startswith":    textParam("must start with %s"),
	"endswith":      textParam("must end with %s"),
	"startsnotwith": textParam("must not start with %s"),
	"endsnotwith":   textParam("must not end with %s"),
}

var formatRules = map[string]rule{
	"alpha":           text("must contain only letters a to z"),
	"alphaspace":      text("must contain only letters a to z and spaces"),
	"alphanum":        text("must contain only letters a to z and digits"),
	"alphanumspace":   text("must contain only letters a to z, digits and spaces"),
	"alphaunicode":    text("must contain only letters"),
	"alphanumunicode": text("must contain only letters and digits"),
	"ascii":           text("must contain only ASCII characters"),
	"printascii":      text("must contain only printable ASCII characters"),
	"multibyte":       text("must contain a character beyond ASCII"),
	"lowercase":       text("must be in lower case"),
	"uppercase":       text("must be in upper case"),
	"boolean":         {on: onString | onBool, text: "must be true or false"},
	"numeric":         {on: onString | onNumber, text: "must be a number"},
	"number":          {on: onString | onNumber, text: "must contain only digits"},
	"hexadecimal":     text("must be hexadecimal"),
	"hexcolor":        text("must be a hexadecimal color such as #ff8800"),
	"rgb":             text("must be an RGB color"),
	"rgba":            text("must be an RGBA color"),
	"hsl":             text("must be an HSL color"),
	"hsla":            text("must be an HSLA color"),
	"cmyk":            text("must be a CMYK color"),
	"iscolor":         text("must be a color"),
	"email":           text("must be an email address"),
	"e164":            text("must be a phone number in international form such as +14155550123"),
	"url":             text("must be a web address"),
	"uri":             text("must be a URI"),
	"http_url":        text("must be an http or https address"),
	"https_url":       text("must be an https address"),
	"origin":          text("must be a web origin such as https://example.com"),
	"urn_rfc2141":     text("must be a URN"),
	"urn_rfc8141":     text("must be a URN"),
	"url_encoded":     text("must be URL encoded"),
	"html":            text("must contain HTML"),
	"html_encoded":    text("must be HTML encoded"),
	"datauri":         text("must be a data URI"),
	"base32":          text("must be base32"),
	"base64":          text("must be base64"),
	"base64url":       text("must be base64 for URLs"),
	"base64rawurl":    text("must be base64 for URLs without padding"),
	"json":            {on: onString | onBytes, text: "must be JSON"},
	"jwt":             text("must be a JSON web token"),
	"datetime":        textParam("must be a date or time like %s"),
	"timezone":        text("must be a time zone such as Europe/Paris"),
	"duration":        text("must be a duration such as 1h30m"),
	"cron":            text("must be a cron expression"),
	"latitude":        {on: onString | onNumber, text: "must be a latitude"},
	"longitude":       {on: onString | onNumber, text: "must be a longitude"},
	"uuid":            {on: onString | onStringer, text: "must be a UUID"},
	"uuid3":           {on: onString | onStringer, text: "must be a version 3 UUID"},
	"uuid4":           {on: onString | onStringer, text: "must be a version 4 UUID"},
	"uuid5":           {on: onString | onStringer, text: "must be a version 5 UUID"},
	"uuid7":           {on: onString | onStringer, text: "must be a version 7 UUID"},
	"uuid_rfc4122":    {on: onString | onStringer, text: "must be a UUID"},
	"uuid3_rfc4122":   {on: onString | onStringer, text: "must be a version 3 UUID"},
	"uuid4_rfc4122":   {on: onString | onStringer, text: "must be a version 4 UUID"},
	"uuid5_rfc4122":   {on: onString | onStringer, text: "must be a version 5 UUID"},
	"ulid":            {on: onString | onStringer, text: "must be a ULID"},

	"file":       {on: onString, text: "is invalid", refuse: serverFiles},
	"filepath":   {on: onString, text: "is invalid", refuse: serverFiles},
	"dir":        {on: onString, text: "is invalid", refuse: serverFiles},
	"dirpath":    {on: onString, text: "is invalid", refuse: serverFiles},
	"image":      {on: onString, text: "is invalid", refuse: serverFiles},
	"mimetype":   {on: onString, param: paramNeeded, text: "is invalid", refuse: serverFiles},
	"uds_exists": {on: onString, text: "is invalid", refuse: serverFiles},
}

var codeRules = map[string]rule{
	"ip":                text("must be an IP address"),
	"ipv4":              text("must be an IPv4 address"),
	"ipv6":              text("must be an IPv6 address"),
	"cidr":              text("must be an IP prefix in CIDR form"),
	"cidrv4":            text("must be an IPv4 prefix in CIDR form"),
	"cidrv6":            text("must be an IPv6 prefix in CIDR form"),
	"ip_addr":           text("must be an IP address"),
	"ip4_addr":          text("must be an IPv4 address"),
	"ip6_addr":          text("must be an IPv6 address"),
	"tcp_addr":          text("must be an IP address and port"),
	"tcp4_addr":         text("must be an IPv4 address and port"),
	"tcp6_addr":         text("must be an IPv6 address and port"),
	"udp_addr":          text("must be an IP address and port"),
	"udp4_addr":         text("must be an IPv4 address and port"),
	"udp6_addr":         text("must be an IPv6 address and port"),
	"unix_addr":         text("must be a Unix socket address"),
	"mac":               text("must be a MAC address"),
	"hostname":          text("must be a host name"),
	"hostname_rfc1123":  text("must be a host name"),
	"hostname_label":    text("must be one label of a host name"),
	"hostname_port":     text("must be a host name and port"),
	"fqdn":              text("must be a fully qualified domain name"),
	"dns_rfc1035_label": text("must be a DNS label"),
	"port":              {on: onInt | onUint, text: "must be a port number"},

	"md4":       text("must be an MD4 hash in hexadecimal"),
	"md5":       text("must be an MD5 hash in hexadecimal"),
	"sha256":    text("must be a SHA-256 hash in hexadecimal"),
	"sha384":    text("must be a SHA-384 hash in hexadecimal"),
	"sha512":    text("must be a SHA-512 hash in hexadecimal"),
	"ripemd128": text("must be a RIPEMD-128 hash in hexadecimal"),
	"ripemd160": text("must be a RIPEMD-160 hash in hexadecimal"),
	"tiger128":  text("must be a Tiger-128 hash in hexadecimal"),
	"tiger160":  text("must be a Tiger-160 hash in hexadecimal"),
	"tiger192":  text("must be a Tiger-192 hash in hexadecimal"),

	"isbn":              text("must be an ISBN"),
	"isbn10":            text("must be an ISBN of 10 digits"),
	"isbn13":            text("must be an ISBN of 13 digits"),
	"issn":              text("must be an ISSN"),
	"eth_addr":          text("must be an Ethereum address"),
	"eth_addr_checksum": text("must be an Ethereum address with a valid checksum"),
	"btc_addr":          text("must be a Bitcoin address"),
	"btc_addr_bech32":   text("must be a Bitcoin address in Bech32"),
	"credit_card":       text("must be a credit card number"),
	"luhn_checksum":     {on: onString | onInt | onUint, text: "must have a valid check digit"},
	"ssn":               text("must be a US social security number"),
	"ein":               text("must be a US employer identification number"),

	"iso3166_1_alpha2":              text("must be a country code of two letters"),
	"iso3166_1_alpha2_eu":           text("must be the code, of two letters, of a country in the European Union"),
	"iso3166_1_alpha3":              text("must be a country code of three letters"),
	"iso3166_1_alpha3_eu":           text("must be the code, of three letters, of a country in the European Union"),
	"iso3166_1_alpha_numeric":       {on: onString | onInt | onUint, text: "must be a numeric country code"},
	"iso3166_1_alpha_numeric_eu":    {on: onString | onInt | onUint, text: "must be the numeric code of a country in the European Union"},
	"country_code":                  {on: onString | onInt | onUint, text: "must be a country code"},
	"eu_country_code":               {on: onString | onInt | onUint, text: "must be the code of a country in the European Union"},
	"iso3166_2":                     text("must be the code of a country's subdivision"),
	"iso4217":                       text("must be a currency code of three letters"),
	"iso4217_numeric":               {on: onInt | onUint, text: "must be a numeric currency code"},
	"bcp47_language_tag":            text("must be a language tag such as en-US"),
	"bcp47_strict_language_tag":     text("must be a language tag such as en-US"),
	"postcode_iso3166_alpha2":       textParam("must be a postal code of %s"),
	"postcode_iso3166_alpha2_field": {on: onString, param: paramNeeded, refs: refField, text: "must be a postal code of the country in %s"},
	"bic":                           text("must be a BIC"),
	"bic_iso_9362_2014":             text("must be a BIC"),
	"semver":                        text("must be a semantic version such as 1.2.3"),
	"cve":                           text("must be a CVE identifier"),
	"mongodb":                       text("must be an identifier of 24 hexadecimal digits"),
	"mongodb_connection_string":     text("must be a MongoDB connection string"),
	"spicedb":                       {on: onString, param: paramOptional, text: "must be a SpiceDB name"},
}
