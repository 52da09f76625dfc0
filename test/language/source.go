package language

import (
	"go/ast"
	"go/parser"
	"go/token"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Go returns the findings in the comments, error texts, log messages and declared names of a Go file. A generated file has no
// findings, because its text comes from the generator.
func Go(path string, content []byte) ([]Finding, error) {
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, path, content, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	if ast.IsGenerated(file) {
		return nil, nil
	}
	var out []Finding
	for _, group := range file.Comments {
		out = append(out, comment(files, group).findings(path)...)
	}
	ast.Inspect(file, func(node ast.Node) bool {
		if call, ok := node.(*ast.CallExpr); ok && hasMessage(call) {
			for _, p := range literals(files, call) {
				out = append(out, p.findings(path)...)
			}
		}
		for _, name := range declared(node) {
			if names[strings.ToLower(name.Name)] {
				out = append(out, Finding{
					Path: path, Line: files.Position(name.Pos()).Line, Word: "name " + name.Name, Better: betterName,
				})
			}
		}
		return true
	})
	return out, nil
}

var (
	// commentMark is the syntax of a comment.
	commentMark = regexp.MustCompile(`(?m)^\s*//|/\*|\*/`)
	// directive is a comment for a tool. A second // in it begins ordinary text.
	directive = regexp.MustCompile(`^//(?:go:|nolint)(?:[^/]|/[^/])*`)
	// code is text in code font, on one line or two.
	code = regexp.MustCompile("`[^`\n]*\n?[^`\n]*`")
)

// comment returns a group of comments as one passage, in which each line has its position in the file.
func comment(files *token.FileSet, group *ast.CommentGroup) passage {
	p := passage{line: files.Position(group.Pos()).Line}
	line := p.line
	var b strings.Builder
	for _, c := range group.List {
		for at := files.Position(c.Pos()).Line; line < at; line++ {
			b.WriteByte('\n')
		}
		text := commentMark.ReplaceAllString(directive.ReplaceAllString(c.Text, ""), " ")
		b.WriteString(text)
		line += strings.Count(text, "\n")
	}
	p.text = withoutCode(b.String())
	return p
}

// withoutCode replaces text in code font by a placeholder. Line ends remain.
func withoutCode(text string) string {
	return code.ReplaceAllStringFunc(text, func(span string) string { return "_" + strings.Repeat("\n", strings.Count(span, "\n")) })
}

// logMethods are zap's methods with a message.
var logMethods = []string{"Debug", "Info", "Warn", "Error", "DPanic", "Panic", "Fatal", "Debugw", "Infow", "Warnw", "Errorw", "Debugf", "Infof", "Warnf", "Errorf"}

// hasMessage reports whether a call creates an error or writes a log message. The methods of package testing do not count:
// only a developer who broke a test reads its messages.
func hasMessage(call *ast.CallExpr) bool {
	selector, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	method := selector.Sel.Name
	if x, ok := selector.X.(*ast.Ident); ok {
		switch x.Name {
		case "fmt":
			return method == "Errorf"
		case "errors":
			return method == "New"
		case "t", "b", "tb", "f":
			return false
		}
	}
	return slices.Contains(logMethods, method) || method == "That" // check.Errors.That
}

// literals returns the strings in the arguments of a call, excluding those in nested calls.
func literals(files *token.FileSet, call *ast.CallExpr) []passage {
	var out []passage
	for _, argument := range call.Args {
		ast.Inspect(argument, func(node ast.Node) bool {
			switch n := node.(type) {
			case *ast.CallExpr, *ast.FuncLit:
				return false
			case *ast.BasicLit:
				if n.Kind != token.STRING {
					return false
				}
				if text, err := strconv.Unquote(n.Value); err == nil {
					out = append(out, passage{files.Position(n.Pos()).Line, text})
				}
			}
			return true
		})
	}
	return out
}

// declared returns the names that a node declares.
func declared(node ast.Node) []*ast.Ident {
	switch n := node.(type) {
	case *ast.FuncDecl:
		if n.Recv != nil && (n.Name.Name == "Is" || n.Name.Name == "Wrap") {
			return nil // the interfaces of package errors and of others prescribe the name
		}
		return []*ast.Ident{n.Name}
	case *ast.Field:
		return n.Names
	case *ast.TypeSpec:
		return []*ast.Ident{n.Name}
	case *ast.ValueSpec:
		return n.Names
	case *ast.AssignStmt:
		if n.Tok == token.DEFINE {
			return identifiers(n.Lhs...)
		}
	case *ast.RangeStmt:
		if n.Tok == token.DEFINE {
			return identifiers(n.Key, n.Value)
		}
	}
	return nil
}

func identifiers(expressions ...ast.Expr) []*ast.Ident {
	var out []*ast.Ident
	for _, e := range expressions {
		if name, ok := e.(*ast.Ident); ok {
			out = append(out, name)
		}
	}
	return out
}
