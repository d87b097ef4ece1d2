-- An idempotency key stands for what a request means, not for how it was written; `request_hash` stays the
-- hash of what was written, so that a repeated request is known whatever the defaults have become since.
alter table idempotency_record add column meaning_hash bytea;

-- A key of the test environment is another key: its job costs nothing, and must not stand for one that does.
alter table idempotency_record add column environment key_environment not null default 'LIVE';
update idempotency_record record set environment = api_key.environment
  from job join api_key on api_key.tenant_id = job.tenant_id and api_key.id = job.key_id
  where job.tenant_id = record.tenant_id and job.id = record.job_id and api_key.environment <> 'LIVE';
alter table idempotency_record drop constraint idempotency_record_pkey;
alter table idempotency_record add primary key (tenant_id, environment, operation, key);
