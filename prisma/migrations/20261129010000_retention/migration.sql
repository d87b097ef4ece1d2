-- For how long a tenant's pictures are kept; null: for ever.
alter table tenant add column retention_days integer
  constraint tenant_retention_days check (retention_days between 1 and 36500);

-- First a picture is marked, from when on nobody is given a link to it; then its objects are deleted; then that is
-- written down. Whoever dies in between leaves the rest to the next.
alter table image add column expired_at timestamptz(3);
alter table image add column objects_deleted_at timestamptz(3);
alter table image add constraint image_deleted_after_expiry
  check (objects_deleted_at is null or expired_at is not null);
alter table image alter column created_at set default clock_timestamp();

create index image_kept on image (tenant_id, created_at) where expired_at is null;
create index image_doomed on image (expired_at) where expired_at is not null and objects_deleted_at is null;

grant update (expired_at, objects_deleted_at) on image to darkroom_system;
