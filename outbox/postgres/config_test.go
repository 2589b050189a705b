package postgres

import (
	"strings"
	"testing"
)

func TestSettingsOfAURLComeBeforeDefaults(t *testing.T) {
	for name, test := range map[string]struct {
		url  string
		o    Options
		want map[string]string
	}{
		"defaults": {"postgres://keg@db/keg", Options{}, map[string]string{"search_path": "keg", "synchronous_commit": "on", "statement_timeout": "10s",
			"lock_timeout": "3s", "application_name": "keg"}},
		"an option": {"postgres://keg@db/keg", Options{Schema: "two"}, map[string]string{"search_path": "two"}},
		"the URL":   {"postgresql://keg@db/keg?schema=three&lock_timeout=1s", Options{Schema: "two"}, map[string]string{"search_path": "three", "lock_timeout": "1s"}},
		"more sure": {"postgres://keg@db/keg?synchronous_commit=remote_apply", Options{}, map[string]string{"synchronous_commit": "remote_apply"}},
		"what ours is": {"postgres://keg@db/keg?enable_seqscan=on&default_transaction_isolation=serializable", Options{},
			map[string]string{"enable_seqscan": "off", "default_transaction_isolation": "read committed"}},
	} {
		t.Run(name, func(t *testing.T) {
			test.o.setDefaults()
			config, err := parse(test.url, &test.o)
			if err != nil {
				t.Fatal(err)
			}
			for parameter, want := range test.want {
				if got := config.ConnConfig.RuntimeParams[parameter]; got != want {
					t.Errorf("%s is %q, not %q", parameter, got, want)
				}
			}
		})
	}
}

func TestAWrongURLTellsNoPassword(t *testing.T) {
	for _, url := range []string{
		"", "keg", "mysql://keg:geheim@db/keg", "postgres://keg:geheim%zz@db/keg", "postgres://keg:geheim@db:port/keg",
		"postgres://keg:geheim@db/keg?sslmode=geheim", "postgres://keg:geheim@db/keg?schema=pg_geheim1", "postgres://keg:geheim@db/keg?connect_timeout=x",
		"host=db password=geheim", "postgres://keg:geheim@db/keg?schema=A", "postgres://keg:geheim@db/keg?sslrootcert=/nothing/here&sslmode=verify-full",
	} {
		var o Options
		o.setDefaults()
		_, err := parse(url, &o)
		if err == nil {
			t.Errorf("%s is good", url)
		} else if strings.Contains(strings.ReplaceAll(err.Error(), "pg_geheim1", ""), "geheim") {
			t.Errorf("%s: %v", url, err)
		}
	}
}

func TestADeadLettersIDNamesItsPlace(t *testing.T) {
	for _, id := range []deadID{{1764212345678901, 5}, {0, 1}, {-62135596800000000, 1 << 40}} {
		if got, ok := parseDeadID(id.String()); !ok || got != id {
			t.Errorf("%v became %v, %v", id, got, ok)
		}
	}
	for _, bad := range []string{"", "-", "1", "1-", "-1", "1-0", "1--1", "01-1", "1-+1", "1-1 ", "99999999999999999999-1", "\x00"} {
		if got, ok := parseDeadID(bad); ok {
			t.Errorf("%q is %v", bad, got)
		}
	}
}

func TestHashesKeepTheirPartsApart(t *testing.T) {
	seen := map[string][]string{}
	for _, parts := range [][]string{{"ab", "c"}, {"a", "bc"}, {"abc"}, {"abc", ""}, {"", "abc"}, {""}, {}} {
		hash := string(hashOf(parts...))
		if other, ok := seen[hash]; ok {
			t.Errorf("%q and %q are one", parts, other)
		}
		seen[hash] = parts
	}
}
