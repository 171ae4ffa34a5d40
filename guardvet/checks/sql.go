package checks

import (
	"go/ast"
	"go/token"
	"go/types"
	"reflect"
	"regexp"
	"strings"
)

var (
	sqlComment = regexp.MustCompile(`(?s)--[^\n]*|/\*.*?\*/`)
	sqlText    = regexp.MustCompile(`'(?:[^']|'')*'`)
	sqlName    = "((?:[\"`\\[]?[A-Za-z_][A-Za-z0-9_]*[\"`\\]]?\\.)*[\"`\\[]?[A-Za-z_][A-Za-z0-9_]*[\"`\\]]?)"
	sqlSelect  = regexp.MustCompile(`(?is)^\s*SELECT\b.*?\bFROM\s+` + sqlName)
	sqlWrite   = regexp.MustCompile(`(?is)^\s*(UPDATE|DELETE\s+FROM)\s+(?:ONLY\s+)?` + sqlName + `(?:\s+(?:AS\s+)?\w+)?\s*(?:\bSET\b|\bWHERE\b|\bRETURNING\b|;|$)`)
	sqlSet     = regexp.MustCompile(`(?i)\bSET\b`)
	sqlWhere   = regexp.MustCompile(`(?is)\bWHERE\b(.*)$`)
	sqlEnd     = regexp.MustCompile(`(?is)\b(?:RETURNING|ORDER\s+BY|LIMIT)\b.*$`)
	sqlJoined  = regexp.MustCompile(`(?i)\b(?:SELECT|JOIN|USING|FROM)\b`)
	sqlWord    = regexp.MustCompile(`[A-Za-z_][A-Za-z0-9_]*`)
	sqlGroup   = regexp.MustCompile(`\([^()]*\)`)
	sqlOr      = regexp.MustCompile(`(?i)\bOR\b`)
	sqlLock    = regexp.MustCompile(`(?i)\bFOR\s+(?:NO\s+KEY\s+)?UPDATE\b`)
)

// parseSQL says which table a statement reads, or what it writes. Anything that
// is not plain is left out.
func parseSQL(text string, fset *token.FileSet, at ast.Node) (reads string, w *write, locks bool) {
	text = sqlText.ReplaceAllString(sqlComment.ReplaceAllString(text, " "), "''")
	if m := sqlSelect.FindStringSubmatch(text); m != nil {
		return table(m[1]), nil, sqlLock.MatchString(text)
	}
	m := sqlWrite.FindStringSubmatch(text)
	if m == nil {
		return "", nil, false
	}
	if isUpdate := m[1][0]|0x20 == 'u'; isUpdate != sqlSet.MatchString(text) || sqlJoined.MatchString(text[len(m[1]):]) {
		return "", nil, false
	}
	w = &write{Verb: strings.ToUpper(m[1][:6]), Table: table(m[2]), At: position(fset, at), pos: at}
	where := sqlWhere.FindStringSubmatch(text)
	w.Everywhere = where == nil
	if where != nil {
		for _, name := range sqlWord.FindAllString(certain(sqlEnd.ReplaceAllString(where[1], "")), -1) {
			w.Names = append(w.Names, plain(name))
		}
	}
	return "", w, false
}

// certain is what of a condition must hold: nothing that stands beside an OR.
func certain(where string) string {
	for {
		group := sqlGroup.FindStringIndex(where)
		if group == nil {
			break
		}
		inner := where[group[0]+1 : group[1]-1]
		if sqlOr.MatchString(inner) {
			inner = ""
		}
		where = where[:group[0]] + " " + inner + " " + where[group[1]:]
	}
	if sqlOr.MatchString(where) {
		return ""
	}
	return where
}

// table is the last part of a name, without quotes and in lower case.
func table(name string) string {
	name = name[strings.LastIndexByte(name, '.')+1:]
	return strings.ToLower(strings.Trim(name, "\"`[]"))
}

// plain makes OwnerID and owner_id the same.
func plain(name string) string { return strings.ToLower(strings.ReplaceAll(name, "_", "")) }

// tagged are the columns that the tags of a field name.
func tagged(n *types.Named, field string) []string {
	s, ok := n.Underlying().(*types.Struct)
	if !ok {
		return nil
	}
	var columns []string
	for i := range s.NumFields() {
		if s.Field(i).Name() != field {
			continue
		}
		for _, key := range []string{"db", "bun"} {
			if column, _, _ := strings.Cut(reflect.StructTag(s.Tag(i)).Get(key), ","); column != "" && column != "-" {
				columns = append(columns, plain(column))
			}
		}
	}
	return columns
}
