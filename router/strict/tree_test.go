package strict

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTree(t *testing.T) {
	d := NewDecoder("f", Options{
		LookupEnv: func(name string) (string, bool) { return "filled", name == "X" },
		ReadFile:  func(string) ([]byte, error) { return nil, errors.New("no file") },
	})
	for text, want := range map[string]struct {
		tree    any
		foreign bool
		problem string
	}{
		`{a: [1, 1.50, true, null, x, 2026-01-01], "b": {file: c}}`: {map[string]any{
			"a": []any{json.Number("1"), json.Number("1.50"), true, nil, "x", "2026-01-01"}, "b": map[string]any{"file": "c"},
		}, false, ""},
		`{a: ["${X}-y"]}`: {map[string]any{"a": []any{"filled-y"}}, true, ""},
		`{a: "$${X}"}`:    {map[string]any{"a": "${X}"}, false, ""},
		`{a: {b: 0x10}}`:  {nil, false, "f:1:9: a.b: must be a plain decimal number; write 0x10 in quotes to mean the text"},
		`{a: 1, a: 2}`:    {nil, false, "f:1:8: a: the key stands here twice; first on line 1"},
		`{a: ["${Y}"]}`:   {nil, false, "f:1:6: a[0]: the environment variable Y is not set; set it, or write ${Y:-default}"},
	} {
		p, err := Read("f", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		d.errs = nil
		tree, foreign, ok := d.Tree(p)
		if want.problem != "" {
			if err := d.Err(); err == nil || err.Error() != want.problem {
				t.Errorf("%s: %v", text, err)
			}
			continue
		}
		if diff := cmp.Diff(want.tree, tree); diff != "" || foreign != want.foreign || !ok {
			t.Errorf("%s: %v %v %s", text, foreign, ok, diff)
		}
	}
}

func TestFile(t *testing.T) {
	d := NewDecoder("f", Options{
		LookupEnv: func(name string) (string, bool) { return "s3cr3t", name == "X" },
		ReadFile: func(path string) ([]byte, error) {
			switch path {
			case "/dir/a":
				return []byte(" content \n"), nil
			case "/dir/large":
				return []byte(strings.Repeat("x", maxForeign+1)), nil
			}
			return nil, errors.New("open " + path + ": no such file")
		},
	})
	beside := func(path string) string { return "/dir/" + path }
	for text, want := range map[string]string{
		`a`:      "",
		`large`:  "f:1:1: cannot be read: the file is larger than 1048576 bytes",
		`b`:      "f:1:1: cannot be read: open /dir/b: no such file",
		`"${X}"`: "f:1:1: cannot be read: open /dir/***: no such file",
		`""`:     "f:1:1: must not be empty",
		`[a]`:    "f:1:1: must be a path, not a list",
	} {
		p, err := Read("f", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		d.errs, d.revealed = nil, nil
		content, path, ok := d.File(p, beside)
		if want == "" {
			if !ok || content != "content" || path.Value != "a" {
				t.Errorf("%q %+v %v", content, path, d.Err())
			}
			continue
		}
		if err := d.Err(); ok || err == nil || err.Error() != want {
			t.Errorf("%s: %v", text, err)
		}
	}
	if files := d.Files(); len(files) != 4 {
		t.Errorf("%q", files)
	}
}
