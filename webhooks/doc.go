// Package webhooks tells whether a request comes from the provider that it
// claims: it verifies the signatures of Standard Webhooks, GitHub, Stripe and
// Slack, and of whoever else signs a body with an HMAC, and says by which names
// the provider calls the event.
//
// It knows headers and bodies and no way in: no Kong, no HTTP, no answers. It
// compares in constant time, bounds all that a stranger chooses, and puts
// neither a secret nor a signature into an error.
package webhooks
