package main

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// storeURL is KEG_PERSISTENCE_URL, read.
type storeURL struct {
	// folder is that of the embedded store; "" where it is a database.
	folder string
	// database is a postgres:// URL, with its password.
	database string
}

const storeForms = "write file:///folder for the embedded store, or postgres://user:password@host/database"

// parseStoreURL reads it. Its error does not repeat the text, which may hold a
// password.
func parseStoreURL(text string) (storeURL, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return storeURL{}, errors.New("is no URL; " + storeForms)
	case u.Scheme == "file" && u.Host != "":
		return storeURL{}, fmt.Errorf("names the host %q; a folder of this machine has three slashes: file:///%s%s", u.Host, u.Host, u.Path)
	case u.Scheme == "file" && (u.RawQuery != "" || u.Fragment != ""):
		return storeURL{}, errors.New("takes no parameters; " + storeForms)
	case u.Scheme == "file" && u.Path+u.Opaque == "":
		return storeURL{}, errors.New("names no folder; " + storeForms)
	case u.Scheme == "file" && u.Opaque != "": // file:keg-data
		folder, err := url.PathUnescape(u.Opaque)
		return storeURL{folder: folder}, err
	case u.Scheme == "file":
		return storeURL{folder: u.Path}, nil
	case u.Scheme == "postgres", u.Scheme == "postgresql":
		return storeURL{database: text}, nil
	case u.Scheme == "" && (strings.HasPrefix(text, "/") || strings.HasPrefix(text, ".")):
		return storeURL{folder: text}, nil
	}
	return storeURL{}, fmt.Errorf("has the scheme %q, and no store does; %s", u.Scheme, storeForms)
}

// String names the store without its password, and without parameters, one of
// which may be a password too.
func (s storeURL) String() string {
	if s.database == "" {
		return s.folder
	}
	u, err := url.Parse(s.database)
	if err != nil {
		return "the database"
	}
	u.RawQuery, u.Fragment = "", ""
	return u.Redacted()
}
