// Package web has the files of the gateway page: one page, one style sheet, one module written by hand, and uPlot 1.6.32,
// copied from its npm package. The page loads nothing from elsewhere.
package web

import (
	"embed"
	"io/fs"
	"net/http"
)

//go:embed static
var files embed.FS

// Files are the files of the page.
func Files() fs.FS {
	static, err := fs.Sub(files, "static")
	if err != nil {
		panic(err) // the folder is embedded
	}
	return static
}

// served are the paths that exist. Folders have no listing.
var served = map[string]string{
	"/":                "index.html",
	"/page.css":        "page.css",
	"/page.js":         "page.js",
	"/icon.svg":        "icon.svg",
	"/uplot/uplot.js":  "uplot/uplot.js",
	"/uplot/uplot.css": "uplot/uplot.css",
	"/uplot/LICENSE":   "uplot/LICENSE",
}

// Handler serves the files.
func Handler() http.Handler {
	all := Files()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name, ok := served[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		http.ServeFileFS(w, r, all, name)
	})
}
