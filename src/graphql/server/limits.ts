/**
 * What one request may ask for, at both doors. Each is far above what the largest honest client of
 * this schema needs (every field of a page of a hundred jobs costs about 53,000) and far below what hurts:
 * without them 5,000 aliases ran, and a document 8,000 levels deep ended in a stack overflow.
 */
export const LIMITS = {
  bodyBytesMax: 100_000,
  tokensMax: 1_000,
  depthMax: 10,
  aliasesMax: 15,
  directivesMax: 5,
  /** Fields that an answer could hold, by `costRule`. */
  costMax: 60_000,
  // GraphQL adds one more that says it stopped: five in all.
  errorsMax: 4,
} as const;
