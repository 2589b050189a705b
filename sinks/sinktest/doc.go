// Package sinktest is the suite that every type of destination passes: what
// [keg.Sink] promises, tried against a server whose network the test holds in
// its hand. A type's test starts a server behind a [Wire], describes it as a
// [Target], and calls [Run].
package sinktest
