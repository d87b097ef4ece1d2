-- When something happened is told by one clock, the database's, at the moment of the row: the start of a
-- transaction that waited for another lies before what that one wrote.
alter table job alter column created_at set default clock_timestamp();
alter table event alter column at set default clock_timestamp();
alter table job_progress alter column at set default clock_timestamp();

-- Jobs are claimed in the order in which they were made; their ids come from the clocks of many processes.
drop index job_claim;
create index job_claim on job (engine_key, created_at, id) where state = 'QUEUED';
