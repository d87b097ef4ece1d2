import { hkdfSync } from 'node:crypto';

/** Independent keys made from the installation's one secret: none of them tells anything of another. */
export interface DerivedKeys {
  /** Under which API keys are hashed. */
  readonly pepper: Uint8Array;
  /** With which links to pictures are signed. */
  readonly signingKey: Uint8Array;
  /** Of the embedded Postgres. */
  readonly superuserPassword: string;
}

const KEY_BYTES = 32;

/** Derives the same keys from the same secret (HKDF, RFC 5869). */
export function deriveKeys(secret: string): DerivedKeys {
  const derive = (purpose: string) =>
    new Uint8Array(hkdfSync('sha256', secret, '', `darkroom ${purpose}`, KEY_BYTES));
  return {
    pepper: derive('api key pepper'),
    signingKey: derive('object links'),
    superuserPassword: Buffer.from(derive('postgres superuser')).toString('base64url'),
  };
}
