// Package sinks reaches destinations: one file for each type, the list of them
// in types.go, and the pool of the clients that they share.
//
// A sink makes one attempt and says by the type of its error what it was worth.
// It never retries, keeps nothing, and knows neither routes nor senders: those
// are the hub's. How an event looks on the wire is package cloudevents' to say.
//
// An error tells whose the failure is, decided by types and codes, never by
// text. What no other event in this one's place would have escaped is an outage
// ([keg.Unreachable]) and costs the event nothing:
//
//	          outage                          transient                    permanent
//	all       no connection: refused, no      -                            what cannot be written for the
//	          such host, TLS, no turn on                                   destination, or is too large
//	          one before the time ran out
//	http      -                               reset, cut or silent after   every other status of 300 and
//	                                          a connection; 408, 425,      more (413 too large, 410 gone);
//	                                          429, 500, 502, 503, 504      a metadata address
//	kafka     no broker; login refused;       cut or silent after the      message too large (of a record
//	          no leader, or one that moved;   record was written; timed    alone), not authorized, invalid
//	          too few replicas; no disk       out at the broker; no such   topic or record, a policy
//	                                          topic; numbers out of step
//	mqtt      CONNACK refused or not sent     cut or silent after the      a topic that no event may have
//	                                          message was written
//
// Adding a type takes its settings (a struct that implements [keg.Settings]),
// its kind (a line of types.go), and a test that runs package sinktest.
package sinks
