-- Which parts of its engine a job calls, sorted, with spaces between: a node that serves some of a bundle is given the
-- jobs that it can run. A job of before says nothing and is given to any node of its engine, as it was. Text and no
-- array, whose comparison is not leakproof: under row-level security the planner would sort what the index has in order.
alter table job add column parts text collate "C" not null default '';

-- Jobs of one engine call one of very few sets of parts. With the set in the index a claim passes over all that
-- the node cannot run at the price of one look each, however many wait.
drop index job_claim;
create index job_claim on job (engine_key, parts, created_at, id) where state = 'QUEUED';

alter table engine add column parts text[] collate "C" not null default '{}';
