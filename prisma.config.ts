import process from 'node:process';
import { defineConfig } from 'prisma/config';

// `generate` needs no database. `prisma migrate` does: let it connect as the role that owns the schema
// (an administrator's login with `?options=-c%20role%3Ddarkroom_owner`), or the tables it makes will
// belong to the administrator. `darkroom migrate` does all of this by itself.
const url = process.env['DATABASE_MIGRATE_URL'];

export default defineConfig({
  schema: 'prisma/schema.prisma',
  migrations: { path: 'prisma/migrations' },
  ...(url === undefined ? {} : { datasource: { url } }),
});
