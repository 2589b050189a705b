package declarative

import (
	"fmt"
	"regexp"
	"strings"
	"sync"
)

// compiledPatterns holds the Lua patterns of the schemas that were read; there
// are as many as plugins wrote down.
var compiledPatterns sync.Map // string -> *regexp.Regexp

// luaPattern turns a Lua pattern into a regular expression that matches the
// same strings. %b, %f and back-references have no equal there and are refused.
func luaPattern(pattern string) (*regexp.Regexp, error) {
	if re, ok := compiledPatterns.Load(pattern); ok {
		return re.(*regexp.Regexp), nil
	}
	var b strings.Builder
	b.WriteString(`(?s)`) // Lua's . matches a line break too
	inSet := false
	for i := 0; i < len(pattern); i++ {
		c := pattern[i]
		switch {
		case c == '%':
			if i++; i == len(pattern) {
				return nil, fmt.Errorf("the Lua pattern %q ends with %%", pattern)
			}
			class, err := luaClass(pattern[i], inSet)
			if err != nil {
				return nil, fmt.Errorf("the Lua pattern %q: %w", pattern, err)
			}
			b.WriteString(class)
		case inSet:
			switch c {
			case ']':
				inSet = false
				b.WriteByte(c)
			case '[', '\\', '&', '~':
				b.WriteString(`\` + string(c))
			default:
				b.WriteByte(c)
			}
		case c == '[':
			inSet = true
			b.WriteByte(c)
			if i+1 < len(pattern) && pattern[i+1] == '^' {
				b.WriteByte('^')
				i++
			}
			if i+1 < len(pattern) && pattern[i+1] == ']' { // the first ] is itself
				b.WriteString(`\]`)
				i++
			}
		case c == '-': // Lua's lazy repetition
			b.WriteString(`*?`)
		case c == '^' && i > 0, c == '$' && i < len(pattern)-1, strings.IndexByte(`{}|\`, c) >= 0:
			b.WriteString(`\` + string(c))
		case c == '$':
			b.WriteString(`\z`)
		default: // ( ) . * + ? and the leading ^ mean the same in both
			b.WriteByte(c)
		}
	}
	re, err := regexp.Compile(b.String())
	if err != nil {
		return nil, fmt.Errorf("the Lua pattern %q cannot be read: %w", pattern, err)
	}
	compiledPatterns.Store(pattern, re)
	return re, nil
}

var luaClasses = map[byte]string{
	'a': `[:alpha:]`, 'c': `[:cntrl:]`, 'd': `[:digit:]`, 'l': `[:lower:]`, 'p': `[:punct:]`,
	's': `[:space:]`, 'u': `[:upper:]`, 'w': `[:alnum:]`, 'x': `[:xdigit:]`, 'g': `[:graph:]`,
}

// luaClass is the expression for what follows a %.
func luaClass(c byte, inSet bool) (string, error) {
	class, ok := luaClasses[c|0x20]
	switch {
	case ok && c >= 'A' && c <= 'Z': // the complement
		class = strings.Replace(class, "[:", "[:^", 1)
	case ok:
	case c >= '0' && c <= '9' || c == 'b' || c == 'f':
		return "", fmt.Errorf("%%%c cannot be used here", c)
	case inSet:
		return `\` + string(c), nil
	default:
		return regexp.QuoteMeta(string(c)), nil
	}
	if !inSet {
		class = "[" + class + "]"
	}
	return class, nil
}
