/**
 * Gives each operation of a socket an id that none had before, so that a client may use its own again as soon
 * as the operation is over for it. graphql-ws knows operations by their ids alone and would take the end of
 * the old one, which may come later, for the end of the new one.
 */
export interface SocketIds {
  /** A message of the client, as graphql-ws is to see it. */
  incoming(text: string): string;
  /** A message of graphql-ws, as the client is to see it; null for what it no longer wants. */
  outgoing(text: string): string | null;
}

const NUMBERED = /^\{"id":"(\d+):/;

export function createSocketIds(): SocketIds {
  /** Numbers of the operations that are not over, by the client's ids. */
  const open = new Map<string, number>();
  /** And the other way round. */
  const ids = new Map<number, string>();
  let last = 0;
  const begin = (id: string) => {
    // One that is in use stays what it is: graphql-ws closes the socket for it.
    const number = open.get(id) ?? (last += 1);
    open.set(id, number);
    ids.set(number, id);
    return number;
  };
  const end = (id: string) => {
    const number = open.get(id) ?? 0;
    open.delete(id);
    ids.delete(number);
    return number;
  };
  return {
    incoming(text) {
      const { type, id } = parse(text);
      if (typeof id !== 'string' || id === '') return text;
      if (type === 'subscribe') return withId(text, numbered(begin(id), id));
      return type === 'complete' ? withId(text, numbered(end(id), id)) : text;
    },
    outgoing(text) {
      const number = Number(NUMBERED.exec(text)?.[1] ?? 0);
      if (number === 0) return text;
      const id = ids.get(number);
      if (id === undefined) return null;
      if (isLast(text, numbered(number, id))) end(id);
      return text.replace(NUMBERED, '{"id":"');
    },
  };
}

function numbered(number: number, id: string): string {
  return `${number}:${id}`;
}

/** `text` is an object; of two members of one name the last counts. */
function withId(text: string, id: string): string {
  return `${text.slice(0, text.lastIndexOf('}'))},"id":${JSON.stringify(id)}}`;
}

/** Whether nothing of the operation comes after this message of graphql-ws, which writes the id first. */
function isLast(text: string, id: string): boolean {
  const { length } = `{"id":${JSON.stringify(id)},"type":"`;
  return text.startsWith('complete"', length) || text.startsWith('error"', length);
}

function parse(text: string): { readonly type?: unknown; readonly id?: unknown } {
  try {
    // A number or null has neither; what is not JSON is refused by graphql-ws.
    return Object(JSON.parse(text));
  } catch {
    return {};
  }
}
