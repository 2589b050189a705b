package main

import (
	"encoding/json"
	"fmt"
	"regexp"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// version is set by the linker of a release: -ldflags "-X main.version=1.2.3".
var version = ""

// release is the version that keg gives of itself: the linker's, else the
// module's as the Go tool recorded it.
func release() string {
	if version != "" {
		return version
	}
	if build, ok := debug.ReadBuildInfo(); ok && build.Main.Version != "" && build.Main.Version != "(devel)" {
		return build.Main.Version
	}
	return "0.1.0-dev"
}

// numbers are the x.y.z that a version begins with.
var numbers = regexp.MustCompile(`\d+\.\d+\.\d+`)

// pluginVersion is the version that Kong is told of: plain x.y.z, which every Kong
// takes. One that Kong does not take keeps it from starting.
func pluginVersion() string {
	if v := numbers.FindString(release()); v != "" {
		return v
	}
	return "0.0.0"
}

func versionLine() string {
	return fmt.Sprintf("keg %s (%s, %s/%s)", release(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

func versionCommand() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkOutput(output); err != nil {
				return err
			}
			if output == "json" {
				return json.NewEncoder(cmd.OutOrStdout()).Encode(map[string]string{
					"version": release(), "go": runtime.Version(), "os": runtime.GOOS, "arch": runtime.GOARCH,
				})
			}
			_, err := fmt.Fprintln(cmd.OutOrStdout(), versionLine())
			return err
		},
	}
	outputFlag(cmd, &output)
	return cmd
}
