package main

import (
	"strings"
	"testing"
)

func TestStoreURLs(t *testing.T) {
	for text, want := range map[string]storeURL{
		"file:///var/lib/keg":          {folder: "/var/lib/keg"},
		"file:keg-data":                {folder: "keg-data"},
		"file:my%20data":               {folder: "my data"},
		"./keg-data":                   {folder: "./keg-data"},
		"/var/lib/keg":                 {folder: "/var/lib/keg"},
		"postgres://keg:s3cret@db/keg": {database: "postgres://keg:s3cret@db/keg"},
		"postgres://db/keg?user=keg&password=s3cret": {database: "postgres://db/keg?user=keg&password=s3cret"},
		"postgresql://db/keg?sslmode=verify":         {database: "postgresql://db/keg?sslmode=verify"},
	} {
		got, err := parseStoreURL(text)
		if err != nil || got != want {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
		if strings.Contains(got.String(), "s3cret") {
			t.Errorf("%s shows its password", got)
		}
	}
	for text, want := range map[string]string{
		"file://var/lib/keg":          "file:///var/lib/keg",
		"file:":                       "names no folder",
		"file:///x?sync=no":           "takes no parameters",
		"mysql://keg:s3cret@db/keg":   `"mysql"`,
		"post gres://keg:s3cret@db/x": "no URL",
		"":                            "scheme",
	} {
		_, err := parseStoreURL(text)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%q: %v", text, err)
		}
	}
}
