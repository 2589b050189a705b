package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"github.com/kong/keg/kong/gateway/declarative"
	"github.com/kong/keg/plugins"
)

// What the pages in docs/ tell people to write must work as it stands: kong.yml
// and its kin are read against the schemas that Kong gets, routes by the router,
// and commands (docs_commands_test.go) by what runs them.

// page is one file of docs/, by its name.
type page struct{ name, text string }

func pages(t *testing.T) (all []page) {
	t.Helper()
	do(t, filepath.WalkDir("../../docs", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".md" {
			return err
		}
		text, err := os.ReadFile(path)
		all = append(all, page{path, string(text)})
		return err
	}))
	if len(all) < 3 {
		t.Fatalf("%d pages", len(all))
	}
	return all
}

// blocks are the page's examples in a language.
func (p page) blocks(language string) (texts []string) {
	for _, found := range regexp.MustCompile("(?ms)^```"+language+"\n(.*?)^```$").FindAllStringSubmatch(p.text, -1) {
		texts = append(texts, found[1])
	}
	return texts
}

func TestEveryExampleOfTheDocsIsLookedAt(t *testing.T) {
	for _, p := range pages(t) {
		for _, fence := range regexp.MustCompile("(?m)^ *```(.+)$").FindAllStringSubmatch(p.text, -1) {
			if !slices.Contains([]string{"yaml", "sh", "ini"}, fence[1]) {
				t.Errorf("%s: nothing reads a block of %q", p.name, fence[1])
			}
		}
	}
}

// docsLoader reads declarative files for the whole set, and what of Kong's own
// the docs use.
func docsLoader(t *testing.T) *declarative.Loader {
	t.Helper()
	l := &declarative.Loader{Schemas: map[string]*declarative.Schema{}}
	for _, name := range plugins.Names() {
		_, stdout, _ := runKeg(t, nil, "plugin", "dump", name)
		var dump struct {
			Plugins []struct{ Schema json.RawMessage }
		}
		do(t, json.Unmarshal([]byte(stdout), &dump))
		var err error
		l.Schemas[name], err = declarative.ParseSchema(dump.Plugins[0].Schema)
		do(t, err)
	}
	var err error
	l.Schemas["request-termination"], err = declarative.ParseSchema([]byte(declarative.RequestTermination))
	do(t, err)
	return l
}

func TestTheYAMLOfTheDocs(t *testing.T) {
	loader := docsLoader(t)
	for _, p := range pages(t) {
		for _, block := range p.blocks("yaml") {
			for decoder := yaml.NewDecoder(strings.NewReader(block)); ; {
				var document map[string]any
				if err := decoder.Decode(&document); errors.Is(err, io.EOF) {
					break
				} else if err != nil {
					t.Fatalf("%s: %v in\n%s", p.name, err, block)
				}
				if problem := example(t, loader, document); problem != "" {
					t.Errorf("%s: %s in\n%s", p.name, problem, block)
				}
			}
		}
	}
}

// example says what is wrong with a document of the docs, of whichever kind it is.
func example(t *testing.T, loader *declarative.Loader, document map[string]any) (problem string) {
	t.Helper()
	switch {
	case document["add-plugins"] != nil: // decK's own
		var problems []string
		for _, add := range document["add-plugins"].([]any) {
			for _, plugin := range add.(map[string]any)["plugins"].([]any) {
				problems = append(problems, pluginProblem(t, loader, plugin))
			}
		}
		return strings.Join(problems, "")
	case document["_format_version"] != nil:
		text, err := json.Marshal(document)
		do(t, err)
		config, err := loader.Load(text)
		if err != nil {
			return err.Error()
		}
		var problems []string
		for _, plugin := range config.Plugins {
			problems = append(problems, routesProblem(t, plugin.Config["routes"]))
		}
		return strings.Join(problems, "")
	case document["kind"] == "KongPlugin":
		return pluginProblem(t, loader, map[string]any{"name": document["plugin"], "config": document["config"]})
	case document["apiVersion"] != nil:
		return ""
	case document["customEnv"] != nil: // a Helm chart's values
		for name := range document["customEnv"].(map[string]any) {
			if !knownVariable(strings.ToUpper(name)) {
				return "keg knows no " + name
			}
		}
		return ""
	case document["routes"] != nil:
		return routesProblem(t, document["routes"])
	}
	return "nobody knows what this is"
}

func pluginProblem(t *testing.T, loader *declarative.Loader, plugin any) string {
	t.Helper()
	plain := plugin.(map[string]any)
	if plain["config"] == nil {
		delete(plain, "config")
	}
	text, err := json.Marshal(plain)
	do(t, err)
	var decoded map[string]any
	do(t, json.Unmarshal(text, &decoded))
	if refused := loader.Check(declarative.KindOf("plugins"), decoded); refused != nil {
		return refused.Error()
	}
	config, _ := decoded["config"].(map[string]any)
	return routesProblem(t, config["routes"])
}

// routesProblem has keg check a list of routes, with the files that they name.
func routesProblem(t *testing.T, routes any) string {
	t.Helper()
	if routes == nil {
		return ""
	}
	dir := t.TempDir()
	write(t, filepath.Join(dir, "secret"), "whsec_"+strings.Repeat("A", 43)+"=")
	text, err := yaml.Marshal(map[string]any{"routes": routes})
	do(t, err)
	text = regexp.MustCompile(`/run/secrets/\w+`).ReplaceAll(text, []byte(filepath.Join(dir, "secret")))
	file := filepath.Join(dir, "routes.yaml")
	write(t, file, string(text))
	for _, name := range regexp.MustCompile(`\$\{(\w+)`).FindAllSubmatch(text, -1) {
		t.Setenv(string(name[1]), "x")
	}
	_, problem := runHere(t, "routes", "check", file)
	return problem
}

// runHere runs a command of keg's within the test, and returns what it printed,
// and what it said where it failed.
func runHere(t *testing.T, args ...string) (stdout, problem string) {
	t.Helper()
	var out, errs bytes.Buffer
	if run(t.Context(), args, &out, &errs) != 0 {
		problem = "keg failed: " + errs.String()
	}
	return out.String(), problem
}

func knownVariable(name string) bool {
	return slices.ContainsFunc(environment, func(v variable) bool { return v.name == name })
}

// A variable that keg does not read is a setting that does nothing.
func TestTheDocsNameNoVariableThatIsNone(t *testing.T) {
	for _, p := range append(pages(t), page{"README.md", readFileText(t, "../../README.md")}, page{"docker-compose.yml", readFileText(t, "../../docker-compose.yml")}) {
		for _, name := range regexp.MustCompile(`\bKEG_[A-Z_]*[A-Z]\b`).FindAllString(p.text, -1) {
			if !knownVariable(name) && !strings.HasPrefix(name, "KEG_DEV_") {
				t.Errorf("%s: %s", p.name, name)
			}
		}
	}
}

func TestTheLinksOfTheDocsLeadSomewhere(t *testing.T) {
	for _, p := range append(pages(t), page{"../../README.md", readFileText(t, "../../README.md")}) {
		for _, link := range regexp.MustCompile(`\]\(([^)\s]+)\)`).FindAllStringSubmatch(p.text, -1) {
			target, anchor, _ := strings.Cut(link[1], "#")
			if strings.Contains(target, "://") {
				continue
			}
			path := p.name
			if target != "" {
				path = filepath.Join(filepath.Dir(p.name), target)
			}
			if _, err := os.Stat(path); err != nil {
				t.Errorf("%s: %v", p.name, err)
			} else if anchor != "" && !slices.Contains(anchors(readFileText(t, path)), anchor) {
				t.Errorf("%s: %s has no heading #%s", p.name, path, anchor)
			}
		}
	}
}

// anchors are the headings of a page as links name them.
func anchors(markdown string) (names []string) {
	for _, heading := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(markdown, -1) {
		name := regexp.MustCompile(`[^\pL\pN _-]`).ReplaceAllString(strings.ToLower(heading[1]), "")
		names = append(names, strings.ReplaceAll(name, " ", "-"))
	}
	return names
}

func readFileText(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	do(t, err)
	return string(text)
}
