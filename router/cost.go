package router

import (
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
)

// bySize prices a call by all the bytes and items that it may have to go
// through. CEL's own prices take a value whose type is known only at run time,
// as all of data is, for a small one. Prices do not depend on the machine or
// on its load: an event that was routed once is routed again.
type bySize struct{}

func (bySize) CallCost(function, _ string, args []ref.Val, result ref.Val) *uint64 {
	cost := uint64(1)
	for _, arg := range args {
		// What a macro such as filter collects into is added to in place.
		if _, growing := arg.(traits.MutableLister); !growing {
			cost += size(arg)
		}
	}
	switch function {
	case "matches":
		cost *= 16 // a regular expression keeps many threads
	case "_+_":
		cost *= 2 // both sides are copied
	}
	return &cost
}

// Bytes of text that cost as much as one item.
const bytesAnItem = 32

func size(v ref.Val) uint64 {
	left := int64(maxCost)
	walkSize(v.Value(), &left)
	return uint64(maxCost - max(left, 0))
}

// walkSize takes the size of a value from left, and stops where none is left.
func walkSize(v any, left *int64) {
	*left--
	switch v := v.(type) {
	case string:
		*left -= int64(len(v) / bytesAnItem)
	case []byte:
		*left -= int64(len(v) / bytesAnItem)
	case ref.Val:
		*left++
		walkSize(v.Value(), left)
	case []any:
		for i := 0; i < len(v) && *left > 0; i++ {
			walkSize(v[i], left)
		}
	case []ref.Val:
		for i := 0; i < len(v) && *left > 0; i++ {
			walkSize(v[i], left)
		}
	case map[string]any:
		for name, item := range v {
			if *left -= int64(len(name) / bytesAnItem); *left <= 0 {
				return
			}
			walkSize(item, left)
		}
	case map[ref.Val]ref.Val:
		for _, item := range v {
			if *left <= 0 {
				return
			}
			walkSize(item, left)
		}
	case map[string]string:
		*left -= int64(len(v))
	}
}
