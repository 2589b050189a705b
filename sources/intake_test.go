package sources

import (
	"context"
	"errors"

	"github.com/kong/keg"
)

// intake is a handler as a source's way in, which keeps no dead letters.
type intake keg.Handler

func (in intake) Publish(ctx context.Context, events ...*keg.Event) keg.Receipts {
	return in(ctx, events...)
}

func (intake) Abandon(context.Context, ...*keg.DeadLetter) error {
	return errors.New("this test keeps no dead letters")
}
