package image

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/linter"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"
)

const root = "../.."

func do(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func open(t *testing.T, name string) *os.File {
	t.Helper()
	file, err := os.Open(filepath.Join(root, name))
	do(t, err)
	t.Cleanup(func() { file.Close() })
	return file
}

// dockerfile is its stages; what BuildKit's linter says of it is a failure.
func dockerfile(t *testing.T) []instructions.Stage {
	t.Helper()
	parsed, err := parser.Parse(open(t, "Dockerfile"))
	do(t, err)
	for _, w := range parsed.Warnings {
		t.Errorf("Dockerfile: %s", w.Short)
	}
	lint := linter.New(&linter.Config{Warn: func(rule, _, _, message string, _ []parser.Range) {
		t.Errorf("Dockerfile: %s: %s", rule, message)
	}})
	stages, _, err := instructions.Parse(parsed.AST, lint)
	do(t, err)
	return stages
}

// all are a stage's commands of one kind.
func all[C instructions.Command](s instructions.Stage) (found []C) {
	for _, c := range s.Commands {
		if c, ok := c.(C); ok {
			found = append(found, c)
		}
	}
	return found
}

func last[C instructions.Command](t *testing.T, s instructions.Stage) (c C) {
	t.Helper()
	found := all[C](s)
	if len(found) == 0 {
		t.Fatalf("the stage from %s has no %T", s.BaseName, c)
	}
	return found[len(found)-1]
}

func TestTheStages(t *testing.T) {
	stages := dockerfile(t)
	if len(stages) != 2 {
		t.Fatalf("%d stages", len(stages))
	}
	mod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	do(t, err)
	language := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindSubmatch(mod)[1]
	if builder := regexp.MustCompile(`^golang:(\d+\.\d+)\.\d+$`).FindStringSubmatch(stages[0].BaseName); builder == nil || builder[1] != string(language) {
		t.Errorf("the builder is %s, and go.mod is of Go %s", stages[0].BaseName, language)
	}
	final := stages[1]
	if final.BaseName != "kong:3.9" {
		t.Errorf("the image is made from %s", final.BaseName)
	}
	if user := last[*instructions.UserCommand](t, final).User; user != "kong" {
		t.Errorf("it runs as %s", user)
	}
	if health := last[*instructions.HealthCheckCommand](t, final).Health; !strings.Contains(strings.Join(health.Test, " "), "keg health") || health.StartPeriod == 0 || health.Retries == 0 {
		t.Errorf("its health check is %+v", health)
	}
	if signal := last[*instructions.StopSignalCommand](t, final).Signal; signal != "SIGTERM" {
		t.Errorf("it is stopped by %s, which the entrypoint does not know", signal)
	}
	ports := last[*instructions.ExposeCommand](t, final).Ports
	for _, port := range []string{"8000", "8001", "8443", "8444"} {
		if !slices.Contains(ports, port) {
			t.Errorf("%s is not exposed: %q", port, ports)
		}
	}
	if c := last[*instructions.CmdCommand](t, final); c.PrependShell || !slices.Equal(c.CmdLine, []string{"kong", "docker-start"}) {
		t.Errorf("CMD %q", c.CmdLine)
	}
	entry := last[*instructions.EntrypointCommand](t, final)
	if entry.PrependShell || len(entry.CmdLine) != 1 || copiedTo(final)[entry.CmdLine[0]] != "kong/docker-entrypoint.sh" {
		t.Errorf("ENTRYPOINT %q, and the copies are %v", entry.CmdLine, copiedTo(final))
	}
	info, err := os.Stat(filepath.Join(root, "kong/docker-entrypoint.sh"))
	do(t, err)
	if info.Mode().Perm()&0o111 != 0o111 {
		t.Errorf("the entrypoint's mode is %v", info.Mode())
	}
}

// copiedTo is what a stage copies, by where it goes.
func copiedTo(s instructions.Stage) map[string]string {
	copies := map[string]string{}
	for _, c := range all[*instructions.CopyCommand](s) {
		copies[c.DestPath] = strings.Join(c.SourcePaths, " ")
	}
	return copies
}

// A secret in an ENV or an ARG is in the image for all who have it, for ever.
func TestNoSecretIsInTheImage(t *testing.T) {
	secret := regexp.MustCompile(`(?i)password|secret|token|key`)
	for _, stage := range dockerfile(t) {
		for _, c := range all[*instructions.EnvCommand](stage) {
			for _, variable := range c.Env {
				if secret.MatchString(variable.Key) {
					t.Errorf("ENV %s", variable.Key)
				}
			}
		}
		for _, c := range all[*instructions.ArgCommand](stage) {
			for _, argument := range c.Args {
				if secret.MatchString(argument.Key) {
					t.Errorf("ARG %s", argument.Key)
				}
			}
		}
	}
}

func ignored(t *testing.T) *patternmatcher.PatternMatcher {
	t.Helper()
	patterns, err := ignorefile.ReadAll(open(t, ".dockerignore"))
	do(t, err)
	matcher, err := patternmatcher.New(patterns)
	do(t, err)
	return matcher
}

func TestWhatIsCopiedIsThere(t *testing.T) {
	skip := ignored(t)
	for _, stage := range dockerfile(t) {
		for _, c := range all[*instructions.CopyCommand](stage) {
			if c.From != "" {
				continue
			}
			for _, source := range c.SourcePaths {
				if _, err := os.Stat(filepath.Join(root, source)); err != nil {
					t.Errorf("COPY %s: %v", source, err)
				}
				if out, err := skip.MatchesOrParentMatches(source); err != nil || out {
					t.Errorf("COPY %s: .dockerignore leaves it out (%v)", source, err)
				}
			}
		}
	}
}

// TestTheBuildGetsItsSources: every file that `go build ./cmd/keg` reads of this
// repository is in the context, and what is large or private is not.
func TestTheBuildGetsItsSources(t *testing.T) {
	skip := ignored(t)
	cmd := exec.CommandContext(t.Context(), "go", "list", "-deps", "-json=Dir,Module,GoFiles,SFiles,EmbedFiles", "./cmd/keg")
	cmd.Dir = root
	out, err := cmd.Output()
	do(t, err)
	top, err := filepath.Abs(root)
	do(t, err)
	seen := 0
	for decoder := json.NewDecoder(strings.NewReader(string(out))); decoder.More(); {
		var pkg struct {
			Dir                         string
			Module                      *struct{ Main bool }
			GoFiles, SFiles, EmbedFiles []string
		}
		do(t, decoder.Decode(&pkg))
		if pkg.Module == nil || !pkg.Module.Main {
			continue
		}
		for _, name := range slices.Concat(pkg.GoFiles, pkg.SFiles, pkg.EmbedFiles) {
			file, err := filepath.Rel(top, filepath.Join(pkg.Dir, name))
			do(t, err)
			if out, err := skip.MatchesOrParentMatches(file); err != nil || out {
				t.Errorf(".dockerignore leaves %s out (%v)", file, err)
			}
			seen++
		}
	}
	if seen < 100 {
		t.Errorf("only %d files of the build were looked at", seen)
	}
	for _, file := range []string{".git/config", ".env", "bin/keg", "keg-data/LOCK", "cmd/keg/main_test.go", "hub/testdata/x"} {
		if out, err := skip.MatchesOrParentMatches(file); err != nil || !out {
			t.Errorf("%s is sent to the build (%v)", file, err)
		}
	}
}

// TestTheImagesKongConf runs the builder's sed: the image's kong.conf, which
// Kong's commands read that somebody runs beside the entrypoint, names the same
// socket as the entrypoint and starts no second keg.
func TestTheImagesKongConf(t *testing.T) {
	var line string
	for _, c := range all[*instructions.RunCommand](dockerfile(t)[0]) {
		if text := strings.Join(c.CmdLine, " "); strings.Contains(text, "kong.conf") {
			line = strings.Replace(text, ">/kong.conf", "", 1)
		}
	}
	cmd := exec.CommandContext(t.Context(), "sh", "-c", line)
	cmd.Dir = root
	conf, err := cmd.Output()
	do(t, err)
	sockets := regexp.MustCompile(`(?m)^pluginserver_\w+_socket = (.*)$`).FindAllStringSubmatch(string(conf), -1)
	if len(sockets) != 4 || strings.Contains(string(conf), "_start_cmd =") || strings.Contains(string(conf), "log_level =") {
		t.Errorf("%d sockets:\n%s", len(sockets), conf)
	}
	for _, socket := range sockets {
		if socket[1] != "/usr/local/kong/keg/keg.socket" {
			t.Errorf("a socket at %s", socket[1])
		}
	}
	entrypoint, err := os.ReadFile(filepath.Join(root, "kong/docker-entrypoint.sh"))
	do(t, err)
	for _, line := range []string{"prefix=${KONG_PREFIX:-/usr/local/kong}\n", `: "${KEG_SOCKET:=$prefix/keg/keg.socket}"` + "\n"} {
		if !strings.Contains(string(entrypoint), line) {
			t.Errorf("the entrypoint has another socket: no %q", line)
		}
	}
}
