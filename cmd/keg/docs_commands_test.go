package main

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// stubs stand for the programs that the docs run: each prints its name and its
// arguments, every one ended by a NUL, and a newline. A program that is none of
// them fails.
const stubs = `for program in curl docker deck keg kong kubectl kong/docker-entrypoint.sh; do
alias "$program=said $program"
done
said() { printf '%s\0' "$@"; echo; }
pwd() { echo /here; }
`

// commands has a shell read a block, and returns what it would run.
func commands(t *testing.T, block string) (run [][]string) {
	t.Helper()
	sh := exec.CommandContext(t.Context(), "/bin/dash", "-e", "-c", `eval "$1"; eval "$2"`, "dash", stubs, block)
	sh.Env = []string{"PATH=/nowhere"}
	out, err := sh.Output()
	if err != nil {
		t.Fatalf("%v in\n%s", err, block)
	}
	for said := range strings.SplitSeq(string(out), "\x00\n") {
		if said != "" {
			run = append(run, strings.Split(said, "\x00"))
		}
	}
	return run
}

func TestTheCommandsOfTheDocs(t *testing.T) {
	seen := map[string]int{}
	for _, p := range pages(t) {
		t.Run(filepath.Base(p.name), func(t *testing.T) {
			admin := docsAdmin(t)
			for _, block := range p.blocks("sh") {
				for _, command := range commands(t, block) {
					seen[command[0]]++
					if problem := commandProblem(t, admin, command); problem != "" {
						t.Errorf("%s: %q", problem, command)
					}
				}
			}
		})
	}
	if seen["curl"] < 3 || seen["deck"] < 3 || seen["docker"] < 3 {
		t.Errorf("few commands were seen: %v", seen)
	}
}

// commandProblem says what is wrong with a command of the docs.
func commandProblem(t *testing.T, admin string, command []string) string {
	t.Helper()
	program, args := command[0], command[1:]
	switch program {
	case "curl":
		return curlProblem(t, admin, args)
	case "keg":
		_, problem := runHere(t, append(slices.Clone(args), "--help")...)
		return problem
	case "docker":
		if args[0] == "exec" && args[2] == "keg" {
			return commandProblem(t, admin, args[2:])
		}
		if !slices.Contains([]string{"build", "compose", "exec", "run", "stop"}, args[0]) {
			return "docker has no such command"
		}
		for _, arg := range args {
			if name, _, ok := strings.Cut(arg, "="); ok && strings.HasPrefix(name, "KEG_") && !knownVariable(name) {
				return "keg knows no " + name
			}
		}
	case "deck":
		if !regexp.MustCompile(`^(gateway (dump|diff|sync|apply|validate)|file (add-plugins|validate|render))`).MatchString(strings.Join(args, " ")) {
			return "decK has no such command"
		}
	}
	return ""
}
