package input

import (
	"net/textproto"
	"strings"
)

// serverOwned are the names of what a server decides and a client must not: who someone is, what they may do, whose something
// is, and the server's own bookkeeping. An input struct that binds one of these is how mass assignment happens (OWASP API3:2023), so
// it takes guard:"client" to say that this one is meant. The names are compared in lower case, without _, - and dots.
//
// Left out on purpose, because clients name these every day: id (a lookup by it is checked by ownership), status, name,
// email, account, username.
var serverOwned = wordSet(`
	role roles userrole userroles
	user userid uid ownerid owner owneremail authorid creatorid
	tenant tenantid org orgid organization organizationid organisation organisationid
	accountid
	createdby updatedby modifiedby deletedby approvedby
	createdat updatedat modifiedat deletedat approvedat
	admin isadmin administrator isadministrator superadmin issuperadmin staff isstaff superuser issuperuser isroot
	permission permissions privilege privileges scope scopes groups entitlements
	internal isinternal internalstatus internalstate internalnotes
	verified isverified emailverified isemailverified phoneverified isphoneverified
	approved isapproved banned isbanned suspended issuspended
	balance passwordhash hashedpassword passwordsalt
`)

// serverHeaders are header fields that another answer of the route owns: credentials belong to who, addresses to the trusted proxies.
var serverHeaders = wordSet(`
	Authorization Proxy-Authorization Cookie X-Api-Key
	Forwarded X-Forwarded-For X-Forwarded-Host X-Forwarded-Proto X-Real-Ip True-Client-Ip Cf-Connecting-Ip
`)

func wordSet(words string) map[string]bool {
	set := map[string]bool{}
	for _, w := range strings.Fields(words) {
		set[w] = true
	}
	return set
}

var plainer = strings.NewReplacer("_", "", "-", "", ".", "", " ", "")

// ownedName reports whether a name is server-owned in any naming style.
func ownedName(name string) bool {
	return serverOwned[plainer.Replace(strings.ToLower(name))]
}

// owned reports a field that clients must not set. Path fields are left out: the pattern decides what they are, and the
// ownership check decides what they reach.
func (c *compiler) owned(f *field, at string) {
	if f.client || f.source == FromPath {
		return
	}
	name := f.name
	if f.source == FromHeader {
		if serverHeaders[textproto.CanonicalMIMEHeaderKey(name)] {
			c.mistake(at, `header %s is not input: use the session or the client address instead, or write guard:"client" if this is meant`, name)
			return
		}
		name = strings.TrimPrefix(name, "X-")
	}
	if ownedName(name) || ownedName(f.goName) {
		c.mistake(at, `%s:%q is the server's to set: take it from the session or the resource, or write guard:"client" if clients may set it`,
			f.source, f.name)
	}
}
