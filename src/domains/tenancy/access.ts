import { DomainError } from '../../kernel/errors.ts';
import type { Db } from '../../platform/db/index.ts';
import type { Actor } from './actor.ts';
import { orUnavailable } from './as-platform.ts';
import { hashKey, isKeyText } from './key.ts';
import { findKeyByHash } from './store.ts';

export interface AccessDeps {
  /** A pool of `darkroom_auth`. */
  readonly authDb: Db;
  readonly pepper: Uint8Array;
}

export type Access = ReturnType<typeof createAccess>;

const SCHEME = /^Bearer +(\S+)$/i;

/** Turns a key into an actor: the one place where a caller gets its tenant and its rights. */
export function createAccess({ authDb, pepper }: AccessDeps) {
  return {
    /**
     * Takes the value of an `Authorization` header. Rejects with UNAUTHENTICATED for anything but a
     * key in force, in the same words whatever is wrong with it, and with FORBIDDEN when its tenant
     * is not active. What lacks the form or checksum of a key never reaches the database.
     */
    async authenticate(authorization: string | null): Promise<Actor> {
      const text = SCHEME.exec(authorization ?? '')?.[1];
      if (text === undefined || !isKeyText(text)) throw unauthenticated();
      const record = await orUnavailable(() => findKeyByHash(authDb, hashKey(text, pepper)));
      if (!record) throw unauthenticated();
      if (record.tenantState !== 'ACTIVE') throw new DomainError('FORBIDDEN', 'This tenant is suspended.');
      return {
        tenantId: record.tenantId,
        keyId: record.keyId,
        environment: record.environment,
        permissions: new Set(record.permissions),
      };
    },
  };
}

function unauthenticated(): DomainError {
  return new DomainError(
    'UNAUTHENTICATED',
    'A valid API key is needed: send the header "Authorization: Bearer dk_live_…".',
  );
}
