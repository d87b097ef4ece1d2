-- How much work waits, over all tenants: what a quote's time is worked out from. The recipe has the number of pictures
-- too, and reading it there took 45 us a job, 4.5 s for a queue of 100,000. A job of before counts as one picture.
alter table job add column image_count integer not null default 1 check (image_count > 0);

-- The app sees the jobs of one tenant at most, so the sum comes from a function that runs as the owner and tells
-- nothing else.
create function evaluations_ahead() returns bigint language sql stable security definer set search_path = ''
  as $$
    select coalesce(sum(greatest(total_steps - step, 0)::bigint * image_count), 0)::bigint
    from public.job where state in ('QUEUED', 'RUNNING')
  $$;
revoke execute on function evaluations_ahead() from public;
grant execute on function evaluations_ahead() to darkroom_app, darkroom_system;
