-- What the processes of the platform count, so that one question is answered for all of them.

-- Unlogged: after a crash every process writes its row again within seconds. Counts and sums, never
-- means: those of several processes cannot be put together.
create unlogged table process_figures (
  id text collate "C" primary key,
  -- Nobody is granted this column to write: it is who wrote the row, not who says so.
  writer text not null default current_user,
  roles text[] not null,
  host text not null,
  figures jsonb not null check (jsonb_typeof(figures) = 'object' and length(figures::text) <= 4096),
  started_at timestamptz(3) not null default now(),
  updated_at timestamptz(3) not null default now()
);

grant select, delete on process_figures to darkroom_app, darkroom_dispatcher, darkroom_system;
grant insert (id, roles, host, figures, updated_at), update (figures, updated_at) on process_figures
  to darkroom_app, darkroom_dispatcher, darkroom_system;

-- A process changes rows of its own login only. The API tells of all of them, and the background
-- removes what dead processes of any login left.
alter table process_figures enable row level security;
alter table process_figures force row level security;
create policy owner_all on process_figures to darkroom_owner using (true) with check (true);
create policy own on process_figures to darkroom_app, darkroom_dispatcher, darkroom_system
  using (writer = current_user) with check (writer = current_user);
create policy read_all on process_figures for select to darkroom_app, darkroom_system using (true);
create policy remove_all on process_figures for delete to darkroom_system using (true);

-- How many jobs wait, over all tenants. The app sees the jobs of one tenant at most, so the number
-- comes from a function that runs as the owner and tells nothing else.
create function queue_depth() returns bigint language sql stable security definer set search_path = ''
  as $$ select count(*) from public.job where state = 'QUEUED' $$;
revoke execute on function queue_depth() from public;
grant execute on function queue_depth() to darkroom_app, darkroom_system;

-- The first key of an installation is its operator's, and has every scope that there is.
update api_key set scopes = array_append(scopes, 'PLATFORM_READ')
where name = 'first key' and not ('PLATFORM_READ' = any (scopes))
  and tenant_id = (select id from tenant where slug = 'first')
  and id = (select min(id) from api_key oldest where oldest.tenant_id = api_key.tenant_id);
