// Package router reads routes.yaml and says which routes an event takes, and
// why. A table is compiled once and never changes: any number of goroutines
// may match against it. Matching is pure; nothing here dials, sends or waits.
//
// What can be matched and how is told in match.go and operator.go; what a
// destination is made of, its type says ([keg.DestinationType]), and the
// package knows no type by name. Wrong files are reported whole: every problem
// with its file, line and column.
package router
