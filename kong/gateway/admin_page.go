package gateway

import (
	"encoding/base64"
	"math"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/kong/keg/kong/gateway/declarative"
)

const (
	pageSize    = 100
	maxPageSize = 1000
)

// row is one item of a list, and the key that lists are ordered by.
type row struct {
	key   string
	value any
}

// list answers with the entities of a kind, or those of a parent, in the order of
// their ids, as Kong's stores have it.
func (g *Gateway) list(r *http.Request, k *declarative.Kind, in *parent) adminReply {
	c := g.config()
	of, err := in.find(c)
	if err != nil {
		return g.errorReply(err)
	}
	tagged, err := tagFilter(r.URL.Query())
	if err != nil {
		return g.errorReply(err)
	}
	customID := r.URL.Query().Get("custom_id")
	rows := []row{}
	for _, e := range c.Entities(k) {
		switch {
		case of != nil && e.Target(in.link.Field) != of.ID:
		case k.Name == "consumers" && customID != "" && e.Fields["custom_id"] != customID:
		case tagged(e):
			rows = append(rows, row{e.ID, e.Fields})
		}
	}
	return g.page(r, rows)
}

// page answers with one page of rows, and the path of the next one.
func (g *Gateway) page(r *http.Request, rows []row) adminReply {
	query := r.URL.Query()
	size := pageSize
	if text := query.Get("size"); query.Has("size") {
		n, err := strconv.ParseFloat(text, 64)
		switch {
		case err != nil:
			return g.errorReply(declarative.InvalidSize("size must be a number"))
		case n != math.Floor(n) || n < 1 || n > maxPageSize:
			return g.errorReply(declarative.InvalidSize("size must be an integer between 1 and " + strconv.Itoa(maxPageSize)))
		}
		size = int(n)
	}
	after, err := base64.StdEncoding.DecodeString(query.Get("offset"))
	if err != nil {
		return g.errorReply(declarative.InvalidOffset(query.Get("offset")))
	}
	slices.SortFunc(rows, func(a, b row) int { return strings.Compare(a.key, b.key) })
	first := 0
	if len(after) > 0 {
		first, _ = slices.BinarySearchFunc(rows, string(after)+"\x00", func(r row, key string) int { return strings.Compare(r.key, key) })
	}
	rows = rows[first:]
	reply := map[string]any{"next": nil}
	if len(rows) > size {
		rows = rows[:size]
		offset := base64.StdEncoding.EncodeToString([]byte(rows[size-1].key))
		next := r.URL.EscapedPath() + "?offset=" + url.QueryEscape(offset)
		for _, argument := range []string{"tags", "size"} {
			if query.Has(argument) {
				next += "&" + argument + "=" + url.QueryEscape(query.Get(argument))
			}
		}
		reply["offset"], reply["next"] = offset, next
	}
	values := make([]any, len(rows))
	for i, r := range rows {
		values[i] = r.value
	}
	reply["data"] = values
	return jsonReply(http.StatusOK, reply)
}

// A filter by tags is tags that an entity has all of, or any of.
var (
	allOfTags = regexp.MustCompile(`^[^,/\x00-\x1f\x7f]+(,[^,/\x00-\x1f\x7f]+)*,?$`)
	anyOfTags = regexp.MustCompile(`^[^,/\x00-\x1f\x7f]+(/[^,/\x00-\x1f\x7f]+)*/?$`)
)

func tagFilter(query url.Values) (func(*declarative.Entity) bool, error) {
	if !query.Has("tags") {
		return func(*declarative.Entity) bool { return true }, nil
	}
	text := query.Get("tags")
	switch {
	case allOfTags.MatchString(text):
		want := strings.Split(strings.TrimSuffix(text, ","), ",")
		return func(e *declarative.Entity) bool {
			has := e.Tags()
			return !slices.ContainsFunc(want, func(tag string) bool { return !slices.Contains(has, tag) })
		}, nil
	case anyOfTags.MatchString(text):
		want := strings.Split(strings.TrimSuffix(text, "/"), "/")
		return func(e *declarative.Entity) bool {
			has := e.Tags()
			return slices.ContainsFunc(want, func(tag string) bool { return slices.Contains(has, tag) })
		}, nil
	}
	return nil, declarative.InvalidTags()
}

// adminTags lists the tags of all entities, or the entities of one tag.
func (g *Gateway) adminTags(r *http.Request, tag string) adminReply {
	c := g.config()
	rows := []row{}
	for _, k := range declarative.Kinds() {
		for _, e := range c.Entities(k) {
			for _, t := range e.Tags() {
				if tag == "" || t == tag {
					rows = append(rows, row{e.ID + t, map[string]any{"entity_name": k.Name, "entity_id": e.ID, "tag": t}})
				}
			}
		}
	}
	return g.page(r, rows)
}
