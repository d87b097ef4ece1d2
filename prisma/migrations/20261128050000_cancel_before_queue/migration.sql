-- A job that its tenant has cancelled never waits for another run.

-- Those that do so are given to the reaper, as orphans of nobody: it ends them, with event, ledger and reservation.
update job set state = 'RUNNING', holder = 'dsp_00000000000000000000000000', lease_until = now() - interval '1 s'
where state = 'QUEUED' and cancel_requested_at is not null;

alter table job add constraint job_not_cancelled check (state <> 'QUEUED' or cancel_requested_at is null);
