package main

import (
	"encoding/json"
	"net/url"
	"os/exec"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/kong/keg/kong/gateway/declarative"
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
	loader := docsLoader(t)
	seen := map[string]int{}
	for _, p := range pages(t) {
		for _, block := range p.blocks("sh") {
			for _, command := range commands(t, block) {
				seen[command[0]]++
				if problem := commandProblem(t, loader, command); problem != "" {
					t.Errorf("%s: %s: %q", p.name, problem, command)
				}
			}
		}
	}
	if seen["curl"] < 3 || seen["deck"] < 3 || seen["docker"] < 3 {
		t.Errorf("few commands were seen: %v", seen)
	}
}

// commandProblem says what is wrong with a command of the docs.
func commandProblem(t *testing.T, loader *declarative.Loader, command []string) string {
	t.Helper()
	program, args := command[0], command[1:]
	switch program {
	case "curl":
		return curlProblem(t, loader, args)
	case "keg":
		if status, _, stderr := runKeg(t, nil, append(slices.Clone(args), "--help")...); status != 0 {
			return stderr
		}
	case "docker":
		if args[0] == "exec" && args[2] == "keg" {
			return commandProblem(t, loader, args[2:])
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

// curlProblem checks what a curl sends to the Admin API, or to the gateway.
func curlProblem(t *testing.T, loader *declarative.Loader, args []string) string {
	t.Helper()
	var target *url.URL
	form, body := url.Values{}, ""
	for i := 0; i < len(args); i++ {
		switch arg := args[i]; arg {
		case "-i", "-s":
		case "-X", "-H", "-F":
			i++
		case "-d":
			i++
			if body = args[i]; strings.HasPrefix(body, "{") {
				continue
			}
			values, err := url.ParseQuery(body)
			do(t, err)
			for name, value := range values {
				form[name] = append(form[name], value...)
			}
		default:
			var err error
			if target, err = url.Parse("http://" + arg); err != nil || strings.HasPrefix(arg, "-") {
				return "what is " + arg + "?"
			}
		}
	}
	var sent map[string]any
	if strings.HasPrefix(body, "{") {
		if err := json.Unmarshal([]byte(body), &sent); err != nil {
			return err.Error()
		}
	}
	if target.Port() != "8001" {
		return ""
	}
	if base := path.Base(target.Path); base != "plugins" && base != "validate" {
		if !regexp.MustCompile(`^/(routes|services|config|status)`).MatchString(target.Path) {
			return "the Admin API has no such place"
		}
		return ""
	}
	if sent == nil {
		sent = fromForm(form)
	}
	return pluginProblem(t, loader, sent)
}

// fromForm is the entity of a form such as name=x&config.status_code=202.
func fromForm(form url.Values) map[string]any {
	entity := map[string]any{}
	for name, values := range form {
		into := entity
		parts := strings.Split(name, ".")
		for _, part := range parts[:len(parts)-1] {
			if into[part] == nil {
				into[part] = map[string]any{}
			}
			into = into[part].(map[string]any)
		}
		var value any = values[0]
		if json.Valid([]byte(values[0])) {
			_ = json.Unmarshal([]byte(values[0]), &value)
		}
		into[parts[len(parts)-1]] = value
	}
	return entity
}
