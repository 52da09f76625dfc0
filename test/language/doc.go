// Package language checks the language of the repository: Go comments, log messages, error texts, declared names, Markdown
// pages, and the comments and descriptions of YAML files. TestTree runs the check.
//
// Words lists the forms to avoid, each with a better form.
package language
