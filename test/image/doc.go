// Package image looks at what makes and runs KEG's image, the Dockerfile,
// .dockerignore and docker-compose.yml, with the parsers of Docker's own tools, as
// far as that goes without an engine. What the image's entrypoint does is tested
// beside the program, in cmd/keg.
//
// It is a module of its own, so that those parsers are no business of whoever
// uses KEG's.
package image
