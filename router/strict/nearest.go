package strict

import (
	"slices"
	"strings"

	"github.com/agext/levenshtein"
)

// Nearest returns the known word that a misspelt one most likely meant, or ""
// where none is near.
func Nearest(word string, known []string) string {
	best, least := "", len(word)/3+2
	plain := normal(word)
	for _, candidate := range slices.Sorted(slices.Values(known)) {
		cost := levenshtein.Distance(plain, normal(candidate), nil)
		if cost < least && cost < len(candidate) {
			best, least = candidate, cost
		}
	}
	return best
}

// normal makes the difference between maxAttempts, max-attempts and
// max_attempts none.
func normal(word string) string {
	if len(word) > 64 {
		word = word[:64]
	}
	return strings.ToLower(strings.NewReplacer("-", "", "_", "", " ", "").Replace(word))
}

// didYouMean is the remedy that a message about an unknown word ends with.
func didYouMean(word string, known []string) string {
	if near := Nearest(word, known); near != "" {
		return ` (did you mean "` + near + `"?)`
	}
	return ""
}
