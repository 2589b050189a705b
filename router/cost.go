package router

import (
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
)

// bySize prices a call by the bytes and items that it may have to go through.
// CEL's own prices take a value whose type is known only at run time, as all of
// data is, for a small one.
type bySize struct{}

func (bySize) CallCost(function, _ string, args []ref.Val, result ref.Val) *uint64 {
	cost := size(result)
	for _, arg := range args {
		cost += size(arg)
	}
	if function == "matches" {
		cost *= 16 // a regular expression keeps many threads
	}
	cost++
	return &cost
}

func size(v ref.Val) uint64 {
	switch v := v.(type) {
	case types.String:
		return uint64(len(v)) / 32
	case types.Bytes:
		return uint64(len(v)) / 32
	case traits.Sizer:
		if n, ok := v.Size().(types.Int); ok {
			return uint64(n)
		}
	}
	return 0
}
