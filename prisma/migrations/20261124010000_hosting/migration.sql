-- Nodes are of two kinds: those that a process of ours runs and forgets at its end, and those that an
-- operator has added.
alter table node add column is_hosted boolean not null default false;

-- What has served its time is found by its age, however much of it there is.
create index job_progress_at on job_progress (at);
create index idempotency_record_created_at on idempotency_record (created_at);
