package pluginserver

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
)

const good = `{"Protocol":"ProtoBuf:1","SocketPath":"/x","Plugins":[{"Name":"p","Version":"1","Priority":0,"Phases":["access","log"],"Schema":{"name":"p","fields":[]}}]}`

func TestReadDump(t *testing.T) {
	without := func(member string) string { return strings.Replace(good, member, "", 1) }
	for name, c := range map[string]struct{ dump, problem string }{
		"good":                       {good, ""},
		"a line before it":           {"starting\n" + good, "printed no JSON document"},
		"a line after it":            {good + "\nbye", "standard output must hold nothing else"},
		"nothing":                    {"", "printed no JSON document"},
		"another protocol":           {strings.Replace(good, "ProtoBuf:1", "MsgPack:1", 1), `speaks the protocol "MsgPack:1"`},
		"no plugin":                  {`{"Protocol":"ProtoBuf:1","Plugins":[]}`, "tells of no plugin"},
		"another name":               {strings.Replace(good, `"Name":"p"`, `"Name":"q"`, 1), `its plugin is named "q", not "p"`},
		"no name":                    {without(`"Name":"p",`), "no Name"},
		"no version":                 {without(`"Version":"1",`), "no Version"},
		"no priority":                {without(`"Priority":0,`), "no Priority"},
		"no phases":                  {without(`"Phases":["access","log"],`), "no Phases"},
		"no schema":                  {without(`,"Schema":{"name":"p","fields":[]}`), "no Schema"},
		"a phase that Kong has not":  {strings.Replace(good, `"log"`, `"body"`, 1), `"body" is none of Kong's phases`},
		"only the first one counts":  {strings.Replace(good, `"fields":[]}}]`, `"fields":[]}},{"Name":"other"}]`, 1), ""},
		"several things at once":     {`{"Protocol":"ProtoBuf:1","Plugins":[{}]}`, "no Version"},
		"several things at once, 2":  {`{"Protocol":"ProtoBuf:1","Plugins":[{}]}`, "no Schema"},
		"a document that is no dump": {`[]`, "printed no JSON document"},
	} {
		t.Run(name, func(t *testing.T) {
			info, err := ReadDump("p", []byte(c.dump))
			switch {
			case c.problem == "" && err != nil:
				t.Error(err)
			case c.problem == "" && (info.Name != "p" || *info.Priority != 0):
				t.Errorf("%+v", info)
			case c.problem != "" && (err == nil || !strings.Contains(err.Error(), c.problem)):
				t.Errorf("the error is %v, want %q in it", err, c.problem)
			}
		})
	}
}

func TestQuery(t *testing.T) {
	for name, c := range map[string]struct{ script, problem, logged string }{
		"good":                       {"echo '" + good + "'", "", ""},
		"log lines to stderr":        {"echo noise >&2; echo '" + good + "'", "", "noise"},
		"the exit status is no sign": {"echo '" + good + "'; exit 3", "", ""},
		"it fails":                   {"echo 'cannot read /etc/x' >&2; exit 3", "exit status 3", "cannot read /etc/x"},
	} {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			_, err := Query(t.Context(), "p", []string{"sh", "-c", c.script}, slog.New(slog.NewTextHandler(&log, nil)))
			if c.problem == "" && err != nil || c.problem != "" && (err == nil || !strings.Contains(err.Error(), c.problem)) {
				t.Errorf("the error is %v, want %q", err, c.problem)
			}
			if !strings.Contains(log.String(), c.logged) {
				t.Errorf("the log says %s", log.String())
			}
		})
	}
	if _, err := Query(t.Context(), "p", []string{"/nowhere/at/all", "-dump"}, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "/nowhere/at/all -dump") {
		t.Errorf("a command that is not there: %v", err)
	}
}
