//go:build linux

package main

import (
	"bytes"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"

	"golang.org/x/perf/benchfmt"
)

// results are a package's benchmarks: by name, then unit, the values of all
// rounds.
type results map[string]map[string][]float64

// goBench runs the benchmarks of a package that match, rounds times.
func goBench(pkg, match string, rounds int, time string, flags ...string) (results, error) {
	arguments := append([]string{"test", "-run", "^$", "-bench", match, "-benchmem", "-count", fmt.Sprint(rounds), "-benchtime", time}, flags...)
	cmd := exec.Command("go", append(arguments, pkg)...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("%s: %w\n%s", pkg, err, out)
	}
	all := results{}
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
		if all[name] == nil {
			all[name] = map[string][]float64{}
		}
		for _, v := range result.Values {
			unit, value := v.Unit, v.Value
			if v.OrigUnit != "" { // benchfmt turns ns/op into sec/op
				unit, value = v.OrigUnit, v.OrigValue
			}
			all[name][unit] = append(all[name][unit], value)
		}
	}
	if err := reader.Err(); err != nil {
		return nil, err
	}
	if len(all) == 0 {
		return nil, errors.New(pkg + ": no benchmark matches " + match)
	}
	return all, nil
}

// of returns a cost, or an error in errs where there is none: the least of all
// rounds, which is the one that the machine's other work disturbed least.
func (r results) of(name, unit string, errs *[]error) float64 {
	return r.judge(name, unit, least, errs)
}

func least(values []float64) float64 { return slices.Min(values) }

// middle returns a rate's median in the same way.
func (r results) middle(name, unit string, errs *[]error) float64 {
	return r.judge(name, unit, median, errs)
}

func (r results) judge(name, unit string, one func([]float64) float64, errs *[]error) float64 {
	values := r[name][unit]
	if len(values) == 0 {
		*errs = append(*errs, fmt.Errorf("no %s of %s", unit, name))
		return 0
	}
	return one(values)
}
