import { S3Client } from '@aws-sdk/client-s3';

/** Where the objects are, and as whom they are kept. */
export interface S3Settings {
  /** `https://host[:port]`, as clients that follow links reach it too. */
  readonly endpoint: string;
  readonly region: string;
  readonly bucket: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** One bucket, ready to be called. */
export interface Bucket {
  readonly client: S3Client;
  readonly name: string;
}

const CONNECT_MS = 5_000;
// What a server may take for one answer; a picture of ten megabytes at five megabits a second.
const REQUEST_MS = 15_000;
// A server that says SlowDown, breaks the connection or answers 5xx is asked three times within about two
// seconds. Whoever can wait longer has a loop of its own, which must be heard in between.
const ATTEMPTS_MAX = 3;

/** A client of `settings.bucket`; its owner destroys it. Opens no connection by itself. */
export function openBucket(settings: S3Settings, requestTimeoutMs: number = REQUEST_MS): Bucket {
  const { endpoint, region, accessKeyId, secretAccessKey } = settings;
  const client = new S3Client({
    endpoint,
    region,
    credentials: { accessKeyId, secretAccessKey },
    // The bucket in the path: a server of one's own seldom has a name for each bucket.
    forcePathStyle: true,
    // Our own digest goes with each object. What the SDK would add comes as a trailer, which only AWS takes.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    retryMode: 'standard',
    maxAttempts: ATTEMPTS_MAX,
    requestHandler: {
      connectionTimeout: CONNECT_MS,
      requestTimeout: requestTimeoutMs,
      throwOnRequestTimeout: true,
    },
  });
  return { client, name: settings.bucket };
}
