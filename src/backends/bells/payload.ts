// NOTIFY takes less than 8,000 bytes, and ids are ASCII.
const PAYLOAD_CHARS_MAX = 7_900;
const SEPARATOR = ',';

/** As few payloads as hold all ids. */
export function joinIds(ids: Iterable<string>): readonly string[] {
  const payloads: string[] = [];
  for (const id of ids) {
    const last = payloads.at(-1);
    const joined = last === undefined ? id : `${last}${SEPARATOR}${id}`;
    if (last === undefined || joined.length > PAYLOAD_CHARS_MAX) payloads.push(id);
    else payloads[payloads.length - 1] = joined;
  }
  return payloads;
}

export function splitIds(payload: string): readonly string[] {
  return payload.split(SEPARATOR);
}
