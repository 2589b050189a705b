# Kong with KEG's plugins. `docker compose up` builds it; by hand:
#
#     docker build -t kong/keg:latest .
FROM golang:1.26.8 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
# What `keg version` and Kong are told; x.y.z.
ARG VERSION=
RUN CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags "-s -w -X main.version=$VERSION" -o /keg ./cmd/keg
# The image's kong.conf, which Kong's commands read that are run beside the entrypoint,
# says what the entrypoint does: it starts keg itself, so that keg's log is the
# container's, and its socket is in a folder that Kong does not clean.
RUN sed -e '/_start_cmd = /d' -e '/^log_level = /d' -e 's|/usr/local/kong/keg.socket|/usr/local/kong/keg/keg.socket|' kong/kong.conf >/kong.conf

FROM kong:3.9
USER root
COPY --from=build /keg /usr/local/bin/keg
COPY --from=build /kong.conf /etc/kong/kong.conf
COPY kong/kong.yml /etc/kong/kong.yml
COPY kong/routes.yaml /etc/keg/routes.yaml
COPY kong/docker-entrypoint.sh /usr/local/bin/keg-entrypoint
# Where KEG_PERSISTENCE_ENABLE=true keeps events; a volume belongs here.
RUN install -d -o kong -g 0 -m 0700 /var/lib/keg
USER kong

# Kong's proxy and Admin API, and KEG's own HTTP source where KEG_EVENT_SOURCES
# opens it (http:0.0.0.0:8080).
EXPOSE 8000 8443 8001 8444 8080

# The entrypoint lets Kong end its requests, and KEG its deliveries: up to 35 s.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=10s --start-period=30s --retries=3 \
    CMD if [ "${KEG_STATUS_LISTEN:-}" != off ]; then keg health || exit 1; fi; kong health || exit 1

ENTRYPOINT ["/usr/local/bin/keg-entrypoint"]
CMD ["kong", "docker-start"]
