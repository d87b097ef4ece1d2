import type { DatabaseUrls } from '../config/index.ts';
import type { Clock } from '../kernel/clock.ts';
import type { StartError } from '../kernel/errors.ts';
import type { Random } from '../kernel/random.ts';
import type { Logger } from '../platform/telemetry/index.ts';
import type { DataFolder } from './data-folder.ts';
import type { DerivedKeys } from './derived-keys.ts';

export interface PartsOptions {
  /** Null: a temporary folder that is gone with the process. */
  readonly dataDirectory: string | null;
  readonly modelsDirectory: string;
  /** Null: kept in the data folder. */
  readonly secret: string | null;
  /** The logins that this process is to have on an external Postgres. Null: the embedded one. */
  readonly database: DatabaseUrls | null;
  /** Whether a host runs an inference node; asked once its database can be used. */
  readonly needsNode: (urls: DatabaseUrls) => Promise<boolean>;
  readonly entry: string;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly random: Random;
  /** Told what is being started or waited for, for a person who waits. */
  readonly say: (text: string) => void;
  /** Fires when the process is to end: nothing more is started then. */
  readonly signal: AbortSignal;
}

/** What an installation on one machine stands on. Disposing stops what this process hosts of it, the node first. */
export interface Parts extends AsyncDisposable {
  /** Whether this process hosts it; otherwise it uses what another one hosts. */
  readonly isHost: boolean;
  readonly folder: DataFolder;
  readonly keys: DerivedKeys;
  /** Every login that there is for this process: of the embedded Postgres all, of an external one its own. */
  readonly urls: DatabaseUrls;
  /** The embedded cluster's superuser over TCP, or null. */
  readonly adminUrl: string | null;
  /** `grpc://host:port` of the node that belongs to the folder, or null when none is hosted. */
  readonly nodeAddress: string | null;
  /**
   * Resolves with the reason when this process can no longer work with what the folder's host runs, as
   * it came back elsewhere. Stays pending otherwise.
   */
  readonly outdated: Promise<StartError>;
}
