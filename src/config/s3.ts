import { z } from 'zod';
import { StartError } from '../kernel/errors.ts';

/** The bucket that pictures are kept in. */
export interface S3Config {
  /** `https://host[:port]` */
  readonly endpoint: string;
  readonly region: string;
  readonly bucket: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

const NAMES = ['S3_ENDPOINT', 'S3_REGION', 'S3_BUCKET', 'S3_ACCESS_KEY_ID', 'S3_SECRET_ACCESS_KEY'] as const;

type RawS3 = Readonly<Partial<Record<(typeof NAMES)[number], string | undefined>>>;

export const s3Environment = {
  S3_ENDPOINT: z
    .url({ protocol: /^https?$/, error: 'must be http:// or https:// and a host' })
    .refine(isOrigin, 'must name a host and nothing behind it: the bucket is S3_BUCKET')
    .optional(),
  S3_REGION: z
    .string()
    .regex(/^[a-z0-9-]+$/i, 'must be the name of a region, such as us-east-1')
    .optional(),
  S3_BUCKET: z
    .string()
    .regex(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/, 'must be the name of a bucket')
    .optional(),
  S3_ACCESS_KEY_ID: z.string().optional(),
  S3_SECRET_ACCESS_KEY: z.string().optional(),
};

function isOrigin(text: string): boolean {
  // What is no URL at all has been told by then.
  if (!URL.canParse(text)) return true;
  const { pathname, search, hash, username } = new URL(text);
  return `${search}${hash}${username}` === '' && pathname === '/';
}

/** All of them or none. Throws a `StartError` that names those that are missing. */
export function readS3(raw: RawS3): S3Config | null {
  const missing = NAMES.filter((name) => raw[name] === undefined);
  if (missing.length === NAMES.length) return null;
  if (missing.length > 0) {
    throw new StartError(
      `Pictures in S3 need all five settings; ${missing.join(', ')} missing. Without any, they are kept in the data folder.`,
    );
  }
  return Object.freeze({
    endpoint: new URL(raw.S3_ENDPOINT ?? '').origin,
    region: raw.S3_REGION ?? '',
    bucket: raw.S3_BUCKET ?? '',
    accessKeyId: raw.S3_ACCESS_KEY_ID ?? '',
    secretAccessKey: raw.S3_SECRET_ACCESS_KEY ?? '',
  });
}
