// Package dev holds what a first look needs beside KEG itself: an in-memory
// Kafka, an MQTT broker and a webhook receiver, all on loopback unless asked
// otherwise, and all gone when the process ends. It is for development: nothing
// here keeps an event, and `keg serve` starts none of it.
package dev
