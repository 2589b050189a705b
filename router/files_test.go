package router

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Secrets are mounted as links to files that end with a line break.
func TestFilesOfTheRealFileSystem(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "..data"), []byte("s3cr3t\r\n\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "password")
	if err := os.Symlink("..data", link); err != nil {
		t.Fatal(err)
	}
	table, err := Parse("f.yaml", []byte("routes: [{name: a, match: {}, destinations: [{type: kafka, address: 'a:1', topic: t, password: {file: '"+link+"'}}]}]"), Options{Types: known})
	if err != nil {
		t.Fatal(err)
	}
	if got := table.Routes()[0].Destinations[0].Settings.(*stream).Password.Reveal(); got != "s3cr3t" {
		t.Errorf("%q", got)
	}
	for path, want := range map[string]string{
		"/dev/zero": "the file is larger than 1048576 bytes",
		dir:         "is a directory",
	} {
		_, err := Parse("f.yaml", []byte("routes: [{name: a, match: {}, destinations: [{type: kafka, address: 'a:1', topic: {file: '"+path+"'}}]}]"), Options{Types: known})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", path, err)
		}
	}
}
