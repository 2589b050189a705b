package outbox

import "time"

// UnseenAge changes after how long what waits for a table expires.
func (d *Dispatcher) UnseenAge(age time.Duration) { d.unseen.age = age }
