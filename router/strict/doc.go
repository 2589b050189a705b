// Package strict reads YAML and JSON into tagged Go structs, and forgives
// nothing silently: unknown and doubled keys, wrong types, values out of
// bounds and variables that are not set are all reported, all at once, each
// with its place and what to write instead. From the same tags it makes a JSON
// Schema, so that another program can refuse the same mistakes.
//
// It knows documents and tags. What a route is, or a destination, it does not
// know. Programming errors in tags panic on first use; documents never do.
//
// A field's tags:
//
//	keg:"name[,required][,split]"  the key; split: a list may be a string, cut at commas
//	doc:"One sentence."            for schemas
//	default:"text"                 set before decoding
//	enum:"a,b,c"                   the values that a string may have
//	min:"1" max:"9"                bounds of numbers and durations
//	ref:"name"                     in schemas: the definition of what a [Raw] holds
package strict
