package main

import (
	"context"
	"log/slog"

	"github.com/kong/keg/outbox"
	"github.com/kong/keg/outbox/embedded"
	"github.com/kong/keg/outbox/postgres"
)

// open opens the store. It blocks until that is done, ctx ends, or it cannot be.
func (s storeURL) open(ctx context.Context, log *slog.Logger, maxBytes int64) (outbox.Store, error) {
	if s.database != "" {
		return postgres.Open(ctx, s.database, postgres.Options{Log: log})
	}
	return embedded.Open(s.folder, embedded.Options{Log: log, MaxBytes: maxBytes})
}
