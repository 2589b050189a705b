package cloudevents

import (
	"time"

	"github.com/kong/keg"
)

// assign sets the attribute of that name from its canonical string (CloudEvents,
// section 3.1). Names and text are judged later, by [keg.Event.Validate].
func assign(e *keg.Event, name, value string) error {
	switch name {
	case "specversion":
		if value != keg.SpecVersion {
			return &keg.InvalidError{Attribute: name, Problem: `must be "` + keg.SpecVersion + `", the one version that KEG reads`}
		}
	case "id":
		e.ID = value
	case "source":
		e.Source = value
	case "type":
		e.Type = value
	case "subject":
		e.Subject = value
	case "datacontenttype":
		e.DataContentType = value
	case "dataschema":
		e.DataSchema = value
	case "time":
		t, err := time.Parse(time.RFC3339Nano, value)
		if err != nil {
			return &keg.InvalidError{Attribute: name, Problem: "must be a time of RFC 3339, such as 2026-01-31T12:00:00Z"}
		}
		e.Time = t
	default:
		if len(name) > maxExtensionName {
			return &keg.InvalidError{Attribute: name[:maxExtensionName], Problem: "begins the name of an extension that is too long"}
		}
		if e.Extensions == nil {
			e.Extensions = make(map[string]string, 4)
		}
		e.Extensions[name] = value
		if len(e.Extensions) > maxExtensions {
			return &keg.TooLargeError{What: "event's set of extensions", Limit: maxExtensions, Unit: "attributes"}
		}
	}
	return nil
}

// missing says that an event's required attribute is not there.
func missing(name string) error {
	return &keg.InvalidError{Attribute: name, Problem: "is required and is missing"}
}
