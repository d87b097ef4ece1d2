/** What a process does for the platform; any split of them over processes makes one platform. */
export const ROLES = ['api', 'dispatcher', 'background'] as const;
export type Role = (typeof ROLES)[number];

export const ALL_ROLES: ReadonlySet<Role> = new Set(ROLES);
