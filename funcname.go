package guard

import (
	"reflect"
	"regexp"
	"runtime"
	"strings"
)

// funcName is the name of a function for the checklist, such as "User.IsAdmin".
//
// A closure goes by the function that made it: "may" for what may("edit") returned.
// The compiler calls it "may.func1", or "routes.may.func8" where it has put may into
// routes: that depends on the build, and the number on the closures written above.
// One that is written where the routes are has no better name than "routes.func3".
func funcName(f any) string {
	v := reflect.ValueOf(f)
	if v.Kind() != reflect.Func || v.IsNil() {
		return "?"
	}
	pkg, name := splitName(runtime.FuncForPC(v.Pointer()).Name())
	number := closureNumber.FindString(name)
	if number == "" {
		return name
	}
	maker := closureWithin.ReplaceAllString(strings.TrimSuffix(name, number), "")
	for _, caller := range append(callersIn(pkg), "init") { // the variables of a package are made by its init
		if maker == caller || strings.HasSuffix(maker, "."+caller) {
			return caller + number
		}
		if i := strings.LastIndex("."+maker, "."+caller+"."); i >= 0 { // maker was inlined into caller
			maker = maker[i+len(caller)+1:]
		}
	}
	return maker
}

var (
	closureNumber = regexp.MustCompile(`(?:\.(?:func)?\d+|-range\d+)+$`)
	closureWithin = regexp.MustCompile(`^.*(?:\.(?:func)?\d+|-range\d+)\.`)
	receiverless  = strings.NewReplacer("(*", "", ")", "")
)

// splitName returns the package of a function and its name within.
func splitName(full string) (pkg, name string) {
	path := strings.LastIndexByte(full, '/') + 1
	last, name, _ := strings.Cut(full[path:], ".")
	return full[:path] + last, receiverless.Replace(strings.TrimSuffix(name, "-fm"))
}

// callersIn names the functions of a package that have not returned yet, the innermost
// first: those that build the routes.
func callersIn(pkg string) []string {
	var names []string
	pcs := make([]uintptr, 64)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(1, pcs)])
	for {
		frame, more := frames.Next()
		if in, name := splitName(frame.Function); in == pkg {
			names = append(names, closureNumber.ReplaceAllString(name, ""))
		}
		if !more {
			return names
		}
	}
}
