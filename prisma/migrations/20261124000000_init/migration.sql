-- The first schema: tenants, their keys, variants, the fleet, jobs with their events and pictures,
-- and the ledger. The roles (darkroom_owner, _app, _auth, _dispatcher, _system) exist before this
-- runs, and this runs as darkroom_owner.

create type tenant_state as enum ('ACTIVE', 'SUSPENDED', 'DELETING');
create type key_environment as enum ('LIVE', 'TEST');
create type visibility as enum ('PRIVATE', 'GRANTED', 'PUBLIC');
create type version_state as enum ('DRAFT', 'VALIDATING', 'READY', 'LIVE', 'RETIRED');
create type node_state as enum ('JOINING', 'READY', 'DRAINING', 'LOST');
create type job_state as enum ('QUEUED', 'RUNNING', 'SUCCEEDED', 'FAILED', 'CANCELLED');
create type event_type as enum ('QUEUED', 'STARTED', 'REQUEUED', 'IMAGE', 'COMPLETED', 'FAILED', 'CANCELLED');
create type progress_type as enum ('STEP', 'PREVIEW');
create type output_format as enum ('PNG', 'JPEG', 'WEBP');
create type usage_kind as enum ('GRANT', 'USAGE', 'ADJUST');

-- Ids are compared and sorted as bytes, hence collate "C" throughout.
create table plan (
  id text collate "C" primary key,
  name text not null unique,
  queued_jobs_max integer not null check (queued_jobs_max > 0),
  megapixels_max double precision not null check (megapixels_max > 0),
  steps_max integer not null check (steps_max > 0),
  created_at timestamptz(3) not null default now()
);

create table tenant (
  id text collate "C" primary key,
  plan_id text collate "C" not null references plan (id),
  name text not null,
  slug text not null unique,
  state tenant_state not null default 'ACTIVE',
  created_at timestamptz(3) not null default now()
);

create table api_key (
  tenant_id text collate "C" not null references tenant (id),
  id text collate "C" not null,
  name text not null,
  hash bytea not null unique,
  prefix text not null,
  last4 text not null,
  environment key_environment not null,
  scopes text[] not null,
  created_at timestamptz(3) not null default now(),
  expires_at timestamptz(3),
  revoked_at timestamptz(3),
  primary key (tenant_id, id)
);

-- The owner is a tenant or the platform (`ten_` and 26 zeros), which has no row in `tenant`.
create table variant (
  owner_id text collate "C" not null,
  id text collate "C" not null,
  name text not null,
  family text not null,
  visibility visibility not null,
  created_at timestamptz(3) not null default now(),
  primary key (owner_id, id),
  unique (owner_id, name)
);

create table variant_version (
  owner_id text collate "C" not null,
  id text collate "C" not null,
  variant_id text collate "C" not null,
  number integer not null check (number > 0),
  digest text not null,
  licence text not null,
  manifest jsonb not null,
  scheduler_config jsonb not null,
  state version_state not null,
  created_at timestamptz(3) not null default now(),
  primary key (owner_id, id),
  unique (owner_id, variant_id, number),
  unique (owner_id, variant_id, id),
  foreign key (owner_id, variant_id) references variant (owner_id, id)
);
create unique index variant_version_one_live on variant_version (owner_id, variant_id) where state = 'LIVE';

create table node (
  id text collate "C" primary key,
  address text not null unique,
  name text not null,
  state node_state not null default 'JOINING',
  holder text collate "C",
  fence integer not null default 0,
  lease_until timestamptz(3),
  created_at timestamptz(3) not null default now(),
  updated_at timestamptz(3) not null default now()
);

create table engine (
  id text collate "C" primary key,
  node_id text collate "C" not null references node (id) on delete cascade,
  model text not null,
  version integer not null,
  fingerprint text not null,
  instances integer not null check (instances > 0),
  batch_max integer not null check (batch_max > 0),
  updated_at timestamptz(3) not null default now(),
  unique (node_id, model, version)
);

create table job (
  tenant_id text collate "C" not null references tenant (id),
  id text collate "C" not null,
  key_id text collate "C" not null,
  variant_owner_id text collate "C" not null,
  variant_id text collate "C" not null,
  version_id text collate "C" not null,
  engine_key text collate "C" not null,
  state job_state not null default 'QUEUED',
  recipe jsonb not null,
  metadata jsonb not null,
  step integer not null default 0,
  total_steps integer not null check (total_steps > 0),
  credits integer not null check (credits >= 0),
  last_sequence integer not null,
  fence integer not null default 0,
  holder text collate "C",
  lease_until timestamptz(3),
  not_before timestamptz(3),
  attempts integer not null default 0,
  recoveries integer not null default 0,
  cancel_requested_at timestamptz(3),
  error_code text,
  error_message text,
  created_at timestamptz(3) not null default now(),
  started_at timestamptz(3),
  finished_at timestamptz(3),
  primary key (tenant_id, id),
  foreign key (tenant_id, key_id) references api_key (tenant_id, id),
  foreign key (variant_owner_id, variant_id) references variant (owner_id, id),
  foreign key (variant_owner_id, variant_id, version_id) references variant_version (owner_id, variant_id, id),
  -- Foreign keys look past row-level security: the owner must be the tenant itself or the platform.
  constraint job_variant_owner check (variant_owner_id in (tenant_id, 'ten_00000000000000000000000000')),
  -- Only a running job is held, and a running job always is.
  constraint job_held check ((state = 'RUNNING') = (holder is not null and lease_until is not null)),
  constraint job_finished check ((state in ('SUCCEEDED', 'FAILED', 'CANCELLED')) = (finished_at is not null)),
  constraint job_failed check ((state = 'FAILED') = (error_code is not null and error_message is not null))
);
-- The two hot paths touch only what is queued or running, however long the history grows.
create index job_claim on job (engine_key, id) where state = 'QUEUED';
create index job_lease on job (lease_until) where state = 'RUNNING';
create index job_open on job (tenant_id) where state in ('QUEUED', 'RUNNING');
create index job_by_variant on job (tenant_id, variant_id, id);

create table image (
  tenant_id text collate "C" not null,
  id text collate "C" not null,
  job_id text collate "C" not null,
  position integer not null check (position >= 0),
  width integer not null,
  height integer not null,
  seed numeric(20, 0) not null check (seed >= 0 and seed < 18446744073709551616),
  format output_format not null,
  bytes integer not null,
  sha256 text not null,
  pixel_sha256 text not null,
  object_key text not null,
  thumbnail_key text not null,
  created_at timestamptz(3) not null default now(),
  primary key (tenant_id, id),
  unique (tenant_id, job_id, position),
  foreign key (tenant_id, job_id) references job (tenant_id, id)
);

create table event (
  tenant_id text collate "C" not null,
  job_id text collate "C" not null,
  sequence integer not null check (sequence > 0),
  type event_type not null,
  at timestamptz(3) not null default now(),
  step integer,
  image_id text collate "C",
  error_code text,
  error_message text,
  primary key (tenant_id, job_id, sequence),
  foreign key (tenant_id, job_id) references job (tenant_id, id),
  foreign key (tenant_id, image_id) references image (tenant_id, id)
);

-- Unlogged: progress is worth no fsync. After a crash it is empty, and readers are told of the gap.
create unlogged table job_progress (
  tenant_id text collate "C" not null,
  job_id text collate "C" not null,
  sequence integer not null check (sequence > 0),
  type progress_type not null,
  at timestamptz(3) not null default now(),
  step integer not null,
  preview text,
  primary key (tenant_id, job_id, sequence),
  foreign key (tenant_id, job_id) references job (tenant_id, id)
);

create table usage_entry (
  tenant_id text collate "C" not null references tenant (id),
  id text collate "C" not null,
  kind usage_kind not null,
  job_id text collate "C",
  credits integer not null,
  note text not null,
  created_at timestamptz(3) not null default now(),
  primary key (tenant_id, id),
  -- What makes a second charge for one job impossible.
  unique (tenant_id, job_id),
  foreign key (tenant_id, job_id) references job (tenant_id, id),
  constraint usage_entry_job check ((kind = 'USAGE') = (job_id is not null))
);

-- A balance is a sum over these two columns.
create index usage_entry_balance on usage_entry (tenant_id) include (credits);

create table reservation (
  tenant_id text collate "C" not null,
  job_id text collate "C" not null,
  credits integer not null check (credits >= 0),
  created_at timestamptz(3) not null default now(),
  settled_at timestamptz(3),
  primary key (tenant_id, job_id),
  foreign key (tenant_id, job_id) references job (tenant_id, id)
);
create index reservation_open on reservation (tenant_id) where settled_at is null;

create table idempotency_record (
  tenant_id text collate "C" not null,
  operation text not null,
  key text not null,
  request_hash bytea not null,
  job_id text collate "C" not null,
  created_at timestamptz(3) not null default now(),
  primary key (tenant_id, operation, key),
  foreign key (tenant_id, job_id) references job (tenant_id, id)
    -- The record is written first, so that a concurrent twin waits on it and not on the job.
    deferrable initially deferred
);

-- Who may touch what. A policy admits, a grant permits; a role needs both.
grant usage on schema public to darkroom_app, darkroom_auth, darkroom_dispatcher, darkroom_system;

grant select on plan to darkroom_app, darkroom_dispatcher, darkroom_system;
grant insert, update on plan to darkroom_system;
grant select on node, engine to darkroom_app, darkroom_dispatcher, darkroom_system;
grant insert, update, delete on node, engine to darkroom_dispatcher, darkroom_system;

grant select on tenant, variant, variant_version, job, image, event, job_progress, usage_entry, reservation,
  idempotency_record to darkroom_app, darkroom_system;
grant select on api_key to darkroom_system;
-- What may be told of a key, and so never its hash.
grant select (tenant_id, id, name, prefix, last4, environment, scopes, created_at, expires_at, revoked_at)
  on api_key to darkroom_app;
grant select on tenant, job, image, event, job_progress, usage_entry, reservation, variant, variant_version
  to darkroom_dispatcher;

-- Finding a key comes before knowing the tenant: these columns and no others.
grant select (tenant_id, id, hash, environment, scopes, expires_at, revoked_at) on api_key to darkroom_auth;
grant select (id, state) on tenant to darkroom_auth;

grant insert on job, event, usage_entry, reservation, idempotency_record to darkroom_app;
grant update (state, fence, last_sequence, cancel_requested_at, finished_at, credits) on job to darkroom_app;
grant update (settled_at) on reservation to darkroom_app;
grant delete on idempotency_record to darkroom_app;

grant insert on event, image, usage_entry, job_progress to darkroom_dispatcher;
grant update (state, step, credits, last_sequence, fence, holder, lease_until, not_before, attempts,
  error_code, error_message, started_at, finished_at) on job to darkroom_dispatcher;
grant update (settled_at) on reservation to darkroom_dispatcher;

grant insert, update, delete on tenant, api_key, variant, variant_version to darkroom_system;
grant insert on event, usage_entry to darkroom_system;
grant update (state, step, credits, last_sequence, fence, holder, lease_until, recoveries, error_code,
  error_message, finished_at) on job to darkroom_system;
grant update (settled_at) on reservation to darkroom_system;
grant delete on job_progress, idempotency_record to darkroom_system;

-- Row-level security, forced for the owner too, who has a policy of its own or its migrations
-- would update nothing.
do $$
declare
  name text;
begin
  foreach name in array array['tenant', 'api_key', 'variant', 'variant_version', 'job', 'image', 'event',
    'job_progress', 'usage_entry', 'reservation', 'idempotency_record']
  loop
    execute format('alter table %I enable row level security', name);
    execute format('alter table %I force row level security', name);
    execute format('create policy owner_all on %I to darkroom_owner using (true) with check (true)', name);
    execute format('create policy system_all on %I to darkroom_system using (true) with check (true)', name);
  end loop;

  foreach name in array array['tenant', 'variant', 'variant_version', 'job', 'image', 'event', 'job_progress',
    'usage_entry', 'reservation']
  loop
    execute format('create policy dispatcher_all on %I to darkroom_dispatcher using (true) with check (true)', name);
  end loop;

  -- After a transaction that set it, the setting is '' and not null: hence nullif. The subselect
  -- makes it a constant of the query instead of a call per row.
  foreach name in array array['api_key', 'job', 'image', 'event', 'job_progress', 'usage_entry', 'reservation',
    'idempotency_record']
  loop
    execute format('create policy app_tenant on %I to darkroom_app'
      ' using (tenant_id = (select nullif(current_setting(''app.tenant'', true), '''')))', name);
  end loop;
end
$$;

-- A tenant's transaction may queue and cancel. It can neither grant itself credits nor end a job otherwise.
create policy app_usage on usage_entry as restrictive for insert to darkroom_app
  with check (kind = 'USAGE' and credits <= 0);
create policy app_event on event as restrictive for insert to darkroom_app
  with check (type in ('QUEUED', 'CANCELLED'));
create policy app_submit on job as restrictive for insert to darkroom_app with check (state = 'QUEUED');
create policy app_cancel on job as restrictive for update to darkroom_app
  using (true) with check (state in ('RUNNING', 'CANCELLED'));

create policy app_tenant on tenant to darkroom_app
  using (id = (select nullif(current_setting('app.tenant', true), '')));
create policy auth_find on tenant for select to darkroom_auth using (true);
create policy auth_find on api_key for select to darkroom_auth using (true);

create policy app_own on variant to darkroom_app
  using (owner_id = (select nullif(current_setting('app.tenant', true), '')));
create policy app_public on variant for select to darkroom_app
  using (visibility = 'PUBLIC' and (select nullif(current_setting('app.tenant', true), '')) is not null);
create policy app_own on variant_version to darkroom_app
  using (owner_id = (select nullif(current_setting('app.tenant', true), '')));
create policy app_public on variant_version for select to darkroom_app
  using (exists (
    select from variant
    where variant.owner_id = variant_version.owner_id
      and variant.id = variant_version.variant_id
      and variant.visibility = 'PUBLIC'
  ));
