package main

import (
	"bytes"
	"errors"
	"fmt"
	"os/exec"
	"strings"

	"golang.org/x/perf/benchfmt"
)

// results are a package's benchmarks: by name, then unit, the least value of all
// rounds, which is the one that the machine's other work disturbed least.
type results map[string]map[string]float64

// goBench runs the benchmarks of a package that match, rounds times.
func goBench(pkg, match string, rounds int, time string) (results, error) {
	cmd := exec.Command("go", "test", "-run", "^$", "-bench", match, "-benchmem",
		"-count", fmt.Sprint(rounds), "-benchtime", time, pkg)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("%s: %w\n%s", pkg, err, out)
	}
	least := results{}
	reader := benchfmt.NewReader(bytes.NewReader(out), pkg)
	for reader.Scan() {
		result, ok := reader.Result().(*benchfmt.Result)
		if !ok {
			continue
		}
		// The name's last part is the number of processors: "Match/routes=1-2".
		name := string(result.Name)
		if i := strings.LastIndexByte(name, '-'); i > 0 {
			name = name[:i]
		}
		if least[name] == nil {
			least[name] = map[string]float64{}
		}
		for _, v := range result.Values {
			unit, value := v.Unit, v.Value
			if v.OrigUnit != "" { // benchfmt turns ns/op into sec/op
				unit, value = v.OrigUnit, v.OrigValue
			}
			if old, seen := least[name][unit]; !seen || value < old {
				least[name][unit] = value
			}
		}
	}
	if err := reader.Err(); err != nil {
		return nil, err
	}
	if len(least) == 0 {
		return nil, errors.New(pkg + ": no benchmark matches " + match)
	}
	return least, nil
}

// of returns one figure, or an error in errs where there is none.
func (r results) of(name, unit string, errs *[]error) float64 {
	value, ok := r[name][unit]
	if !ok {
		*errs = append(*errs, fmt.Errorf("no %s of %s", unit, name))
	}
	return value
}
