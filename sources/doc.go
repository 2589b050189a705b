// Package sources is where events come from beside Kong: listeners and
// subscriptions of KEG's own. A source decodes what arrives, hands it to a
// [keg.Intake], and tells the sender what that said; it knows nothing of
// routes and destinations, and never retries.
//
// In this version there is one, [HTTP]. [Parse] knows the names of the others,
// so that a setting made for them is told apart from a mistake.
package sources
