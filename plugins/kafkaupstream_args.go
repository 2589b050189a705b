package plugins

import "strings"

// arg is one argument of a query or a form, with its values in order. A nil value
// is none at all, "?flag", which is not the empty one of "?flag=".
type arg struct {
	name   string
	values []*string
}

// argList gathers arguments by name, in the order of their first coming.
type argList struct {
	list []arg
	at   map[string]int
}

func (l *argList) add(name string, value *string) {
	i, ok := l.at[name]
	if !ok {
		if l.at == nil {
			l.at = map[string]int{}
		}
		i = len(l.list)
		l.at[name] = i
		l.list = append(l.list, arg{name: name})
	}
	l.list[i].values = append(l.list[i].values, value)
}

// parseArgs reads a query, or a form's body, as nginx does: an argument without a
// name is none, and an escape that is none stays as it is.
func parseArgs(query string) []arg {
	args := argList{list: []arg{}}
	eachArg(query, func(name string, value *string) bool {
		args.add(name, value)
		return true
	})
	return args.list
}

// firstArg is the first value of an argument, "" where it has none.
func firstArg(query, wanted string) (first string) {
	eachArg(query, func(name string, value *string) bool {
		if name == wanted && value != nil {
			first = *value
			return false
		}
		return true
	})
	return first
}

func eachArg(query string, yield func(name string, value *string) bool) {
	for part := range strings.SplitSeq(query, "&") {
		name, value, valued := strings.Cut(part, "=")
		if name = unescape(name); name == "" {
			continue
		}
		var v *string
		if valued {
			value = unescape(value)
			v = &value
		}
		if !yield(name, v) {
			return
		}
	}
}
