package gateway

import (
	"errors"
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/kong/keg/kong/gateway/pluginserver"
)

var errExit = pluginserver.ErrExit

var responseMethods = map[string]method{
	"kong.response.get_status": {answerPhases, true, intOf(func(e *exchange) int { return e.answer.status })},
	"kong.response.get_header": {answerPhases, true, byName(func(e *exchange, name string) (string, error) {
		return e.answer.headers.get(name), nil
	})},
	"kong.response.get_headers": {answerPhases, true, table(func(e *exchange, most int) map[string]any {
		return e.answer.headers.lua(most)
	})},
	"kong.response.get_source": {answerPhases, true, textOf(func(e *exchange) string { return e.source })},
	"kong.response.set_status": {beforeAnswer, false, func(e *exchange, argument []byte) ([]byte, error) {
		status, err := readInt(argument)
		if err != nil {
			return nil, err
		}
		if status < 100 || status > 599 {
			return nil, errors.New("code must be a number between 100 and 599")
		}
		if status >= 200 { // an informational one would be no answer
			e.answer.status = status
		}
		return nil, nil
	}},
	"kong.response.set_header":   {beforeAnswer, false, setHeader(func(e *exchange, name string, values []string) { e.answer.headers.set(name, values...) })},
	"kong.response.add_header":   {beforeAnswer, false, setHeader((*exchange).addAnswerHeader)},
	"kong.response.clear_header": {beforeAnswer, false, set(func(e *exchange, name string) error { e.answer.headers.del(name); return nil })},
	"kong.response.set_headers": {beforeAnswer, false, func(e *exchange, argument []byte) ([]byte, error) {
		all, err := headers(argument)
		if err == nil {
			e.setAnswerHeaders(all)
		}
		return nil, err
	}},
	"kong.response.exit": {beforeAnswer, false, (*exchange).exitCall},
}

func (e *exchange) addAnswerHeader(name string, values []string) {
	for _, v := range values {
		e.answer.headers.add(name, v)
	}
}

func (e *exchange) setAnswerHeaders(all fields) {
	for _, h := range all {
		e.answer.headers.del(h.name)
	}
	for _, h := range all {
		e.answer.headers.add(h.name, h.value)
	}
}

// exitCall is kong.response.exit: it ends the event without an answer to it.
func (e *exchange) exitCall(argument []byte) ([]byte, error) {
	var status int
	var body []byte
	var table map[string]any
	err := eachField(argument, func(id protowire.Number, bytes []byte, number uint64) (err error) {
		switch id {
		case 1:
			status = int(int32(number))
		case 2:
			body = bytes
		case 3:
			table, err = readStruct(bytes, 0)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if status < 100 || status > 599 {
		return nil, errors.New("code must be a number between 100 and 599")
	}
	if status < 200 {
		return nil, fmt.Errorf("the status %d is no answer to a request", status)
	}
	all, err := headerTable(table)
	if err != nil {
		return nil, err
	}
	e.setAnswerHeaders(all)
	if e.answer.stream != nil {
		e.answer.stream.Close()
		e.answer.stream = nil
	}
	e.exit("exit", status, body)
	return nil, errExit
}
