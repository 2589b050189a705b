package strict

import (
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"

	"gopkg.in/yaml.v3"
)

// Text is a string of a document, with what it stands for filled in.
type Text struct {
	Value string
	// Written is the text as the document has it: with ${NAME}, and a file as
	// its path.
	Written string
	// Filled tells that part of Value does not stand in the document as it
	// reads, so that it may spell a number or a boolean.
	Filled bool
	// Foreign tells that part of Value came from a variable or a file, and so
	// must not be shown.
	Foreign bool
}

// String is the text for messages, without what must not be shown.
func (t Text) String() string {
	if t.Foreign {
		return "what " + shown(t.Written) + " holds"
	}
	return quoted(t.Value)
}

// DidYouMean ends a message about a word that is none of the known ones.
func (t Text) DidYouMean(known []string) string {
	if t.Foreign {
		return ""
	}
	return didYouMean(t.Value, known)
}

// maxForeign bounds a variable's or a file's content.
const maxForeign = 1 << 20

type fileContent struct {
	text string
	err  error
}

func (o Options) orSystem() Options {
	if o.LookupEnv == nil {
		o.LookupEnv = os.LookupEnv
	}
	if o.ReadFile == nil {
		o.ReadFile = readFile
	}
	return o
}

// lookup finds what ${NAME} stands for.
func (o Options) lookup(name string) (string, bool) {
	if secret, ok := o.Secrets[name]; ok {
		return secret.Reveal(), true
	}
	return o.LookupEnv(name)
}

var errTooLarge = fmt.Errorf("the file is larger than %d bytes", maxForeign)

// readFile is os.ReadFile with a bound, since not every file ends.
func readFile(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxForeign+1))
	if len(text) > maxForeign {
		return nil, errTooLarge
	}
	return text, err
}

// Text reads a string: as it stands, with ${NAME} filled in from the
// secrets and the environment, or {file: path} for a file's content, trimmed.
// ${NAME:-default} is the default where the variable is not set, or empty, as
// shells have it. `$${` is a literal `${`.
func (d *Decoder) Text(p *Place) (Text, bool) { return d.text(p, false) }

func (d *Decoder) text(p *Place, secret bool) (Text, bool) {
	if p.IsMapping() {
		return d.fileText(p)
	}
	if p.node.Kind != yaml.ScalarNode {
		d.Fail(p, "must be a string, not %s", d.describe(p))
		return Text{}, false
	}
	switch p.node.Tag {
	case strTag, timeTag:
		return d.expand(p, p.node.Value)
	case nullTag:
		d.Fail(p, "must be a string, not null")
	default:
		if secret {
			d.Fail(p, "must be a string: put it in quotes")
		} else {
			d.Fail(p, "must be a string: write %s in quotes", shown(p.node.Value))
		}
	}
	return Text{}, false
}

// literal is Text for a value that is no string: it has tag, or is text that
// was filled in.
func (d *Decoder) literal(p *Place, tag, problem string) (Text, bool) {
	if p.IsMapping() {
		return d.fileText(p)
	}
	n := p.node
	switch {
	case n.Kind != yaml.ScalarNode:
	case n.Tag == strTag && (tag == strTag || strings.Contains(n.Value, "${")):
		return d.expand(p, n.Value)
	case n.Tag == tag && tag != strTag, tag != boolTag && tag != strTag && (n.Tag == intTag || n.Tag == numTag):
		return Text{Value: n.Value, Written: n.Value}, true
	}
	d.Fail(p, "%s, not %s", problem, d.describe(p))
	return Text{}, false
}

func (d *Decoder) fileText(p *Place) (Text, bool) {
	n := p.node
	if len(n.Content) != 2 || n.Content[0].Value != "file" {
		d.Fail(p, "must be a string, or {file: path}; not another mapping")
		return Text{}, false
	}
	at := p.member(n.Content[0], n.Content[1])
	if at.node.Kind != yaml.ScalarNode {
		d.Fail(&at, "must be a path, not %s", d.describe(&at))
		return Text{}, false
	}
	path, ok := d.Text(&at)
	if !ok {
		return Text{}, false
	}
	content := d.readFile(path.Value)
	if content.err != nil {
		d.Fail(&at, "%s", d.masked("cannot be read: "+content.err.Error()))
		return Text{}, false
	}
	if len(content.text) > maxForeign {
		d.Fail(&at, "cannot be read: %v", errTooLarge)
		return Text{}, false
	}
	d.reveal(content.text)
	return Text{Value: content.text, Written: "{file: " + path.Written + "}", Filled: true, Foreign: true}, true
}

func (d *Decoder) readFile(path string) fileContent {
	content, known := d.files[path]
	if !known {
		text, err := d.options.ReadFile(path)
		content = fileContent{strings.TrimSpace(string(text)), err}
		d.files[path] = content
	}
	return content
}

var variable = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

func (d *Decoder) expand(p *Place, written string) (Text, bool) {
	if !strings.Contains(written, "${") {
		return Text{Value: written, Written: written}, true
	}
	var b strings.Builder
	foreign := false
	for rest := written; ; {
		i := strings.Index(rest, "${")
		if i < 0 {
			b.WriteString(rest)
			break
		}
		if i > 0 && rest[i-1] == '$' {
			b.WriteString(rest[:i-1] + "${")
			rest = rest[i+2:]
			continue
		}
		b.WriteString(rest[:i])
		place, after, closed := strings.Cut(rest[i+2:], "}")
		name, fallback, hasFallback := strings.Cut(place, ":-")
		if !closed || !variable.MatchString(name) {
			d.Fail(p, "${ begins a variable's name, such as ${KAFKA_PASSWORD}; write $${ for a literal ${")
			return Text{}, false
		}
		value, set := d.options.lookup(name)
		fromFallback := hasFallback && value == ""
		if fromFallback {
			value, set = fallback, true
		}
		switch {
		case !set && d.options.Secrets != nil:
			d.Fail(p, "%s is neither among the secrets nor an environment variable; add it to secrets, or write ${%s:-default}", name, name)
			return Text{}, false
		case !set:
			d.Fail(p, "the environment variable %s is not set; set it, or write ${%s:-default}", name, name)
			return Text{}, false
		case len(value) > maxForeign || b.Len() > maxForeign:
			d.Fail(p, "is longer than %d bytes with its variables filled in", maxForeign)
			return Text{}, false
		}
		b.WriteString(value)
		rest = after
		if !fromFallback {
			d.reveal(value)
			foreign = true
		}
	}
	return Text{Value: b.String(), Written: written, Filled: true, Foreign: foreign}, true
}
