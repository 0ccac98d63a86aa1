// Reads a dashboard as Grafana's own types do, refuses what they do not know, and prints all that they made of it.
package main

import (
	"encoding/json"
	"io"
	"log"
	"os"

	"github.com/grafana/grafana-foundation-sdk/go/cog/plugins"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

func main() {
	log.SetFlags(0)
	text, err := io.ReadAll(os.Stdin)
	must(err)
	plugins.RegisterDefaultPlugins()
	// What is read strictly lacks its panels: the types take an error without a text for one.
	strict := dashboard.Dashboard{}
	must(strict.UnmarshalJSONStrict(text))
	read := dashboard.Dashboard{}
	must(json.Unmarshal(text, &read))
	must(read.Validate())
	must(json.NewEncoder(os.Stdout).Encode(read))
}

func must(err error) {
	if err != nil && err.Error() != "" {
		log.Fatal(err)
	}
}
