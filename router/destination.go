package router

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"

	"github.com/kong/keg"
	"github.com/kong/keg/router/strict"
)

// destinationKeys are the keys that every type of destination has; the rest,
// address among them, are its settings.
type destinationKeys struct {
	Type      string                `keg:"type,required" doc:"What kind of destination it is."`
	Name      string                `keg:"name" doc:"What people know the destination by; made from its address where absent."`
	Timeout   time.Duration         `keg:"timeout" min:"1ms" max:"1h" doc:"How long one attempt may take, such as 10s."`
	Retry     retryKeys             `keg:"retry" doc:"How deliveries are tried again."`
	Format    string                `keg:"format" enum:"binary,structured,raw" doc:"How the event is written: binary, structured or raw."`
	Headers   map[string]keg.Secret `keg:"headers" doc:"Headers that are added to what is sent."`
	Transform strict.Raw            `keg:"transform" doc:"What is sent instead of the event, after the route's own transform." ref:"transform"`
}

type retryKeys struct {
	MaxAttempts int           `keg:"max_attempts" min:"1" max:"1000" doc:"How often a delivery is tried in total, the first time included."`
	Backoff     time.Duration `keg:"backoff" min:"1ms" max:"1h" doc:"The longest first wait; it doubles each time."`
	MaxBackoff  time.Duration `keg:"max_backoff" min:"1ms" max:"24h" doc:"The longest wait."`
	MaxAge      time.Duration `keg:"max_age" min:"1s" max:"8760h" doc:"After how long a stored delivery is given up."`
}

// What holds where neither the document nor the options say.
const defaultTimeout = 10 * time.Second

func defaultRetry(attempts int) retryKeys {
	return retryKeys{MaxAttempts: attempts, Backoff: 200 * time.Millisecond, MaxBackoff: time.Minute, MaxAge: 24 * time.Hour}
}

// destinations is what the compiler knows of them before it has read one.
type destinations struct {
	types       []keg.DestinationType
	maxAttempts int
	shared      *strict.Place            // defaults: retry and timeout
	byType      map[string]*strict.Place // defaults: those of one type
}

// sharedKeys are the keys of `defaults` beside the types' names.
type sharedKeys struct {
	Timeout time.Duration `keg:"timeout" min:"1ms" max:"1h" doc:"How long one attempt may take, such as 10s."`
	Retry   retryKeys     `keg:"retry" doc:"How deliveries are tried again."`
}

func (c *compiler) defaults(p *strict.Place) {
	ds := &c.destinations
	ds.shared, ds.byType = p.Select("retry", "timeout"), map[string]*strict.Place{}
	c.Partial([]any{&sharedKeys{}}, ds.shared)
	known := append([]string{"retry", "timeout"}, ds.names()...)
	members := c.Members(p)
	for i := range members {
		m := &members[i]
		dt, ok := ds.find(m.Name())
		switch {
		case m.Name() == "retry" || m.Name() == "timeout" || m.IsNull():
		case !ok:
			c.FailUnknown(m, known)
		default:
			c.Partial([]any{&destinationKeys{}, dt.New()}, m)
			if at := m.Member("transform"); at != nil && !at.IsNull() {
				c.FailKey(at, "cannot be a default, which dead letters would inherit: give it to a route or a destination")
			}
			ds.byType[m.Name()] = m
		}
	}
}

func (ds *destinations) find(name string) (keg.DestinationType, bool) {
	for i := range ds.types {
		if ds.types[i].Name == name {
			return ds.types[i], true
		}
	}
	return keg.DestinationType{}, false
}

func (ds *destinations) names() []string {
	names := make([]string, len(ds.types))
	for i := range ds.types {
		names[i] = ds.types[i].Name
	}
	return names
}

// list reads destinations, each distinct one once. inherited is the route's
// part of their settings, or nil.
func (c *compiler) list(p, inherited *strict.Place) []*keg.Destination {
	before := c.Failed()
	items := c.Items(p)
	if len(items) == 0 && c.Failed() == before {
		c.Fail(p, "needs at least one destination")
	}
	list := make([]*keg.Destination, 0, len(items))
	for i := range items {
		d := c.destination(&items[i], inherited)
		if d == nil || slices.ContainsFunc(list, func(other *keg.Destination) bool { return same(d, other) }) {
			continue
		}
		c.unique(&items[i], d, list)
		list = append(list, d)
	}
	return list
}

// same tells whether two destinations are one place that gets one thing. Their
// transforms are still their own: the route's comes later.
func same(a, b *keg.Destination) bool {
	return a.Type == b.Type && a.Format == b.Format && reflect.DeepEqual(a.Headers, b.Headers) &&
		reflect.DeepEqual(a.Settings, b.Settings) && alike(a.Transform, b.Transform)
}

// unique sees to it that a name that was made is not another's; one that was
// given must not be.
func (c *compiler) unique(p *strict.Place, d *keg.Destination, others []*keg.Destination) {
	taken := func(name string) bool {
		return slices.ContainsFunc(others, func(o *keg.Destination) bool { return o.Name == name })
	}
	if !taken(d.Name) {
		return
	}
	if at := p.Member("name"); at != nil && !at.IsNull() {
		c.Fail(at, "another destination of this route has the same name")
		return
	}
	label := d.Name
	for i := 2; taken(d.Name); i++ {
		d.Name = fmt.Sprintf("%s #%d", label, i)
	}
}

func (c *compiler) destination(p, inherited *strict.Place) *keg.Destination {
	dt, ok := c.kind(p)
	if !ok {
		return nil
	}
	before := c.Failed()
	layers := make([]*strict.Place, 0, 4)
	for _, layer := range []*strict.Place{c.destinations.shared, c.destinations.byType[dt.Name], inherited, p} {
		if layer != nil && (layer == p || layer.Len() > 0) {
			layers = append(layers, layer)
		}
	}
	keys := destinationKeys{Timeout: defaultTimeout, Format: cmp.Or(string(dt.Format), string(keg.FormatBinary)), Retry: defaultRetry(c.destinations.maxAttempts)}
	settings := dt.New()
	c.Struct([]any{&keys, settings}, layers...)
	c.format(p, dt, keys.Format)
	c.headers(p, keys.Headers)
	if keys.Retry.MaxBackoff < keys.Retry.Backoff {
		keys.Retry.MaxBackoff = keys.Retry.Backoff
	}
	var transform keg.Transformer
	if keys.Transform.Set() {
		if t := c.transform(keys.Transform.Place); t != nil {
			transform = t
		}
	}
	if at := p.Member("name"); at != nil && (len(keys.Name) > maxName || hasControl(keys.Name)) {
		c.Fail(at, "must have at most %d bytes and no control characters", maxName)
	}
	if c.Failed() > before {
		return nil
	}
	if keys.Name == "" {
		keys.Name = c.made(settings.Label())
	}
	return &keg.Destination{
		Type: dt.Name, Name: keys.Name, Timeout: keys.Timeout, Retry: keg.Retry(keys.Retry),
		Format: keg.Format(keys.Format), Headers: keys.Headers, Settings: settings, Transform: transform,
	}
}

// made is the name of a destination or source that was given none. It shows
// the host, wherever that came from; what follows may be a token, as in many a
// webhook's path, and is not shown where a variable or a file gave it.
func (c *compiler) made(label string) string {
	scheme, rest, _ := strings.Cut(label, "://")
	host, path, found := strings.Cut(rest, "/")
	if !found {
		return label
	}
	return scheme + "://" + host + c.Masked("/"+path)
}

// kind finds the type of a destination, without which its other keys mean
// nothing.
func (c *compiler) kind(p *strict.Place) (keg.DestinationType, bool) {
	at, ok := c.kindOf(p, "destination", c.destinations.names())
	if !ok {
		return keg.DestinationType{}, false
	}
	return c.destinations.types[at], true
}

// kindOf finds which of the known types the `type` of something names.
func (c *compiler) kindOf(p *strict.Place, what string, known []string) (int, bool) {
	before := c.Failed()
	c.Members(p)
	if c.Failed() > before {
		return 0, false
	}
	at := p.Member("type")
	if at == nil || at.IsNull() {
		c.Fail(p, "needs a `type`: one of %s", strings.Join(known, ", "))
		return 0, false
	}
	text, ok := c.Text(at)
	if !ok {
		return 0, false
	}
	i := slices.Index(known, text.Value)
	if i < 0 {
		c.Fail(at, "unknown type of %s, %s: known are %s%s", what, text, strings.Join(known, ", "), text.DidYouMean(known))
	}
	return i, i >= 0
}

func (c *compiler) format(p *strict.Place, dt keg.DestinationType, format string) {
	if len(dt.Formats) == 0 || slices.Contains(dt.Formats, keg.Format(format)) {
		return
	}
	at := p.Member("format")
	if at == nil {
		at = p
	}
	c.Fail(at, "%s destinations have no format %s: use one of %s", dt.Name, format, strings.Join(words(dt.Formats), ", "))
}

func (c *compiler) headers(p *strict.Place, headers map[string]keg.Secret) {
	at := p.Member("headers")
	if at == nil {
		at = p
	}
	lower := map[string]string{}
	for name, value := range headers {
		switch other, twice := lower[strings.ToLower(name)]; {
		case !httpguts.ValidHeaderFieldName(name):
			c.Fail(at, "%q is no name of a header", name)
		case !httpguts.ValidHeaderFieldValue(value.Reveal()):
			c.Fail(at, "the value of the header %s has a character that no header may have, such as a line break", name)
		case twice:
			c.Fail(at, "the header %s stands here twice, also as %s", name, other)
		}
		lower[strings.ToLower(name)] = name
	}
}
