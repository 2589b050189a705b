package attempt

import (
	"context"
	"errors"
	"os"
)

func isTimeout(err error) bool {
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded)
}

func isCanceled(err error) bool { return errors.Is(err, context.Canceled) }
