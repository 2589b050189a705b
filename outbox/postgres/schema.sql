-- Version 1. Run in one transaction, with the schema as search path.

-- One row for each open store.
CREATE TABLE nodes (
    id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name    text NOT NULL,
    expires timestamptz NOT NULL
) WITH (fillfactor = 50, autovacuum_vacuum_threshold = 200, autovacuum_vacuum_scale_factor = 0);

-- Who commits groups: the number, and the outcome, of the last one.
CREATE TABLE writers (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    seq        bigint NOT NULL DEFAULT 0,
    base       bigint NOT NULL DEFAULT 0,
    duplicates int4[] NOT NULL DEFAULT '{}',
    at         timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 50, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_scale_factor = 0);

CREATE SEQUENCE groups;

CREATE TABLE queues (
    id          int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    hash        bytea NOT NULL UNIQUE, -- of the four, which may be too long for an index
    scope       text NOT NULL,
    route       text NOT NULL,
    destination text NOT NULL,
    dead_letter boolean NOT NULL
) WITH (fillfactor = 50);

CREATE TABLE events (
    id   bigint PRIMARY KEY,
    owed int2 NOT NULL, -- deliveries when it was stored
    data bytea NOT NULL
) WITH (autovacuum_vacuum_threshold = 10000, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);
ALTER TABLE events ALTER data SET STORAGE EXTERNAL; -- compressing costs more than it saves

CREATE TABLE deliveries (
    event    bigint NOT NULL,
    n        int2 NOT NULL, -- which of the event's
    queue    int NOT NULL,
    bytes    int NOT NULL, -- of the event's data
    holder   bigint NOT NULL, -- a node; 0 ready, -1 waiting, -2 blocked
    stamp    bigint NOT NULL, -- of the call that handed it out
    due      timestamptz, -- of a waiting one
    lane     bytea, -- a hash of the key
    key      bytea,
    accepted timestamptz NOT NULL,
    attempts int NOT NULL DEFAULT 0,
    first    timestamptz,
    last     timestamptz,
    error    text NOT NULL DEFAULT '',
    status   int NOT NULL DEFAULT 0,
    PRIMARY KEY (event, n)
) WITH (autovacuum_vacuum_threshold = 10000, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);
CREATE INDEX deliveries_state ON deliveries (holder, queue, event, n);
CREATE INDEX deliveries_due ON deliveries (queue, due) WHERE holder = -1;
CREATE INDEX deliveries_lane ON deliveries (queue, lane, event, n) WHERE lane IS NOT NULL;

CREATE TABLE dead (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    queue    int NOT NULL,
    reason   text NOT NULL,
    lane     bytea,
    key      bytea,
    error    text NOT NULL,
    status   int NOT NULL,
    attempts int NOT NULL,
    first    timestamptz,
    last     timestamptz,
    accepted timestamptz,
    died     timestamptz NOT NULL,
    bytes    int NOT NULL,
    data     bytea NOT NULL
);
ALTER TABLE dead ALTER data SET STORAGE EXTERNAL;
CREATE INDEX dead_died ON dead (died, id);
CREATE INDEX dead_queue ON dead (queue, died, id);
CREATE INDEX dead_reason ON dead (reason, died, id);

CREATE TABLE dedupe (
    hash   bytea PRIMARY KEY, -- of source and id
    stored timestamptz NOT NULL,
    until  timestamptz NOT NULL
) WITH (autovacuum_vacuum_threshold = 10000, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);
CREATE INDEX dedupe_until ON dedupe (until);
