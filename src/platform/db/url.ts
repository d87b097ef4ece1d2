export interface UrlParts {
  readonly user?: string;
  readonly password?: string;
  readonly database?: string;
}

/** `url` with the given parts replaced; host, port and query (`sslmode`, …) stay. */
export function databaseUrl(url: string, { user, password, database }: UrlParts): string {
  const changed = new URL(url);
  if (user !== undefined) changed.username = encodeURIComponent(user);
  if (password !== undefined) changed.password = encodeURIComponent(password);
  if (database !== undefined) changed.pathname = `/${encodeURIComponent(database)}`;
  return changed.href;
}

/** The database that `url` names, or null when it names none. */
export function databaseOf(url: string): string | null {
  return decodeURIComponent(new URL(url).pathname.slice(1)) || null;
}
