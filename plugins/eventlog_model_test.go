package plugins

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// treePath is the place of a value in a tree: names of members, and numbers of elements.
type treePath []any

// matches is what a path means, said once more and slowly.
func matches(path []segment, at treePath) bool {
	if len(path) == 0 || len(at) == 0 {
		return len(path) == 0 && len(at) == 0
	}
	switch step := at[0].(type) {
	case string:
		return (path[0].any || strings.EqualFold(path[0].name, step)) && matches(path[1:], at[1:])
	case int:
		if path[0].any || path[0].index {
			return (path[0].any || path[0].name == strconv.Itoa(step)) && matches(path[1:], at[1:])
		}
		return matches(path, at[1:])
	}
	return false
}

func redactTree(v any, paths [][]segment, at treePath) any {
	for _, path := range paths {
		if matches(path, at) {
			return redacted
		}
	}
	below := func(step any) treePath { return append(append(treePath{}, at...), step) }
	switch v := v.(type) {
	case map[string]any:
		for name := range v {
			v[name] = redactTree(v[name], paths, below(name))
		}
	case []any:
		for i := range v {
			v[i] = redactTree(v[i], paths, below(i))
		}
	}
	return v
}

// TestRedactionAgainstAModel takes random trees, and paths that fit them now
// and then.
func TestRedactionAgainstAModel(t *testing.T) {
	const seed = 7
	r := rand.New(rand.NewPCG(seed, seed))
	names := []string{"a", "B", "0", "1", "request", "querystring", "é", `"\`}
	var tree func(depth int) any
	tree = func(depth int) any {
		switch n := r.IntN(8); {
		case depth == 0 || n < 2:
			return fmt.Sprint("v", n)
		case n < 4:
			list := []any{}
			for range r.IntN(4) {
				list = append(list, tree(depth-1))
			}
			return list
		}
		object := map[string]any{}
		for range r.IntN(5) {
			object[names[r.IntN(len(names))]] = tree(depth - 1)
		}
		return object
	}
	steps := append([]string{"*", "*", "b", `\"\\`}, names[:7]...)
	hits := 0
	for n := range 2000 {
		root := map[string]any{}
		for _, name := range names {
			root[name] = tree(4)
		}
		var paths []string
		for range 1 + r.IntN(3) {
			var path []string
			for range 1 + r.IntN(4) {
				path = append(path, steps[r.IntN(len(steps))])
			}
			paths = append(paths, strings.Join(path, "."))
		}
		text, err := json.Marshal(root)
		if err != nil {
			t.Fatal(err)
		}
		redact, err := parseRedactions(paths)
		if err != nil {
			t.Fatal(err)
		}
		rules := newEntryRules(redact, nil)
		got, err := rules.read(text)
		if err != nil {
			t.Fatalf("%d: %v", n, err)
		}
		var result any
		if err := json.Unmarshal(got.data, &result); err != nil {
			t.Fatalf("%d: %v: %s", n, err, got.data)
		}
		hits += strings.Count(string(got.data), redacted)
		if diff := cmp.Diff(redactTree(root, redact, nil), result); diff != "" {
			t.Fatalf("%d: paths %q of %s: %s", n, paths, text, diff)
		}
	}
	if hits < 2000 {
		t.Errorf("only %d values were redacted", hits)
	}
}
