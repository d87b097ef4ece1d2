/** Tokens that stay together: one, or the vectors of a word of textual inversion. */
export interface WeightedTokens {
  readonly ids: readonly number[];
  readonly weight: number;
}

/** One token with how much it counts. */
export interface WeightedToken {
  readonly id: number;
  readonly weight: number;
}

export type Chunk = readonly WeightedToken[];

export interface ChunkRules {
  /** Tokens that a chunk holds, without the marks of start and end. */
  readonly room: number;
  /** The token behind which a full chunk may end early; null: none. */
  readonly comma: number | null;
}

/** As in the reference by default: a phrase of more tokens, the comma before it included, is cut where the chunk is full. */
const PHRASE_MAX = 20;

/**
 * Deals tokens out into chunks that the text encoder can read, at least one. A full chunk ends at its last comma
 * when the phrase behind that is short, so that no phrase is torn; a null ends the chunk where it stands, also an
 * empty one. The rules are those of AUTOMATIC1111's web UI. No list of `ids` may be longer than the room.
 */
export function splitChunks(tokens: Iterable<WeightedTokens | null>, rules: ChunkRules): readonly Chunk[] {
  const chunks: Chunk[] = [];
  const open: OpenChunk = { tokens: [], commaAt: null };
  const end = (next: WeightedToken[] = []) => {
    chunks.push(open.tokens);
    open.tokens = next;
    open.commaAt = null;
  };
  for (const each of tokens) {
    if (each === null) {
      end();
      continue;
    }
    const phraseAt = tornPhrase(open, each, rules);
    if (phraseAt !== null) end(open.tokens.splice(phraseAt));
    if (each.ids[0] === rules.comma) open.commaAt = open.tokens.length;
    if (open.tokens.length + each.ids.length > rules.room) end();
    for (const id of each.ids) open.tokens.push({ id, weight: each.weight });
  }
  if (open.tokens.length > 0 || chunks.length === 0) end();
  return chunks;
}

interface OpenChunk {
  tokens: WeightedToken[];
  /** Where its last comma is. */
  commaAt: number | null;
}

/** Where the phrase begins that `next` would be torn from; null when there is none, or it is too long to be moved. */
function tornPhrase(
  { tokens, commaAt }: OpenChunk,
  next: WeightedTokens,
  { room, comma }: ChunkRules,
): number | null {
  if (tokens.length < room || commaAt === null || next.ids[0] === comma) return null;
  return room - commaAt <= PHRASE_MAX ? commaAt + 1 : null;
}
