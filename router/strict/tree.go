package strict

import (
	"encoding/json"
	"fmt"

	"gopkg.in/yaml.v3"
)

// Tree reads a value as encoding/json does with UseNumber, whatever it is; in
// its strings variables are filled in, and foreign tells that one was. A
// mapping is never a {file: path}. ok is false where a problem was noted.
func (d *Decoder) Tree(p *Place) (tree any, foreign, ok bool) {
	switch {
	case p.IsMapping():
		members := d.Members(p)
		object := make(map[string]any, len(members))
		ok = true
		for i := range members {
			value, filled, good := d.Tree(&members[i])
			object[members[i].name] = value
			foreign, ok = foreign || filled, ok && good
		}
		return object, foreign, ok
	case p.IsList():
		items := d.Items(p)
		list := make([]any, len(items))
		ok = true
		for i := range items {
			value, filled, good := d.Tree(&items[i])
			list[i] = value
			foreign, ok = foreign || filled, ok && good
		}
		return list, foreign, ok
	}
	scalar, ok := d.Scalar(p)
	switch {
	case !ok:
		return nil, false, false
	case scalar.Kind == Null:
		return nil, false, true
	case scalar.Kind == Bool:
		return scalar.Value == "true", false, true
	case scalar.Kind == Num:
		if !decimal.MatchString(scalar.Value) {
			d.Fail(p, "must be a plain decimal number; write %s in quotes to mean the text", scalar)
			return nil, false, false
		}
		return json.Number(scalar.Value), false, true
	}
	return scalar.Value, scalar.Foreign, true
}

// File reads the file that a string names, its place resolved by resolve, with
// the bound that every file here has. What it holds counts as no secret. It
// notes a problem and returns false where it cannot.
func (d *Decoder) File(p *Place, resolve func(path string) string) (text string, path Text, ok bool) {
	if p.node.Kind != yaml.ScalarNode {
		d.Fail(p, "must be a path, not %s", d.describe(p))
		return "", Text{}, false
	}
	if path, ok = d.Text(p); !ok {
		return "", Text{}, false
	}
	if path.Value == "" {
		d.Fail(p, "must not be empty")
		return "", Text{}, false
	}
	content := d.readFile(resolve(path.Value))
	if content.err == nil && len(content.text) > maxForeign {
		content.err = errTooLarge
	}
	if content.err != nil {
		d.Fail(p, "%s", d.masked(fmt.Sprintf("cannot be read: %v", content.err)))
		return "", Text{}, false
	}
	return content.text, path, true
}

// Files lists the files that were read so far, in no order.
func (d *Decoder) Files() []string {
	files := make([]string, 0, len(d.files))
	for path := range d.files {
		files = append(files, path)
	}
	return files
}
