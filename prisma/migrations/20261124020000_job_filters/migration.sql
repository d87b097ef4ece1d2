-- What `jobs` filters by, each with an index that gives a page as it is read: newest first, ties by id.

-- Row-level security lets only leakproof operators use an index, and jsonb's `@>` is none: hence a
-- table for what jobs carry as metadata. It repeats when the job was made, so that one index holds
-- both the condition and the order.

create table job_metadata (
  tenant_id text collate "C" not null,
  key text collate "C" not null,
  value text collate "C" not null,
  job_id text collate "C" not null,
  created_at timestamptz(3) not null,
  -- The longest key and value are about 1,800 bytes of UTF-8, below the 2,700 that an index entry may have.
  primary key (tenant_id, key, value, created_at, job_id),
  unique (tenant_id, job_id, key),
  foreign key (tenant_id, job_id) references job (tenant_id, id)
);

insert into job_metadata (tenant_id, key, value, job_id, created_at)
select tenant_id, entry ->> 'key', entry ->> 'value', id, created_at
from job cross join lateral jsonb_array_elements(metadata) as entry;

create index job_newest on job (tenant_id, created_at, id);
drop index job_by_variant;
create index job_by_variant on job (tenant_id, variant_id, created_at, id);
-- An enum's `=` is not leakproof either, but what an index leaves out is decided while planning.
drop index job_open;
create index job_open on job (tenant_id, created_at, id) where state in ('QUEUED', 'RUNNING');
create index job_succeeded on job (tenant_id, created_at, id) where state = 'SUCCEEDED';
create index job_failed on job (tenant_id, created_at, id) where state = 'FAILED';
create index job_cancelled on job (tenant_id, created_at, id) where state = 'CANCELLED';

grant select, insert on job_metadata to darkroom_app;
grant select on job_metadata to darkroom_system;

alter table job_metadata enable row level security;
alter table job_metadata force row level security;
create policy owner_all on job_metadata to darkroom_owner using (true) with check (true);
create policy system_all on job_metadata to darkroom_system using (true) with check (true);
create policy app_tenant on job_metadata to darkroom_app
  using (tenant_id = (select nullif(current_setting('app.tenant', true), '')));
