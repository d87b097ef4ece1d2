-- How much work waits, over all tenants: what a quote's time is worked out from. The app sees the jobs of one tenant
-- at most, so the sum comes from a function that runs as the owner and tells nothing else. A damaged recipe counts as
-- one picture, as it does where jobs are claimed.
create function evaluations_ahead() returns bigint language sql stable security definer set search_path = ''
  as $$
    select coalesce(sum(greatest(total_steps - step, 0) * case jsonb_typeof(recipe -> 'settings' -> 'imageCount')
      when 'number' then least(greatest((recipe -> 'settings' -> 'imageCount')::numeric, 1), 1000)::bigint
      else 1 end), 0)::bigint
    from public.job where state in ('QUEUED', 'RUNNING')
  $$;
revoke execute on function evaluations_ahead() from public;
grant execute on function evaluations_ahead() to darkroom_app, darkroom_system;
