import type { Clock } from '../../kernel/clock.ts';
import { DomainError } from '../../kernel/errors.ts';
import type { Id } from '../../kernel/ids.ts';
import type { Slots } from '../../kernel/slots.ts';
import { createKeyedSlots } from '../../kernel/slots.ts';
import type { Db, Tx } from '../../platform/db/index.ts';
import { withTenant } from '../../platform/db/index.ts';
import { orUnavailable } from './as-platform.ts';

/** The database as tenants get at it. */
export interface TenantDb {
  /**
   * One operation of a tenant: a transaction that sees that tenant's rows only. A tenant has three at once
   * at most, so that none can hold every connection; more wait their turn, in order. With `through` the
   * transaction takes one of those slots as well, after its turn has come.
   *
   * Rejects with RATE_LIMITED when the turn does not come within five seconds, and with UNAVAILABLE for a
   * database that cannot serve right now, both with `retryAfterMs`; whatever `work` throws passes through.
   * Never call it inside `work`: that would wait for itself.
   */
  asTenant<T>(
    tenantId: Id<'tenant'>,
    work: (tx: Tx) => Promise<T>,
    options?: { readonly through?: Slots },
  ): Promise<T>;
}

export interface TenantDbDeps {
  /** A pool of `darkroom_app`. */
  readonly db: Db;
  readonly clock: Clock;
}

// Of a pool of ten: three tenants that ask without end leave a connection to the others.
const AT_ONCE_MAX = 3;
const WAIT_MS = 5_000;
const RETRY_AFTER_MS = 1_000;

export function createTenantDb({ db, clock }: TenantDbDeps): TenantDb {
  const tenants = createKeyedSlots<Id<'tenant'>>(AT_ONCE_MAX);
  return {
    async asTenant<T>(
      tenantId: Id<'tenant'>,
      work: (tx: Tx) => Promise<T>,
      { through }: { readonly through?: Slots } = {},
    ) {
      const transact = () => orUnavailable(() => withTenant(db, tenantId, work));
      const [turn, late] = [new AbortController(), new AbortController()];
      clock.sleep(WAIT_MS, turn.signal).then(
        () => late.abort(tooMany()),
        () => undefined,
      );
      const begin = () => {
        turn.abort();
        return through ? through.run(transact) : transact();
      };
      return tenants.run(tenantId, begin, late.signal);
    },
  };
}

function tooMany(): DomainError {
  return new DomainError(
    'RATE_LIMITED',
    `You have more requests at work than are served at once (${AT_ONCE_MAX}). Send fewer at a time.`,
    { retryAfterMs: RETRY_AFTER_MS },
  );
}
