import { z } from 'zod';
import { StartError } from '../kernel/errors.ts';
import type { Fault } from '../kernel/fault-points.ts';
import { readFault } from './fault.ts';
import type { DatabaseUrls } from './logins.ts';
import { loginsIn } from './logins.ts';
import type { S3Config } from './s3.ts';
import { readS3, s3Environment } from './s3.ts';

/** What becomes of a picture that the picture check takes for noise or for flat. */
const PICTURE_CHECKS = ['refuse', 'log'] as const;
type PictureCheck = (typeof PICTURE_CHECKS)[number];

const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const;
type LogLevel = (typeof LOG_LEVELS)[number];

/** The settings of a process, read once, grouped and frozen. Never logged: it holds passwords and a token. */
export interface Config {
  /** Null: what suits the command. */
  readonly logLevel: LogLevel | null;
  /** The logins of an external Postgres that were given; null: the embedded one. */
  readonly database: DatabaseUrls | null;
  /** Null: a folder in the data folder. */
  readonly s3: S3Config | null;
  readonly http: {
    readonly host: string;
    /** The origin that clients reach the API under, when that is not where it listens. */
    readonly publicUrl: string | null;
    /** Origins of pages that may open sockets besides our own. */
    readonly allowedOrigins: readonly string[];
    /** What reads `/metrics` from another machine; null: nothing does. */
    readonly metricsToken: string | null;
  };
  /** How long one call to a node may take, in milliseconds. */
  readonly nodeCallTimeoutMs: number;
  /** Whether a job ends FAILED for a picture that is noise or flat, or the log alone tells of it. */
  readonly pictureCheck: PictureCheck;
  /** Where this process is to die, for trials of what happens then; null: nowhere. */
  readonly fault: Fault | null;
}

export interface Secrets {
  /** The pepper of API keys and the root of the URL signature; null: kept in the data folder. */
  readonly secret: string | null;
  /** An administrator's login, for `darkroom migrate` alone. */
  readonly migrateUrl: string | null;
}

export type Environment = Readonly<Record<string, string | undefined>>;

const postgresUrl = z
  .string()
  .refine((text) => /^postgres(ql)?:\/\//.test(text), 'must start with postgres://');

const NO_ORIGIN = 'must be an origin such as https://darkroom.example, with http or https and without a path';

const environment = z.object({
  DARKROOM_LOG_LEVEL: z.enum(LOG_LEVELS, `must be one of ${LOG_LEVELS.join(', ')}`).optional(),
  DARKROOM_HOST: z.string().min(1).default('127.0.0.1'),
  DARKROOM_PUBLIC_URL: z
    .string()
    .refine((text) => toOrigin(text) !== null, NO_ORIGIN)
    .optional(),
  DARKROOM_ALLOWED_ORIGINS: z
    .string()
    .default('')
    .transform((text) => text.split(',').flatMap((each) => each.trim() || []))
    .refine(
      (origins) => origins.every((each) => toOrigin(each) !== null),
      `${NO_ORIGIN}, or several with commas`,
    ),
  DARKROOM_METRICS_TOKEN: z
    .string()
    .regex(/^[!-~]{16,}$/, 'must have at least 16 characters, none of them a space')
    .optional(),
  DARKROOM_NODE_CALL_TIMEOUT_MS: z.coerce
    .number('must be a whole number of milliseconds')
    .int('must be a whole number of milliseconds')
    .positive('must be above 0')
    .default(30_000),
  DARKROOM_PICTURE_CHECK: z
    .enum(PICTURE_CHECKS, `must be one of ${PICTURE_CHECKS.join(', ')}`)
    .default('refuse'),
  DARKROOM_FAULT: z.string().optional(),
  DARKROOM_SECRET: z.string().min(32, 'must have at least 32 characters').optional(),
  DATABASE_URL: postgresUrl.optional(),
  DATABASE_AUTH_URL: postgresUrl.optional(),
  DATABASE_DISPATCHER_URL: postgresUrl.optional(),
  DATABASE_SYSTEM_URL: postgresUrl.optional(),
  DATABASE_LISTEN_URL: postgresUrl.optional(),
  DATABASE_MIGRATE_URL: postgresUrl.optional(),
  ...s3Environment,
});

/** The names of all settings. */
export const SETTINGS: readonly string[] = Object.keys(environment.shape);

/** Reads the environment. Throws a `StartError` that names every setting at fault. */
export function readConfig(env: Environment): { readonly config: Config; readonly secrets: Secrets } {
  // An empty variable is one that was not set: shells and compose files make no difference.
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ''));
  const parsed = environment.safeParse(given);
  if (!parsed.success) {
    const faults = parsed.error.issues.map((issue) => `${issue.path.join('.')} ${issue.message}`);
    throw new StartError(`The environment is not right: ${faults.join('; ')}.`);
  }
  const raw = parsed.data;
  return {
    config: Object.freeze({
      logLevel: raw.DARKROOM_LOG_LEVEL ?? null,
      database: loginsIn(raw),
      s3: readS3(raw),
      http: Object.freeze({
        host: raw.DARKROOM_HOST,
        publicUrl: toOrigin(raw.DARKROOM_PUBLIC_URL ?? ''),
        allowedOrigins: raw.DARKROOM_ALLOWED_ORIGINS.flatMap((each) => toOrigin(each) ?? []),
        metricsToken: raw.DARKROOM_METRICS_TOKEN ?? null,
      }),
      nodeCallTimeoutMs: raw.DARKROOM_NODE_CALL_TIMEOUT_MS,
      pictureCheck: raw.DARKROOM_PICTURE_CHECK,
      fault: raw.DARKROOM_FAULT === undefined ? null : readFault(raw.DARKROOM_FAULT),
    }),
    secrets: Object.freeze({
      secret: raw.DARKROOM_SECRET ?? null,
      migrateUrl: raw.DATABASE_MIGRATE_URL ?? null,
    }),
  };
}

/** The origin that `text` is, as browsers spell it; null when it is more than one, or none. */
function toOrigin(text: string): string | null {
  if (!/^https?:\/\//i.test(text) || !URL.canParse(text)) return null;
  const { origin, href } = new URL(text);
  return href === `${origin}/` ? origin : null;
}
