package server

import (
	"google.golang.org/protobuf/encoding/protowire"
)

// Entity is where the name of one of Kong's entities will be.
type Entity struct{ a *answer }

// Name returns the entity's name, or the id of one that has none; "" where
// there is no such entity. It need not be UTF-8.
func (e Entity) Name() string { return e.a.text }

// Consumer asks who has been authenticated, by username; nobody may have been.
// Kong allows it in phase access and later.
func (b *Batch) Consumer() Entity {
	return Entity{b.add("kong.client.get_consumer", readConsumer, nil)}
}

// Route asks which route the request has matched. Kong allows it in phase
// access and later.
func (b *Batch) Route() Entity { return Entity{b.add("kong.router.get_route", readNamed, nil)} }

// Service asks which service the route leads to; one may lead to none. Kong
// allows it in phase access and later.
func (b *Batch) Service() Entity { return Entity{b.add("kong.router.get_service", readNamed, nil)} }

// The field numbers of an entity's names: Consumer's username, and the name of
// Route and Service. The id is 1 in all of them.
const (
	entityID         = 1
	consumerUsername = 3
	entityName       = 4
)

func readConsumer(a *answer, frame []byte) error { return readEntity(a, frame, consumerUsername) }

func readNamed(a *answer, frame []byte) error { return readEntity(a, frame, entityName) }

// readEntity reads by hand, since one byte of a tag or a path that is not UTF-8
// would cost the generated code the whole answer.
func readEntity(a *answer, frame []byte, name protowire.Number) error {
	named := false
	return eachField(frame, func(f field) error {
		if f.wire != protowire.BytesType || len(f.bytes) == 0 {
			return nil
		}
		switch {
		case f.number == name:
			a.text, named = string(f.bytes), true
		case f.number == entityID && !named:
			a.text = string(f.bytes)
		}
		return nil
	})
}
