package gateway

import (
	"net/http"
)

func (g *Gateway) adminHandler() http.Handler { return http.NotFoundHandler() }
