package server

import "time"

var began = time.Now()

// now is time.Now at half its price, which an event pays three times: it reads
// only the clock that deadlines are measured by, not the one on the wall. So
// nothing here changes where somebody sets the latter.
func now() time.Time { return began.Add(time.Since(began)) }
