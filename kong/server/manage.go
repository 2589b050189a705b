package server

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	wire "github.com/Kong/go-pdk/server/kong_plugin_protocol"
	"google.golang.org/protobuf/proto"

	"github.com/kong/keg/kong/schema"
)

// manage does a command that is no event, and reports whether the connection
// stays. Closing it is the only way to say no.
func (c *conn) manage(command command) bool {
	s := c.server
	answer := &wire.RpcReturn{Sequence: command.sequence}
	switch command.kind {
	case getPluginNames:
		names := &wire.PluginNames{}
		for i := range s.options.Plugins {
			names.Names = append(names.Names, s.options.Plugins[i].Name)
		}
		answer.Return = &wire.RpcReturn_PluginNames{PluginNames: names}
	case getPluginInfo:
		info, err := s.describe(command.name)
		if err != nil {
			s.log.Warn("closed a connection to Kong's plugin socket", "error", err)
			return false
		}
		answer.Return = &wire.RpcReturn_PluginInfo{PluginInfo: info}
	case startInstance:
		in, err := s.start(command.name, command.config)
		if err != nil {
			s.failures.log(s.log, command.name, "an instance could not be started; Kong answers 500 until its config is mended", err)
			return false
		}
		answer.Return = status(in)
	case getInstanceStatus:
		in := s.instances.acquire(command.instance)
		if in == nil {
			return false
		}
		answer.Return = status(in)
		s.instances.drop(in)
	case closeInstance:
		in, ok := s.instances.leave(command.instance)
		if !ok {
			return false
		}
		answer.Return = status(in)
	}
	encoded, err := proto.Marshal(answer)
	if err != nil {
		s.log.Error("encoding an answer to Kong", "error", err)
		return false
	}
	c.arm()
	c.out = appendFrame(c.out[:0], encoded)
	return c.send() == nil
}

func status(in *instance) *wire.RpcReturn_InstanceStatus {
	return &wire.RpcReturn_InstanceStatus{InstanceStatus: &wire.InstanceStatus{
		Name:       in.plugin.Name,
		InstanceId: in.id,
		StartedAt:  in.started.Unix(),
	}}
}

func (s *Server) plugin(name string) (*Plugin, error) {
	for i := range s.options.Plugins {
		if p := &s.options.Plugins[i]; p.Name == name {
			return p, nil
		}
	}
	return nil, fmt.Errorf("no plugin is called %q here", name)
}

func (s *Server) describe(name string) (*wire.PluginInfo, error) {
	p, err := s.plugin(name)
	if err != nil {
		return nil, err
	}
	described, err := pluginSchema(p)
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(described)
	if err != nil {
		return nil, err
	}
	info := &wire.PluginInfo{
		Name: p.Name, Version: p.Version, Priority: int32(p.Priority), Schema: string(text),
		UpdatedAt: s.made.Unix(), LoadedAt: s.made.Unix(),
	}
	for _, phase := range p.Phases {
		info.Phases = append(info.Phases, string(phase))
	}
	return info, nil
}

// start decodes a config and makes an instance of it.
func (s *Server) start(name string, config []byte) (*instance, error) {
	p, err := s.plugin(name)
	if err != nil {
		return nil, err
	}
	in := &instance{plugin: p, started: time.Now(), handlers: make(map[Phase]handler, len(p.Phases))}
	err = guarded(func() error {
		into := p.Config()
		if err := schema.Decode(config, into); err != nil {
			return fmt.Errorf("config: %w", err)
		}
		in.Instance, err = p.Start(into)
		if err == nil && in.Instance == nil {
			err = errors.New("the plugin's Start returned no instance and no error")
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, phase := range p.Phases {
		h := handlerOf(in.Instance, phase)
		if h == nil {
			_ = guarded(in.Close)
			return nil, fmt.Errorf("the plugin declares phase %s and its instance does not handle it", phase)
		}
		in.handlers[phase] = h
	}
	if err := s.instances.add(in); err != nil {
		_ = guarded(in.Close)
		return nil, err
	}
	return in, nil
}
