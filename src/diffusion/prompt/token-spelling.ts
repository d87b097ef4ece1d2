const END_OF_WORD = '</w>';

/** What a token stands for, for people to read. */
export interface TokenSpelling {
  /** A token that holds a part of a character alone has U+FFFD for it. */
  readonly text: string;
  /** Whether a word ends with it; otherwise the next token goes on with the same one. */
  readonly endsWord: boolean;
}

/** Reads a token as CLIP's vocabulary writes it: a letter for each byte, and `</w>` where a word ends. */
export function spellToken(written: string): TokenSpelling {
  const endsWord = written.endsWith(END_OF_WORD);
  const letters = endsWord ? written.slice(0, -END_OF_WORD.length) : written;
  const bytes = Uint8Array.from(letters, (letter) => BYTES.get(letter) ?? 0);
  return { text: new TextDecoder().decode(bytes), endsWord };
}

/** GPT-2's alphabet: a byte that prints is its own letter, and the others follow from U+0100 on. */
const BYTES: ReadonlyMap<string, number> = new Map(
  (() => {
    let next = 0x100;
    return Array.from({ length: 0x100 }, (_, byte) => {
      const isOwnLetter = (byte > 0x20 && byte < 0x7f) || (byte > 0xa0 && byte !== 0xad);
      const letter = isOwnLetter ? byte : next;
      if (!isOwnLetter) next += 1;
      return [String.fromCharCode(letter), byte] as const;
    });
  })(),
);
