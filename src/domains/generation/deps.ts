import type { Tokenizer } from '../../diffusion/index.ts';
import type { Reach } from '../../kernel/fault-points.ts';
import type { NewId } from '../../kernel/ids.ts';
import type { Random } from '../../kernel/random.ts';
import type { TenantDb } from '../tenancy/index.ts';
import type { Bell } from './events/doorbell.ts';
import type { ImageLinks } from './links.ts';

/** What jobs and pictures stand on. */
export interface GenerationDeps {
  readonly db: TenantDb;
  readonly bell: Bell;
  readonly random: Random;
  readonly newId: NewId;
  readonly links: ImageLinks;
  /** The tokenizer of the variant version with this digest; null when its files are not on this host. */
  readonly tokenizers: (versionDigest: string) => Tokenizer | null;
  readonly platformVersion: string;
  readonly reach: Reach;
}
