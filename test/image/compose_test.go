package image

import (
	"maps"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
)

// project is docker-compose.yml as `docker compose` reads it, with these profiles
// and this environment, and nothing of the machine's.
func project(t *testing.T, environment map[string]string, profiles ...string) *types.Project {
	t.Helper()
	top, err := filepath.Abs(root)
	do(t, err)
	p, err := loader.LoadWithContext(t.Context(), types.ConfigDetails{
		WorkingDir:  top,
		ConfigFiles: []types.ConfigFile{{Filename: filepath.Join(top, "docker-compose.yml")}},
		Environment: environment,
	}, loader.WithProfiles(profiles))
	do(t, err)
	return p
}

func names(p *types.Project) []string { return slices.Sorted(maps.Keys(p.Services)) }

func TestComposeStartsWhatTheDocsSay(t *testing.T) {
	alone := []string{"kafka", "kong", "mosquitto", "postgres", "webhook"}
	if got := names(project(t, nil)); !slices.Equal(got, alone) {
		t.Errorf("by itself: %q", got)
	}
	two := slices.Sorted(slices.Values(append([]string{"kong-2"}, alone...)))
	if got := names(project(t, nil, "ha")); !slices.Equal(got, two) {
		t.Errorf("--profile ha: %q", got)
	}
}

func TestTheTwoNodesShareOneOutbox(t *testing.T) {
	p := project(t, map[string]string{"POSTGRES_PASSWORD": "p@ss $word"}, "ha")
	first, second := p.Services["kong"], p.Services["kong-2"]
	if !maps.EqualFunc(first.Environment, second.Environment, func(a, b *string) bool { return *a == *b }) {
		t.Error("the nodes differ in more than their ports")
	}
	url := *first.Environment["KEG_PERSISTENCE_URL"]
	if !strings.HasPrefix(url, "postgres://keg@postgres:5432/keg") || *first.Environment["KEG_PERSISTENCE_ENABLE"] != "true" {
		t.Errorf("the outbox is %s", url)
	}
	// A password of any characters: it stands in no URL.
	if got := *first.Environment["PGPASSWORD"]; got != "p@ss $word" || got != *p.Services["postgres"].Environment["POSTGRES_PASSWORD"] {
		t.Errorf("PGPASSWORD=%s", got)
	}
	if *project(t, nil).Services["kong"].Environment["PGPASSWORD"] == "" {
		t.Error("no password without POSTGRES_PASSWORD")
	}
}

// Whoever waits for a service to be healthy waits for one that can tell.
func TestEveryConditionCanCome(t *testing.T) {
	p := project(t, nil, "ha")
	healthyByImage := map[string]bool{"kong": true, "kong-2": true} // the Dockerfile's own check
	if len(all[*instructions.HealthCheckCommand](dockerfile(t)[1])) == 0 {
		t.Error("the image has no health check")
	}
	for name, service := range p.Services {
		if strings.HasPrefix(name, "kong") && len(service.DependsOn) != 4 {
			t.Errorf("%s waits for %v", name, service.DependsOn)
		}
		for on, need := range service.DependsOn {
			other, ok := p.Services[on]
			if !ok {
				t.Errorf("%s waits for %s, which there is not", name, on)
			}
			if need.Condition != types.ServiceConditionHealthy {
				t.Errorf("%s waits for %s to be %s", name, on, need.Condition)
			}
			if other.HealthCheck == nil && !healthyByImage[on] {
				t.Errorf("%s waits for %s, which has no health check", name, on)
			}
		}
		if service.HealthCheck == nil && !healthyByImage[name] {
			t.Errorf("%s has no health check", name)
		}
	}
}

func TestEveryServiceIsPinnedAndBounded(t *testing.T) {
	version := regexp.MustCompile(`:\d+(\.\d+)+$`)
	p := project(t, nil, "ha")
	for name, service := range p.Services {
		if own := service.Build != nil; own != (service.Image == "kong/keg:latest") || !own && !version.MatchString(service.Image) {
			t.Errorf("%s: the image %s", name, service.Image)
		}
		if service.Build != nil && (service.Build.Context != p.WorkingDir || service.Build.Dockerfile != "Dockerfile") {
			t.Errorf("%s is built from %s", name, service.Build.Context)
		}
		if d := service.Deploy; d == nil || d.Resources.Limits == nil || d.Resources.Limits.MemoryBytes == 0 || d.Resources.Limits.NanoCPUs == 0 {
			t.Errorf("%s has no limits", name)
		}
		for _, port := range service.Ports {
			if ip := net.ParseIP(port.HostIP); ip == nil || !ip.IsLoopback() {
				t.Errorf("%s: %s:%s is published to everybody", name, port.HostIP, port.Published)
			}
		}
		for _, volume := range service.Volumes {
			switch volume.Type {
			case types.VolumeTypeBind:
				if _, err := os.Stat(volume.Source); err != nil || !volume.ReadOnly {
					t.Errorf("%s: %s: %v, read-only %v", name, volume.Source, err, volume.ReadOnly)
				}
			case types.VolumeTypeVolume:
				if _, ok := p.Volumes[volume.Source]; !ok {
					t.Errorf("%s: there is no volume %s", name, volume.Source)
				}
			}
		}
	}
	published := map[string]string{}
	for name, service := range p.Services {
		for _, port := range service.Ports {
			if other, taken := published[port.Published]; taken {
				t.Errorf("%s and %s have port %s", name, other, port.Published)
			}
			published[port.Published] = name
		}
	}
}

// What Kong's node is told to reach is a service of the file, at a port on which
// that service listens.
func TestTheNodeReachesItsNeighbours(t *testing.T) {
	p := project(t, nil)
	kong := p.Services["kong"].Environment
	for variable, want := range map[string]string{
		"KEG_DEV_KAFKA": "kafka:9092", "KEG_DEV_MQTT": "mosquitto:1883", "KEG_DEV_WEBHOOK": "webhook:8070",
	} {
		if got := kong[variable]; got == nil || *got != want {
			t.Errorf("%s=%v, want %s", variable, got, want)
		}
		host, port, _ := strings.Cut(want, ":")
		service := p.Services[host]
		said := strings.Join(service.Command, " ") + p.Configs["mosquitto"].Content
		if listeners := service.Environment["KAFKA_LISTENERS"]; listeners != nil {
			said += *listeners
		}
		if !strings.Contains(said, port) {
			t.Errorf("%s does not listen on %s", host, port)
		}
	}
	routes, err := os.ReadFile(filepath.Join(root, "kong/routes.yaml"))
	do(t, err)
	for _, variable := range regexp.MustCompile(`\$\{(\w+)`).FindAllStringSubmatch(string(routes), -1) {
		if kong[variable[1]] == nil {
			t.Errorf("kong/routes.yaml wants %s", variable[1])
		}
	}
	if *kong["KONG_ADMIN_LISTEN"] != "0.0.0.0:8001" || *kong["KEG_EVENT_SOURCES"] != "kafka:9092,http:0.0.0.0:8080" {
		t.Errorf("KONG_ADMIN_LISTEN=%s KEG_EVENT_SOURCES=%s", *kong["KONG_ADMIN_LISTEN"], *kong["KEG_EVENT_SOURCES"])
	}
}
