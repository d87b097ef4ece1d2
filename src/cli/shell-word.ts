// `?`, `*` and `[` are left alone by a shell on the right side of an assignment.
const PLAIN = /^[\w@%+=:,./?-]*$/;

/** `text` as it stands after `NAME=` in a file that a shell reads: in quotes where it would be read otherwise. */
export function shellWord(text: string): string {
  return PLAIN.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
